// Programs in Go that tests run: where one cannot be built, its tests are skipped with the reason.

/** A line of why `build` fails; false when it does not. As tap's `skip`. */
export function whyNotBuilt(build: () => unknown): string | false {
  try {
    build();
    return false;
  } catch (error) {
    return (error as Error).message.split('\n', 1)[0]!;
  }
}

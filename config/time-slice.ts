// Long work of the main thread, cut into steps: timers, the admin interface, DNS and streams of control planes go on between
// slices of it, and where threads share a core, so do the workers.

/** What the main thread may be kept from all else for. */
const sliceMs = 3;

/** Takes steps for about as long as a slice may be, one at least. Whether that was the last of them. */
export function isDoneInSlice(steps: Iterator<unknown>, clock: () => number): boolean {
  const startMs = clock();
  // A clock that was set back ends a slice, too.
  for (let nowMs = startMs; nowMs >= startMs && nowMs - startMs < sliceMs; nowMs = clock()) {
    if (steps.next().done === true) return true;
  }
  return false;
}

/** Takes all steps, the first of them now. Between slices the event loop goes on. */
export function takeInSlices(
  steps: Iterator<unknown>,
  clock: () => number,
  defer: (callback: () => void) => unknown,
): void {
  if (!isDoneInSlice(steps, clock)) defer(() => takeInSlices(steps, clock, defer));
}

/** Takes all steps that are left, and returns what the last of them does. */
export function takeAllSteps<T>(steps: Iterator<unknown, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

// Self time by function from V8's .cpuprofile.
// https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile

export type CpuProfile = {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  // Microseconds before each sample.
  readonly timeDeltas: readonly number[];
};

export type SelfTime = { readonly name: string; readonly micros: number; readonly share: number };

// Functions by self time, most first; shares of 1 of the whole profile, its idle time included.
export function selfTimes(profile: CpuProfile): readonly SelfTime[] {
  const names = new Map(profile.nodes.map((node) => [node.id, nameOf(node.callFrame)]));
  const micros = new Map<string, number>();
  let total = 0;
  for (const [index, id] of profile.samples.entries()) {
    const delta = profile.timeDeltas[index]!;
    const name = names.get(id)!;
    micros.set(name, (micros.get(name) ?? 0) + delta);
    total += delta;
  }
  return [...micros]
    .map(([name, own]) => ({ name, micros: own, share: own / total }))
    .sort((left, right) => right.micros - left.micros);
}

function nameOf(frame: CpuProfile['nodes'][number]['callFrame']): string {
  const name = frame.functionName === '' ? '(anonymous)' : frame.functionName;
  const file = frame.url.split('/').at(-1)!;
  return file === '' ? name : `${name} ${file}:${frame.lineNumber + 1}`;
}

// As much of the Dockerfile grammar as ours uses: stages, comments, lines continued by a backslash.
// https://docs.docker.com/reference/dockerfile/

export interface Stage {
  readonly from: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

export interface Instruction {
  readonly keyword: string;
  readonly value: string;
}

export function parseDockerfile(text: string): Stage[] {
  const stages: { from: string; name: string | undefined; instructions: Instruction[] }[] = [];
  const withoutComments = text.replace(/^\s*#.*\n/gm, '');
  for (const line of withoutComments.replace(/\\\n\s*/g, ' ').split('\n')) {
    const instruction = /^([A-Z]+)\s+(.*)$/.exec(line.trim());
    if (instruction === null) continue;
    const keyword = instruction[1]!;
    const value = instruction[2]!.trim();
    const from = /^(\S+)(?:\s+AS\s+(\S+))?$/.exec(value);
    if (keyword === 'FROM') stages.push({ from: from![1]!, name: from![2], instructions: [] });
    else stages.at(-1)!.instructions.push({ keyword, value });
  }
  return stages;
}

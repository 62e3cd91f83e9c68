// What a reader needs to know of the machine, and nothing that names it.
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

export function describeMachine(): readonly string[] {
  const distribution = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown';
  const cores = cpus();
  return [
    `CPU: ${cores[0]?.model ?? 'unknown'}, ${cores.length} cores`,
    `Memory: ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Kernel: Linux ${release()}`,
    `Distribution: ${distribution}`,
  ];
}

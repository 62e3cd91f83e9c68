// What this process holds open, for tests that nothing is left behind.

import { readdirSync, readFileSync } from 'node:fs';

/** How many, always with the one that counts. */
export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Whether a child process would not get it. */
export function isClosedOnExec(fd: number): boolean {
  const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))![1]!;
  return (Number.parseInt(flags, 8) & 0o2000000) !== 0;
}

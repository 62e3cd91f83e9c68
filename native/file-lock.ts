// flock(2): one writer at a time, among processes that agree to ask. The lock belongs to the open file, so it ends with the
// last descriptor of it, however the process ends; nothing is left to clean up. Folders can be locked too.

import { declare, outcome } from './libc.ts';

/**
 * Locks the file that `fd` has open against every other opening of it. Returns 0, or a negated errno: -EAGAIN when
 * somebody has it and `waits` is false. Waiting blocks the thread.
 */
export function lockFile(fd: number, { waits }: { readonly waits: boolean }): number {
  return outcome(sysFlock(fd, waits ? LOCK_EX : LOCK_EX | LOCK_NB));
}

const LOCK_EX = 2;
const LOCK_NB = 4;

const sysFlock = declare('int', 'flock', ['int', 'int']) as (fd: number, operation: number) => number;

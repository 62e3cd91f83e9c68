// Keys are in the memory of the process: no core file of it, and no other process of the same user that reads it
// (/proc/pid/mem, ptrace(2)). prctl(2), PR_SET_DUMPABLE.

import { declare, outcome } from './libc.ts';

/** For the whole process, for good. 0, or an errno negated. */
export function forbidDumps(): number {
  return outcome(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}

/** Whether the kernel would write a core file of this process. */
export function allowsDumps(): boolean {
  return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) === 1;
}

const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;

const prctl = declare('int', 'prctl', ['int', 'uint64_t', 'uint64_t', 'uint64_t', 'uint64_t']) as (
  ...values: readonly number[]
) => number;

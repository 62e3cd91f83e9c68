// Files that only exist in memory (memfd_create(2)): what is too large for a message is written to one, and its descriptor
// is passed.

import { declare, outcome } from './libc.ts';

/** An empty file, closed on exec: its descriptor, or a negated errno. `name` is for people who look into /proc. */
export function createMemoryFile(name: string): number {
  return outcome(sysMemfdCreate(name, MFD_CLOEXEC));
}

const MFD_CLOEXEC = 1;

const sysMemfdCreate = declare('int', 'memfd_create', ['str', 'uint']) as (name: string, flags: number) => number;

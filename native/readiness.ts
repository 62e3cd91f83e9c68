// Waiting for descriptors outside of an event loop of ours. Node's own loop takes no seqpacket sockets, and a thread or a
// timer for a message that comes once in the life of a process is too much: the kernel can raise a signal instead
// (O_ASYNC, fcntl(2)), which Node delivers between two turns.

import { declare, outcome } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';

/**
 * SIGIO is raised in this process whenever `fd` becomes readable or writable, or its peer goes away. Several events may
 * raise one signal: who gets it reads until there is nothing more. Be there for the signal first, it ends the process
 * otherwise. Returns 0 or a negated errno.
 */
export function raiseSignalWhenReady(fd: number): number {
  const owned = outcome(sysFcntl(fd, F_SETOWN, process.pid));
  if (owned < 0) return owned;
  const flags = outcome(sysFcntl(fd, F_GETFL, 0));
  return flags < 0 ? flags : outcome(sysFcntl(fd, F_SETFL, flags | O_ASYNC));
}

/** Blocks this thread until `fd` is readable or at its end: 1. 0 when that took too long, or a negated errno. */
export function waitUntilReadable(fd: number, timeoutMs: number): number {
  pollScratch.bytes.writeInt32LE(fd, 0);
  pollScratch.bytes.writeInt32LE(POLLIN, 4);
  return outcome(sysPoll(pollScratch.address, 1, timeoutMs));
}

/** struct pollfd: descriptor, events, what happened. */
const pollScratch = new NativeBuffer(8);

const F_GETFL = 3;
const F_SETFL = 4;
const F_SETOWN = 8;
const O_ASYNC = 0o20000;
const POLLIN = 1;

const sysFcntl = declare('int', 'fcntl', ['int', 'int', 'long']) as (
  fd: number,
  command: number,
  value: number,
) => number;
const sysPoll = declare('int', 'poll', ['uint64_t', 'uint64_t', 'int']) as (
  address: number,
  count: number,
  timeoutMs: number,
) => number;

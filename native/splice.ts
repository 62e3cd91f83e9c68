// Bytes from one socket to another without passing through user space (splice(2)): by way of a pipe, which holds the
// pages in between.

import { declare, outcome } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';

/** Both ends are non-blocking, and each is closed like a socket. */
export interface Pipe {
  readonly readFd: number;
  readonly writeFd: number;
}

/** A new pipe, or a negated errno. */
export function createPipe(): Pipe | number {
  const result = outcome(sysPipe2(descriptors.address, O_NONBLOCK | O_CLOEXEC));
  if (result < 0) return result;
  return { readFd: descriptors.bytes.readInt32LE(0), writeFd: descriptors.bytes.readInt32LE(4) };
}

/**
 * Moves up to `length` bytes; one of the two must be an end of a pipe. Returns how many, 0 at the end of the input, and
 * -EAGAIN when the source has none or the destination takes none.
 */
export function splice(fromFd: number, toFd: number, length: number): number {
  return outcome(sysSplice(fromFd, 0, toFd, 0, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
}

/**
 * Asks for a pipe of `bytes` (F_SETPIPE_SZ), and returns how large it is now. -EPERM beyond what the machine allows
 * unprivileged users (pipe(7)): the pipe stays as it was.
 */
export function setPipeCapacity(pipe: Pipe, bytes: number): number {
  return outcome(sysFcntl(pipe.writeFd, F_SETPIPE_SZ, bytes));
}

/** Bytes read into `buffer` at `offset`; -EAGAIN when the pipe is empty. */
export function readPipe(pipe: Pipe, buffer: NativeBuffer, offset: number, length: number): number {
  return outcome(sysRead(pipe.readFd, buffer.address + offset, length));
}

const descriptors = new NativeBuffer(8);

const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const F_SETPIPE_SZ = 1031;
const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;

const sysPipe2 = declare('int', 'pipe2', ['uint64_t', 'int']) as (address: number, flags: number) => number;
const sysSplice = declare('long', 'splice', ['int', 'uint64_t', 'int', 'uint64_t', 'size_t', 'uint']) as (
  ...values: [number, number, number, number, number, number]
) => number;
const sysFcntl = declare('int', 'fcntl', ['int', 'int', 'long']) as (
  fd: number,
  command: number,
  value: number,
) => number;
const sysRead = declare('long', 'read', ['int', 'uint64_t', 'size_t']) as (
  fd: number,
  address: number,
  length: number,
) => number;

// A counter of the kernel as a descriptor (eventfd(2)): how one thread wakes another that blocks in epoll_wait.

import { declare, outcome } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';

/** The descriptor of a new event counter, or a negated errno. `close` it like a socket. */
export function createEventFd(): number {
  return outcome(sysEventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

/** Makes `fd` readable. May be called from any thread; many signals before a drain are one. */
export function signalEventFd(fd: number): number {
  return outcome(sysWrite(fd, one.address, 8));
}

/** Makes `fd` unreadable again. -EAGAIN when it was not signalled. */
export function drainEventFd(fd: number): number {
  return outcome(sysRead(fd, counter.address, 8));
}

const one = new NativeBuffer(8);
one.bytes.writeBigUInt64LE(1n);
const counter = new NativeBuffer(8);

const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;

const sysEventfd = declare('int', 'eventfd', ['uint', 'int']) as (initial: number, flags: number) => number;
const sysWrite = declare('long', 'write', ['int', 'uint64_t', 'size_t']) as DescriptorCall;
const sysRead = declare('long', 'read', ['int', 'uint64_t', 'size_t']) as DescriptorCall;

type DescriptorCall = (fd: number, address: number, length: number) => number;

// What a self-test needs to meet the kernel as a blocking application does. Nothing that serves requests blocks.

import { declare, outcome } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';

/** Lets calls on this descriptor wait; `receiveTimeoutMs` at most when they read. 0 or a negated errno, as all here. */
export function setBlocking(fd: number, receiveTimeoutMs: number): number {
  scratch.bytes.writeBigInt64LE(BigInt(Math.floor(receiveTimeoutMs / 1000)), 0); // struct timeval
  scratch.bytes.writeBigInt64LE(BigInt((receiveTimeoutMs % 1000) * 1000), 8);
  const result = outcome(sysSetsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, scratch.address, 16));
  if (result < 0) return result;
  const flags = outcome(sysFcntl(fd, F_GETFL, 0));
  return flags < 0 ? flags : outcome(sysFcntl(fd, F_SETFL, flags & ~O_NONBLOCK));
}

/** Lets acknowledgements wait for company (tcp(7), TCP_QUICKACK off): some 40 ms. */
export function delayAcknowledgements(fd: number): number {
  scratch.bytes.writeInt32LE(0, 0);
  return outcome(sysSetsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, scratch.address, 4));
}

/** Bytes that were sent or wait to be, and that the peer has not acknowledged (tcp(7), SIOCOUTQ). */
export function unacknowledgedBytes(fd: number): number {
  const result = outcome(sysIoctl(fd, SIOCOUTQ, scratch.address));
  return result < 0 ? result : scratch.bytes.readInt32LE(0);
}

const scratch = new NativeBuffer(16);

const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;
const SO_RCVTIMEO = 20;
const TCP_QUICKACK = 12;
const SIOCOUTQ = 0x5411;
const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;

const sysSetsockopt = declare('int', 'setsockopt', ['int', 'int', 'int', 'uint64_t', 'uint']) as (
  ...values: [number, number, number, number, number]
) => number;
const sysFcntl = declare('int', 'fcntl', ['int', 'int', 'long']) as (
  fd: number,
  command: number,
  value: number,
) => number;
const sysIoctl = declare('int', 'ioctl', ['int', 'uint64_t', 'uint64_t']) as (
  fd: number,
  request: number,
  address: number,
) => number;

// What the kernel counts of a TCP connection (TCP_INFO, tcp(7)). The layout is of its UAPI, which only appends to it.

import { Errno } from './errno.ts';
import { declare, outcome } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';

/** Bytes that have come by TCP in order, read or not, and 1 more for the peer's end. Or a negated errno. */
export function tcpBytesReceived(fd: number): number {
  return counted(fd, BYTES_RECEIVED);
}

/** Bytes that the peer's TCP has, read or not, and 1 more for each of SYN and FIN. Or a negated errno. */
export function tcpBytesAcknowledged(fd: number): number {
  return counted(fd, BYTES_ACKED);
}

/** Bytes that the kernel was given, sent or not. Or a negated errno. */
export function tcpBytesWritten(fd: number): number {
  const again = counted(fd, BYTES_RETRANSMITTED);
  return again < 0 ? again : counterAt(BYTES_SENT) - again + scratch.bytes.readUInt32LE(NOT_SENT_BYTES);
}

/** -EINVAL before Linux 4.1, which counts nothing, and of what is sent before 4.19. */
function counted(fd: number, at: number): number {
  scratch.bytes.writeUInt32LE(INFO_BYTES, INFO_BYTES);
  const result = outcome(sysGetsockopt(fd, IPPROTO_TCP, TCP_INFO, scratch.address, scratch.address + INFO_BYTES));
  if (result < 0) return result;
  if (scratch.bytes.readUInt32LE(INFO_BYTES) < at + 8) return -Errno.EINVAL;
  return counterAt(at);
}

function counterAt(at: number): number {
  return scratch.bytes.readUInt32LE(at) + scratch.bytes.readUInt32LE(at + 4) * 2 ** 32;
}

const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const BYTES_ACKED = 120;
const BYTES_RECEIVED = 128;
const NOT_SENT_BYTES = 144;
const BYTES_SENT = 200;
const BYTES_RETRANSMITTED = 208;
const INFO_BYTES = BYTES_RETRANSMITTED + 8;
const scratch = new NativeBuffer(INFO_BYTES + 4);

const sysGetsockopt = declare('int', 'getsockopt', ['int', 'int', 'int', 'uint64_t', 'uint64_t']) as (
  ...values: [number, number, number, number, number]
) => number;

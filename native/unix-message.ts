// Descriptors from one process to another over a Unix socket (unix(7), SCM_RIGHTS): they arrive as new numbers for the same
// sockets, maps and links.

import { Errno } from './errno.ts';
import { declare, outcome } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';
import { close } from './socket.ts';
import { AddressFamily } from './socket-address.ts';

/** `seqpacket` keeps messages apart, `stream` only never joins bytes across descriptors. */
export type UnixSocketKind = 'stream' | 'seqpacket';

export interface ReceivedMessage {
  /** 0 at the end of the stream. */
  readonly length: number;
  /** Closed on exec; the receiver owns them. */
  readonly descriptors: number[];
}

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** How many descriptors one message carries (SCM_MAX_FD). */
export const MAX_DESCRIPTORS = 253;

/** Unconnected, non-blocking and closed on exec, as every socket; or a negated errno. */
export function createUnixSocket(kind: UnixSocketKind): number {
  return outcome(sysSocket(AddressFamily.unix, SOCKET_TYPES[kind], 0));
}

/** Two that are connected to each other; or a negated errno. */
export function unixSocketPair(kind: UnixSocketKind = 'stream'): [number, number] | number {
  const result = outcome(sysSocketpair(AddressFamily.unix, SOCKET_TYPES[kind], 0, optionScratch.address));
  if (result < 0) return result;
  return [optionScratch.bytes.readInt32LE(0), optionScratch.bytes.readInt32LE(4)];
}

/**
 * Sends the first `length` bytes, 1 or more, and descriptors with them: how many bytes were taken. The descriptors went
 * with the first byte, so that the rest of a `stream` is sent without them. The sender keeps its own.
 */
export function sendMessage(fd: number, bytes: NativeBuffer, length: number, descriptors: readonly number[]): number {
  if (length < 1 || length > bytes.length || descriptors.length > MAX_DESCRIPTORS) return -Errno.EINVAL;
  const controlBytes = writeControl(descriptors);
  writeHeader(bytes, length, controlBytes);
  return outcome(sysSendmsg(fd, header.address, MSG_NOSIGNAL));
}

/**
 * What came, at most as much as `into` holds. -EAGAIN when there is nothing; -EMSGSIZE when the message is longer, -EMFILE
 * when this process has no room for its descriptors: nothing of such a message is left open.
 */
export function receiveMessage(fd: number, into: NativeBuffer): ReceivedMessage | number {
  writeHeader(into, into.length, control.length);
  const length = outcome(sysRecvmsg(fd, header.address, MSG_CMSG_CLOEXEC));
  if (length < 0) return length;
  const descriptors = readControl(Number(header.bytes.readBigUInt64LE(CONTROL_LENGTH)));
  const flags = header.bytes.readInt32LE(MESSAGE_FLAGS);
  if ((flags & (MSG_TRUNC | MSG_CTRUNC)) === 0) return { length, descriptors };
  for (const descriptor of descriptors) close(descriptor);
  return (flags & MSG_TRUNC) === 0 ? -Errno.EMFILE : -Errno.EMSGSIZE;
}

/** Who made the other end (SO_PEERCRED), as the kernel knows it, ids as this process's namespaces show them. */
export function peerCredentials(fd: number): PeerCredentials | number {
  lengthScratch.bytes.writeUInt32LE(12);
  const result = outcome(sysGetsockopt(fd, SOL_SOCKET, SO_PEERCRED, optionScratch.address, lengthScratch.address));
  if (result < 0) return result;
  const { bytes } = optionScratch;
  return { pid: bytes.readInt32LE(0), uid: bytes.readUInt32LE(4), gid: bytes.readUInt32LE(8) };
}

/** struct msghdr with one piece of data; no address, since the socket is connected. */
function writeHeader(data: NativeBuffer, length: number, controlBytes: number): void {
  iovec.bytes.writeBigUInt64LE(BigInt(data.address), 0);
  iovec.bytes.writeBigUInt64LE(BigInt(length), 8);
  header.bytes.fill(0);
  header.bytes.writeBigUInt64LE(BigInt(iovec.address), 16);
  header.bytes.writeBigUInt64LE(1n, 24);
  header.bytes.writeBigUInt64LE(controlBytes === 0 ? 0n : BigInt(control.address), 32);
  header.bytes.writeBigUInt64LE(BigInt(controlBytes), CONTROL_LENGTH);
}

/** One struct cmsghdr with the descriptors after it: how long it is. */
function writeControl(descriptors: readonly number[]): number {
  if (descriptors.length === 0) return 0;
  const length = CONTROL_HEADER_BYTES + descriptors.length * 4;
  control.bytes.writeBigUInt64LE(BigInt(length), 0);
  control.bytes.writeInt32LE(SOL_SOCKET, 8);
  control.bytes.writeInt32LE(SCM_RIGHTS, 12);
  for (let index = 0; index < descriptors.length; index++)
    control.bytes.writeInt32LE(descriptors[index]!, CONTROL_HEADER_BYTES + index * 4);
  return aligned(length);
}

/** Every descriptor in every control message: what is not looked at would stay open. */
function readControl(controlBytes: number): number[] {
  const descriptors: number[] = [];
  for (let at = 0; at + CONTROL_HEADER_BYTES <= controlBytes; ) {
    const length = Number(control.bytes.readBigUInt64LE(at));
    if (length < CONTROL_HEADER_BYTES) break;
    const isRights =
      control.bytes.readInt32LE(at + 8) === SOL_SOCKET && control.bytes.readInt32LE(at + 12) === SCM_RIGHTS;
    for (let each = at + CONTROL_HEADER_BYTES; isRights && each + 4 <= Math.min(at + length, controlBytes); each += 4)
      descriptors.push(control.bytes.readInt32LE(each));
    at += aligned(length);
  }
  return descriptors;
}

function aligned(length: number): number {
  return (length + 7) & ~7;
}

const CONTROL_LENGTH = 40;
const MESSAGE_FLAGS = 48;
const CONTROL_HEADER_BYTES = 16;
const header = new NativeBuffer(56);
const iovec = new NativeBuffer(16);
// Room for more than the kernel sends, so that a truncated one always means that descriptors ran out.
const control = new NativeBuffer(2048);
const optionScratch = new NativeBuffer(16);
const lengthScratch = new NativeBuffer(4);

const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOCKET_TYPES = { stream: 1 | SOCK_NONBLOCK | SOCK_CLOEXEC, seqpacket: 5 | SOCK_NONBLOCK | SOCK_CLOEXEC } as const;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_TRUNC = 0x20;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;

const sysSocket = declare('int', 'socket', ['int', 'int', 'int']) as (
  family: number,
  type: number,
  protocol: number,
) => number;
const sysSocketpair = declare('int', 'socketpair', ['int', 'int', 'int', 'uint64_t']) as (
  ...values: [number, number, number, number]
) => number;
const sysSendmsg = declare('long', 'sendmsg', ['int', 'uint64_t', 'int']) as MessageCall;
const sysRecvmsg = declare('long', 'recvmsg', ['int', 'uint64_t', 'int']) as MessageCall;
const sysGetsockopt = declare('int', 'getsockopt', ['int', 'int', 'int', 'uint64_t', 'uint64_t']) as (
  ...values: [number, number, number, number, number]
) => number;

type MessageCall = (fd: number, header: number, flags: number) => number;

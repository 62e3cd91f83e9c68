// What a socket is and whose: asked of sockets that another process handed over, before anything is believed about them,
// and of connections to a Unix socket. Every function returns a negated errno when the kernel does not say.

import { declare, outcome } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';

export interface SocketKind {
  /** AF_*: 2 is IPv4, 10 IPv6, 1 Unix. */
  readonly family: number;
  /** SOCK_*: 1 is a stream. */
  readonly type: number;
  /** IPPROTO_*: 6 is TCP, 262 MPTCP. */
  readonly protocol: number;
  readonly isListening: boolean;
}

/** What the socket is; -ENOTSOCK when the descriptor is something else. */
export function socketKind(fd: number): SocketKind | number {
  const family = integerOption(fd, SO_DOMAIN);
  if (family < 0) return family;
  const type = integerOption(fd, SO_TYPE);
  const protocol = integerOption(fd, SO_PROTOCOL);
  const listening = integerOption(fd, SO_ACCEPTCONN);
  return { family, type, protocol, isListening: listening === 1 };
}

/**
 * A descriptor of the process that connected to this Unix socket (Linux 6.5): unlike its number, it never comes to mean
 * another process. -ENOPROTOOPT where the kernel is older, -ESRCH when the process is gone.
 */
export function peerProcess(fd: number): number {
  return integerOption(fd, SO_PEERPIDFD);
}

/** A descriptor of the network namespace the socket was made in. Needs CAP_NET_ADMIN over that namespace. */
export function networkNamespaceOf(fd: number): number {
  return outcome(sysIoctl(fd, SIOCGSKNS, 0));
}

function integerOption(fd: number, option: number): number {
  lengthScratch.bytes.writeUInt32LE(4, 0);
  const result = outcome(sysGetsockopt(fd, SOL_SOCKET, option, valueScratch.address, lengthScratch.address));
  return result < 0 ? result : valueScratch.bytes.readInt32LE(0);
}

const valueScratch = new NativeBuffer(8);
const lengthScratch = new NativeBuffer(8);

const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SO_PROTOCOL = 38;
const SO_DOMAIN = 39;
const SO_PEERPIDFD = 77;
const SIOCGSKNS = 0x894c;

const sysGetsockopt = declare('int', 'getsockopt', ['int', 'int', 'int', 'uint64_t', 'uint64_t']) as (
  fd: number,
  level: number,
  option: number,
  value: number,
  length: number,
) => number;
const sysIoctl = declare('int', 'ioctl', ['int', 'uint64_t', 'uint64_t']) as (
  fd: number,
  request: number,
  argument: number,
) => number;

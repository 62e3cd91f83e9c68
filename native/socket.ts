// Sockets: thin functions over the system calls. Each returns 0 or more, or an errno negated, and throws never. All
// sockets are non-blocking and closed on exec.

import type { Address } from '../config/address.ts';
import { declare, outcome } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';
import { AddressFamily, decodeSocketAddress, encodeSocketAddress, MAX_SOCKET_ADDRESS_BYTES } from './socket-address.ts';

/** A stream socket for addresses of `family` (`addressFamily`): its descriptor. */
export function createSocket(family: number): number {
  return outcome(sysSocket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

export function bind(fd: number, address: Address): number {
  const length = encodeSocketAddress(address, addressScratch);
  return length < 0 ? length : outcome(sysBind(fd, addressScratch.address, length));
}

export function listen(fd: number, backlog: number): number {
  return outcome(sysListen(fd, backlog));
}

/** The descriptor of the next connection, -EAGAIN when there is none. Who it is comes from `remoteAddress` when asked. */
export function accept(fd: number): number {
  return outcome(sysAccept4(fd, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

/** Begins to connect: -EINPROGRESS when the outcome comes later as writability and `socketError`. */
export function connect(fd: number, address: Address): number {
  const length = encodeSocketAddress(address, addressScratch);
  return length < 0 ? length : outcome(sysConnect(fd, addressScratch.address, length));
}

/** Bytes read into `buffer` at `offset`; 0 at the end of the stream, -EAGAIN when there are none. */
export function receive(fd: number, buffer: NativeBuffer, offset: number, length: number): number {
  return outcome(sysRecv(fd, buffer.address + offset, length, 0));
}

/** As `receive`, and leaves the bytes where they are. */
export function peek(fd: number, buffer: NativeBuffer, offset: number, length: number): number {
  return outcome(sysRecv(fd, buffer.address + offset, length, MSG_PEEK));
}

/** How many bytes of `buffer` from `offset` the kernel took; -EAGAIN when it took none. Never raises SIGPIPE. */
export function send(fd: number, buffer: NativeBuffer, offset: number, length: number): number {
  return outcome(sysSend(fd, buffer.address + offset, length, MSG_NOSIGNAL));
}

/** Sends FIN after what was sent. */
export function shutdownWrite(fd: number): number {
  return outcome(sysShutdown(fd, SHUT_WR));
}

/** Nothing more comes in or goes out; what has come can still be received. */
export function shutdownBoth(fd: number): number {
  return outcome(sysShutdown(fd, SHUT_RDWR));
}

/** Whoever owns the descriptor calls this once: the kernel gives the number to the next socket at once. */
export function close(fd: number): number {
  return outcome(sysClose(fd));
}

/** A second descriptor for the same socket. It stays in every epoll set of the first one until removed there. */
export function duplicate(fd: number): number {
  return outcome(sysFcntl(fd, F_DUPFD_CLOEXEC, 0));
}

/** The pending error of a socket as a positive errno, 0 when there is none; reading clears it. Negative: a failed call. */
export function socketError(fd: number): number {
  return getIntegerOption(fd, SOL_SOCKET, SO_ERROR);
}

/** Bytes that can be read now. */
export function readableBytes(fd: number): number {
  const result = outcome(sysIoctl(fd, FIONREAD, optionScratch.address));
  return result < 0 ? result : optionScratch.bytes.readInt32LE(0);
}

/** The address this socket is bound to; undefined when it has none or is not a socket. */
export function localAddress(fd: number, unmapIpv4 = false): Address | undefined {
  lengthScratch.bytes.writeUInt32LE(MAX_SOCKET_ADDRESS_BYTES, 0);
  if (sysGetsockname(fd, addressScratch.address, lengthScratch.address) < 0) return undefined;
  return decodeSocketAddress(addressScratch, lengthScratch.bytes.readUInt32LE(0), unmapIpv4);
}

/** The peer's address; undefined for unnamed Unix peers and when not connected. */
export function remoteAddress(fd: number, unmapIpv4 = false): Address | undefined {
  lengthScratch.bytes.writeUInt32LE(MAX_SOCKET_ADDRESS_BYTES, 0);
  if (sysGetpeername(fd, addressScratch.address, lengthScratch.address) < 0) return undefined;
  return decodeSocketAddress(addressScratch, lengthScratch.bytes.readUInt32LE(0), unmapIpv4);
}

/**
 * Where the peer meant to connect before iptables REDIRECT (or our sockops program) turned it here; undefined when the
 * connection was not redirected. IPv4 is asked first, as Envoy does: an IPv6 socket can carry an IPv4 connection.
 */
export function originalDestination(fd: number): Address | undefined {
  return originalDestinationAt(fd, SOL_IP, 16) ?? originalDestinationAt(fd, SOL_IPV6, 28);
}

function originalDestinationAt(fd: number, level: number, length: number): Address | undefined {
  lengthScratch.bytes.writeUInt32LE(length, 0);
  const result = sysGetsockopt(fd, level, SO_ORIGINAL_DST, addressScratch.address, lengthScratch.address);
  return result < 0 ? undefined : decodeSocketAddress(addressScratch, length);
}

export function setNoDelay(fd: number, enabled: boolean): number {
  return setIntegerOption(fd, IPPROTO_TCP, TCP_NODELAY, enabled ? 1 : 0);
}

export function isNoDelay(fd: number): boolean {
  return getIntegerOption(fd, IPPROTO_TCP, TCP_NODELAY) === 1;
}

export function setReuseAddress(fd: number): number {
  return setIntegerOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

export function setReusePort(fd: number): number {
  return setIntegerOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

/** Whether an IPv6 socket refuses IPv4 peers. */
export function setIpv6Only(fd: number, enabled: boolean): number {
  return setIntegerOption(fd, SOL_IPV6, IPV6_V6ONLY, enabled ? 1 : 0);
}

/** Allows addresses that are not this machine's, in both directions (TPROXY). Needs CAP_NET_ADMIN. */
export function setTransparent(fd: number, family: number): number {
  return family === AddressFamily.ipv6
    ? setIntegerOption(fd, SOL_IPV6, IPV6_TRANSPARENT, 1)
    : setIntegerOption(fd, SOL_IP, IP_TRANSPARENT, 1);
}

/** Allows binding to an address that is not (yet) this machine's. */
export function setFreebind(fd: number, family: number): number {
  return family === AddressFamily.ipv6
    ? setIntegerOption(fd, SOL_IPV6, IPV6_FREEBIND, 1)
    : setIntegerOption(fd, SOL_IP, IP_FREEBIND, 1);
}

/** Leaves the choice of a port to connect, so that connections to different peers can share one (ip(7)). */
export function setBindAddressNoPort(fd: number): number {
  return setIntegerOption(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
}

/** Marks what this socket sends, for routing rules and for redirection to let it pass. Needs CAP_NET_ADMIN. */
export function setMark(fd: number, mark: number): number {
  return setIntegerOption(fd, SOL_SOCKET, SO_MARK, mark);
}

/** Size of the kernel's receive buffer; the kernel doubles it for its own book-keeping (socket(7)). */
export function setReceiveBuffer(fd: number, bytes: number): number {
  return setIntegerOption(fd, SOL_SOCKET, SO_RCVBUF, bytes);
}

/** Size of the kernel's send buffer; doubled likewise. */
export function setSendBuffer(fd: number, bytes: number): number {
  return setIntegerOption(fd, SOL_SOCKET, SO_SNDBUF, bytes);
}

/** With 0, close sends RST and drops what is unsent; a positive number lets the kernel go on for that many seconds. */
export function setLinger(fd: number, seconds: number): number {
  optionScratch.bytes.writeInt32LE(1, 0);
  optionScratch.bytes.writeInt32LE(seconds, 4);
  return outcome(sysSetsockopt(fd, SOL_SOCKET, SO_LINGER, optionScratch.address, 8));
}

/** Takes back what `setLinger` set, here or elsewhere: close does not wait for what is unsent, which is sent all the same. */
export function unsetLinger(fd: number): number {
  optionScratch.bytes.fill(0, 0, 8);
  return outcome(sysSetsockopt(fd, SOL_SOCKET, SO_LINGER, optionScratch.address, 8));
}

/** Probes of an idle connection; what is undefined stays as the machine is set. */
export interface KeepAliveProbes {
  readonly probes?: number | undefined;
  readonly timeSeconds?: number | undefined;
  readonly intervalSeconds?: number | undefined;
}

export function setKeepAlive(fd: number, keepAlive: KeepAliveProbes): number {
  const { probes, timeSeconds, intervalSeconds } = keepAlive;
  let result = setIntegerOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  if (result >= 0 && probes !== undefined) result = setIntegerOption(fd, IPPROTO_TCP, TCP_KEEPCNT, probes);
  if (result >= 0 && timeSeconds !== undefined) result = setIntegerOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, timeSeconds);
  if (result >= 0 && intervalSeconds !== undefined)
    result = setIntegerOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, intervalSeconds);
  return result;
}

function setIntegerOption(fd: number, level: number, option: number, value: number): number {
  optionScratch.bytes.writeUInt32LE(value >>> 0, 0);
  return outcome(sysSetsockopt(fd, level, option, optionScratch.address, 4));
}

/** The option's value, 0 or more; a negated errno when the call failed. */
function getIntegerOption(fd: number, level: number, option: number): number {
  lengthScratch.bytes.writeUInt32LE(4, 0);
  const result = outcome(sysGetsockopt(fd, level, option, optionScratch.address, lengthScratch.address));
  return result < 0 ? result : optionScratch.bytes.readInt32LE(0);
}

// Arguments of one call at a time: the calls are synchronous, so every socket of a thread can share them.
const addressScratch = new NativeBuffer(128);
const lengthScratch = new NativeBuffer(8);
const optionScratch = new NativeBuffer(16);

const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_PEEK = 0x2;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;
const SHUT_RDWR = 2;
const F_DUPFD_CLOEXEC = 1030;
const FIONREAD = 0x541b;

const SOL_IP = 0;
const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;
const SOL_IPV6 = 41;

const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_KEEPALIVE = 9;
const SO_LINGER = 13;
const SO_REUSEPORT = 15;
const SO_MARK = 36;
const SO_ORIGINAL_DST = 80; // the same number on both levels (IP6T_SO_ORIGINAL_DST)
const TCP_NODELAY = 1;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const IP_FREEBIND = 15;
const IP_TRANSPARENT = 19;
const IP_BIND_ADDRESS_NO_PORT = 24;
const IPV6_V6ONLY = 26;
const IPV6_TRANSPARENT = 75;
const IPV6_FREEBIND = 78;

type Call<Parameters extends number[]> = (...values: Parameters) => number;
const sysSocket = declare('int', 'socket', ['int', 'int', 'int']) as Call<[number, number, number]>;
const sysBind = declare('int', 'bind', ['int', 'uint64_t', 'uint']) as Call<[number, number, number]>;
const sysListen = declare('int', 'listen', ['int', 'int']) as Call<[number, number]>;
const sysAccept4 = declare('int', 'accept4', ['int', 'uint64_t', 'uint64_t', 'int']) as Call<
  [number, number, number, number]
>;
const sysConnect = declare('int', 'connect', ['int', 'uint64_t', 'uint']) as Call<[number, number, number]>;
const sysRecv = declare('long', 'recv', ['int', 'uint64_t', 'size_t', 'int']) as Call<[number, number, number, number]>;
const sysSend = declare('long', 'send', ['int', 'uint64_t', 'size_t', 'int']) as Call<[number, number, number, number]>;
const sysShutdown = declare('int', 'shutdown', ['int', 'int']) as Call<[number, number]>;
const sysClose = declare('int', 'close', ['int']) as Call<[number]>;
const sysFcntl = declare('int', 'fcntl', ['int', 'int', 'long']) as Call<[number, number, number]>;
const sysIoctl = declare('int', 'ioctl', ['int', 'uint64_t', 'uint64_t']) as Call<[number, number, number]>;
const sysGetsockname = declare('int', 'getsockname', ['int', 'uint64_t', 'uint64_t']) as Call<[number, number, number]>;
const sysGetpeername = declare('int', 'getpeername', ['int', 'uint64_t', 'uint64_t']) as Call<[number, number, number]>;
const sysGetsockopt = declare('int', 'getsockopt', ['int', 'int', 'int', 'uint64_t', 'uint64_t']) as Call<
  [number, number, number, number, number]
>;
const sysSetsockopt = declare('int', 'setsockopt', ['int', 'int', 'int', 'uint64_t', 'uint']) as Call<
  [number, number, number, number, number]
>;

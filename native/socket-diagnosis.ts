// What the kernel tells of any TCP socket of this network namespace, whoever has it (sock_diag(7)); no privilege is needed.

import { Errno } from './errno.ts';
import { declare, outcome } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';
import { receive, send } from './socket.ts';

/** A connection as one end has it. Addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d. */
export interface ConnectionName {
  readonly localIp: Uint8Array;
  readonly remoteIp: Uint8Array;
  readonly localPort: number;
  readonly remotePort: number;
}

export class SocketDiagnosis {
  readonly #fd: number;
  readonly #message = new NativeBuffer(MESSAGE_BYTES);

  /** Undefined where the kernel has no such interface, or the process no descriptors left. It is kept as long as the process. */
  static open(): SocketDiagnosis | undefined {
    const fd = outcome(sysSocket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
    return fd < 0 ? undefined : new SocketDiagnosis(fd);
  }

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * How many bytes have come by TCP for the socket that is called so and were not read. -ENOENT without such a socket, or
   * another negated errno.
   */
  unreadBytes(name: ConnectionName): number {
    this.#writeRequest(name);
    const sent = send(this.#fd, this.#message, 0, REQUEST_BYTES);
    if (sent < 0) return sent;
    // The kernel answers within the call that asks.
    const length = receive(this.#fd, this.#message, 0, MESSAGE_BYTES);
    if (length < 0) return length;
    const { bytes } = this.#message;
    const type = bytes.readUInt16LE(4);
    if (type === NLMSG_ERROR) return bytes.readInt32LE(HEADER_BYTES);
    return type === SOCK_DIAG_BY_FAMILY ? bytes.readUInt32LE(UNREAD_BYTES) : -Errno.EINVAL;
  }

  /** struct nlmsghdr and struct inet_diag_req_v2. */
  #writeRequest({ localIp, remoteIp, localPort, remotePort }: ConnectionName): void {
    const { bytes } = this.#message;
    bytes.fill(0, 0, REQUEST_BYTES);
    bytes.writeUInt32LE(REQUEST_BYTES, 0);
    bytes.writeUInt16LE(SOCK_DIAG_BY_FAMILY, 4);
    bytes.writeUInt16LE(NLM_F_REQUEST, 6);
    bytes.writeUInt8(AF_INET6, 16);
    bytes.writeUInt8(IPPROTO_TCP, 17);
    bytes.writeUInt32LE(0xffffffff, 20);
    bytes.writeUInt16BE(localPort, 24);
    bytes.writeUInt16BE(remotePort, 26);
    bytes.set(localIp, 28);
    bytes.set(remoteIp, 44);
    // Whatever cookie it has.
    bytes.fill(0xff, 64, 72);
  }
}

const AF_INET6 = 10;
const AF_NETLINK = 16;
const IPPROTO_TCP = 6;
const NETLINK_SOCK_DIAG = 4;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST = 1;
const NLMSG_ERROR = 2;
const HEADER_BYTES = 16;
const REQUEST_BYTES = HEADER_BYTES + 56;
/** idiag_rqueue of struct inet_diag_msg: for a connection what was received and not read. */
const UNREAD_BYTES = HEADER_BYTES + 56;
const MESSAGE_BYTES = 1024;

const sysSocket = declare('int', 'socket', ['int', 'int', 'int']) as (...values: [number, number, number]) => number;

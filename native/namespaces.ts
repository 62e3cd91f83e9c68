// Network namespaces: entering one, and the number by which BPF programs know it.

import { declare, outcome } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';

/**
 * Moves the calling thread, and it alone, into the namespace that `fd` stands for (setns(2)); the way back is a descriptor
 * of the old one. Sockets made from then on are there; what runs on Node's other threads, such as looking up names, is
 * not. 0 or a negated errno: -EINVAL when `fd` is no network namespace, -EPERM without CAP_SYS_ADMIN.
 */
export function enterNetworkNamespace(fd: number): number {
  return outcome(sysSetns(fd, CLONE_NEWNET));
}

/** The cookie of a socket's namespace, what bpf_get_netns_cookie returns; a negated errno before Linux 5.14. */
export function networkNamespaceCookie(socketFd: number): bigint | number {
  lengthScratch.bytes.writeUInt32LE(8);
  const result = outcome(sysGetsockopt(socketFd, SOL_SOCKET, SO_NETNS_COOKIE, cookie.address, lengthScratch.address));
  return result < 0 ? result : cookie.bytes.readBigUInt64LE();
}

const cookie = new NativeBuffer(8);
const lengthScratch = new NativeBuffer(4);

const CLONE_NEWNET = 0x4000_0000;
const SOL_SOCKET = 1;
const SO_NETNS_COOKIE = 71;

const sysSetns = declare('int', 'setns', ['int', 'int']) as (fd: number, kind: number) => number;
const sysGetsockopt = declare('int', 'getsockopt', ['int', 'int', 'int', 'uint64_t', 'uint64_t']) as (
  ...values: [number, number, number, number, number]
) => number;

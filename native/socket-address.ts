// Socket addresses as the kernel lays them out (sockaddr_in, sockaddr_in6, sockaddr_un: ip(7), ipv6(7), unix(7)), to and
// from our `Address`. An IPv4-mapped IPv6 address (`::ffff:1.2.3.4`) stays IPv6 unless the caller asks otherwise: it is
// what a dual-stack listening socket reports for IPv4 peers, and only the caller knows that it listens so.

import type { Address, IpAddress } from '../config/address.ts';
import { Errno } from './errno.ts';
import type { NativeBuffer } from './native-buffer.ts';

export const AddressFamily = { unix: 1, ipv4: 2, ipv6: 10 } as const;

/** The largest of the three layouts (sockaddr_un), and what a buffer for any address needs. */
export const MAX_SOCKET_ADDRESS_BYTES = 110;

/** The family of the socket that can be bound or connected to `address`. */
export function addressFamily(address: Address): number {
  if (address.kind === 'pipe') return AddressFamily.unix;
  return address.ip.includes(':') ? AddressFamily.ipv6 : AddressFamily.ipv4;
}

/**
 * Writes `address` to the beginning of `buffer` (at least `MAX_SOCKET_ADDRESS_BYTES`) and returns its length in bytes; or
 * -EINVAL for what is no literal IP address or port, -ENAMETOOLONG for a path that does not fit.
 */
export function encodeSocketAddress(address: Address, buffer: NativeBuffer): number {
  const { bytes } = buffer;
  if (address.kind === 'pipe') return encodePath(address.path, bytes);
  const { ip, port } = address;
  if (!Number.isInteger(port) || port < 0 || port > 65535) return -Errno.EINVAL;
  return ip.includes(':') ? encodeIpv6(ip, port, bytes) : encodeIpv4(ip, port, bytes);
}

/** What `length` bytes of `buffer` say; undefined for an unnamed Unix socket and for any other family. */
export function decodeSocketAddress(buffer: NativeBuffer, length: number, unmapIpv4 = false): Address | undefined {
  const { bytes } = buffer;
  if (length < 2) return undefined;
  switch (bytes.readUInt16LE(0)) {
    case AddressFamily.ipv4:
      return { kind: 'ip', ip: formatIpv4(bytes, 4), port: bytes.readUInt16BE(2) };
    case AddressFamily.ipv6:
      return decodeIpv6(bytes, unmapIpv4);
    case AddressFamily.unix:
      return decodePath(bytes, length);
    default:
      return undefined;
  }
}

/** The canonical text of 4 or 16 bytes. An IPv4-mapped address stays as it is. */
export function formatIp(bytes: Buffer): string {
  if (bytes.length === 4) return formatIpv4(bytes, 0);
  const isMapped = bytes.readUInt32BE(0) === 0 && bytes.readUInt32BE(4) === 0 && bytes.readUInt32BE(8) === 0xffff;
  return isMapped ? `::ffff:${formatIpv4(bytes, 12)}` : formatIpv6(bytes, 0);
}

function encodeIpv4(ip: string, port: number, bytes: Buffer): number {
  if (!parseIpv4(ip, bytes, 4)) return -Errno.EINVAL;
  bytes.writeUInt16LE(AddressFamily.ipv4, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.fill(0, 8, 16);
  return 16;
}

function parseIpv4(ip: string, bytes: Buffer, at: number): boolean {
  const parts = ip.split('.');
  if (parts.length !== 4) return false;
  for (const [index, part] of parts.entries()) {
    // A leading zero is refused: some readers take it for octal.
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return false;
    bytes[at + index] = Number(part);
  }
  return true;
}

function formatIpv4(bytes: Buffer, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

function encodeIpv6(ip: string, port: number, bytes: Buffer): number {
  bytes.fill(0, 0, 28);
  if (!parseIpv6(ip, bytes, 8)) return -Errno.EINVAL;
  bytes.writeUInt16LE(AddressFamily.ipv6, 0);
  bytes.writeUInt16BE(port, 2);
  return 28;
}

/** RFC 4291 section 2.2: groups of hex, one `::`, and dotted IPv4 at the end. `bytes` are zero where `::` stands. */
function parseIpv6(ip: string, bytes: Buffer, at: number): boolean {
  const halves = ip.split('::');
  if (halves.length > 2) return false;
  const front = groupsOf(halves[0]!);
  const back = groupsOf(halves[1] ?? '');
  if (front === undefined || back === undefined) return false;
  const length = front.length + back.length;
  if (halves.length === 2 ? length > 14 : length !== 16) return false;
  bytes.set(front, at);
  bytes.set(back, at + 16 - back.length);
  return true;
}

/** The bytes of one side of `::`. */
function groupsOf(text: string): number[] | undefined {
  if (text === '') return [];
  const groups = text.split(':');
  const bytes: number[] = [];
  for (const [index, group] of groups.entries()) {
    if (index === groups.length - 1 && group.includes('.')) {
      const dotted = Buffer.alloc(4);
      if (!parseIpv4(group, dotted, 0)) return undefined;
      bytes.push(...dotted);
      continue;
    }
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
    const value = Number.parseInt(group, 16);
    bytes.push(value >> 8, value & 0xff);
  }
  return bytes;
}

function decodeIpv6(bytes: Buffer, unmapIpv4: boolean): IpAddress {
  const port = bytes.readUInt16BE(2);
  const isMapped = bytes.readUInt32BE(8) === 0 && bytes.readUInt32BE(12) === 0 && bytes.readUInt32BE(16) === 0xffff;
  if (!isMapped) return { kind: 'ip', ip: formatIpv6(bytes, 8), port };
  const dotted = formatIpv4(bytes, 20);
  return { kind: 'ip', ip: unmapIpv4 ? dotted : `::ffff:${dotted}`, port };
}

/** The canonical text of RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups as `::`. */
function formatIpv6(bytes: Buffer, at: number): string {
  const groups: number[] = [];
  for (let index = 0; index < 8; index++) groups.push(bytes.readUInt16BE(at + index * 2));
  let runStart = 0;
  let runLength = 0;
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > runLength) {
      runStart = start;
      runLength = end - start;
    }
  }
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return runLength < 2 ? text(0, 8) : `${text(0, runStart)}::${text(runStart + runLength, 8)}`;
}

/** A path ends with a zero byte; a name of the abstract namespace begins with one, and its length ends it. */
function encodePath(path: string, bytes: Buffer): number {
  const isAbstract = path.startsWith('@');
  if (path === '' || path.includes('\0')) return -Errno.EINVAL;
  const pathBytes = Buffer.byteLength(path);
  if (pathBytes > (isAbstract ? 108 : 107)) return -Errno.ENAMETOOLONG;
  bytes.writeUInt16LE(AddressFamily.unix, 0);
  bytes.write(path, 2);
  if (isAbstract) bytes[2] = 0;
  else bytes[2 + pathBytes] = 0;
  return 2 + pathBytes + (isAbstract ? 0 : 1);
}

function decodePath(bytes: Buffer, length: number): Address | undefined {
  if (length === 2) return undefined;
  if (bytes[2] === 0) return { kind: 'pipe', path: `@${bytes.toString('utf8', 3, length)}` };
  const zero = bytes.indexOf(0, 2);
  return { kind: 'pipe', path: bytes.toString('utf8', 2, zero === -1 || zero > length ? length : zero) };
}

// Reads the header of the PROXY protocol, version 1 (text) and 2 (binary), which a load balancer puts before the bytes of a
// connection to tell whose it is. https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt
//
// What it says is believed like the address of a peer, so one form is accepted for one meaning: whatever two readers could
// understand in two ways is refused.

import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import type { IpAddress } from '../../config/address.ts';

export interface ProxyHeader {
  readonly version: 1 | 2;
  /** Bytes of the header, additions included. */
  readonly length: number;
  /** Whose connection it is; null when the header says that it is the load balancer's own, or of an unknown kind. */
  readonly addresses: { readonly source: IpAddress; readonly destination: IpAddress } | null;
}

export type ProxyHeaderOutcome =
  | ProxyHeader
  /** What is there may be the beginning of one. */
  | 'incomplete'
  /** It doesn't begin as a header does. */
  | 'absent'
  /** It begins as a header of this version does, and breaks its rules. */
  | { readonly invalid: 1 | 2 };

/** `bytes[0, end)` is everything that was received so far. */
export function readProxyHeader(bytes: Buffer, end: number): ProxyHeaderOutcome {
  if (beginsAs(signature2, bytes, end)) {
    return end < signature2.length ? 'incomplete' : readVersion2(bytes, end);
  }
  if (!beginsAs(signature1, bytes, end)) return 'absent';
  return end < signature1.length ? 'incomplete' : readVersion1(bytes, end);
}

function beginsAs(signature: Buffer, bytes: Buffer, end: number): boolean {
  const length = Math.min(signature.length, end);
  return bytes.compare(signature, 0, length, 0, length) === 0;
}

/** Section 2.1: `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n`, in 107 bytes at most. */
function readVersion1(bytes: Buffer, end: number): ProxyHeaderOutcome {
  const lineEnd = bytes.subarray(0, Math.min(end, MAX_LINE_BYTES)).indexOf('\r\n');
  if (lineEnd < 0) return end < MAX_LINE_BYTES ? 'incomplete' : { invalid: 1 };
  const length = lineEnd + 2;
  const [, family, ...words] = bytes.latin1Slice(0, lineEnd).split(' ');
  // Whatever follows is to be ignored.
  if (family === 'UNKNOWN') return { version: 1, length, addresses: null };
  if ((family !== 'TCP4' && family !== 'TCP6') || words.length !== 4) return { invalid: 1 };
  const isOfFamily = family === 'TCP4' ? isIPv4 : isIPv6;
  const [source, destination, sourcePort, destinationPort] = words as [string, string, string, string];
  const areAddresses = isOfFamily(source) && isOfFamily(destination);
  if (!areAddresses || !isPort(sourcePort) || !isPort(destinationPort)) return { invalid: 1 };
  if (source.includes('%') || destination.includes('%')) return { invalid: 1 };
  const addresses = { source: address(source, sourcePort), destination: address(destination, destinationPort) };
  return { version: 1, length, addresses };
}

function isPort(text: string): boolean {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

/** In the one form that addresses have here: an IPv6 address that stands for one of IPv4 is that (RFC 4291 2.5.5.2). */
function address(text: string, port: number | string): IpAddress {
  if (isIPv4(text)) return { kind: 'ip', ip: text, port: Number(port) };
  const { address: shortest } = new SocketAddress({ address: text, family: 'ipv6' });
  const mapped = shortest.startsWith('::ffff:') ? shortest.slice('::ffff:'.length) : '';
  return { kind: 'ip', ip: isIPv4(mapped) ? mapped : shortest, port: Number(port) };
}

/** Section 2.2: the signature, version and command, family and transport, the length of what follows. */
function readVersion2(bytes: Buffer, end: number): ProxyHeaderOutcome {
  const version = bytes[VERSION_AT];
  if (version !== undefined && end > VERSION_AT && version !== LOCAL && version !== PROXY) return { invalid: 2 };
  if (end < FIXED_BYTES) return 'incomplete';
  const restBytes = bytes.readUInt16BE(FIXED_BYTES - 2);
  const length = FIXED_BYTES + restBytes;
  if (length > MAX_HEADER_BYTES) return { invalid: 2 };
  const family = bytes[FAMILY_AT];
  // The load balancer's own connection, such as a health check: whatever follows is to be ignored.
  if (version === LOCAL) return end < length ? 'incomplete' : { version: 2, length, addresses: null };
  const addressBytes = family === TCP4 ? 4 : family === TCP6 ? 16 : 0;
  if (addressBytes === 0 || restBytes < 2 * addressBytes + 4) return { invalid: 2 };
  if (end < length) return 'incomplete';
  const portsAt = FIXED_BYTES + 2 * addressBytes;
  const addresses = {
    source: address(textOf(bytes, FIXED_BYTES, addressBytes), bytes.readUInt16BE(portsAt)),
    destination: address(textOf(bytes, FIXED_BYTES + addressBytes, addressBytes), bytes.readUInt16BE(portsAt + 2)),
  };
  if (!areAdditions(bytes, portsAt + 4, length)) return { invalid: 2 };
  return { version: 2, length, addresses };
}

function textOf(bytes: Buffer, at: number, count: number): string {
  if (count === 4) return bytes.subarray(at, at + 4).join('.');
  const groups: string[] = [];
  for (let group = at; group < at + count; group += 2) groups.push(bytes.readUInt16BE(group).toString(16));
  return groups.join(':');
}

/** Whether types, lengths and values (section 2.2.1) fill what is left to the byte. */
function areAdditions(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at + ADDITION_BYTES <= end) at += ADDITION_BYTES + bytes.readUInt16BE(at + 1);
  return at === end;
}

const signature1 = Buffer.from('PROXY ', 'latin1');
const signature2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** Section 2.1, the longest line there can be. */
const MAX_LINE_BYTES = 107;
const FIXED_BYTES = 16;
/** Certificates and the like may be added; no load balancer adds more. */
const MAX_HEADER_BYTES = 16 * 1024;
const ADDITION_BYTES = 3;
const VERSION_AT = 12;
const FAMILY_AT = 13;
/** Version 2 with a command. */
const LOCAL = 0x20;
const PROXY = 0x21;
/** A family with streams as its transport. */
const TCP4 = 0x11;
const TCP6 = 0x21;

// Addresses as the programs compare them: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d, since an IPv6 socket may
// carry an IPv4 connection and then asks for it in that form (RFC 4291 section 2.5.5.2).

import { isIPv4, isIPv6 } from 'node:net';
import type { CidrRange } from '../../config/address.ts';

/** How many bits come before an IPv4 address. */
export const MAPPED_PREFIX_LENGTH = 96;

/** The 16 bytes of a literal address; undefined for anything else, a zone (`%eth0`) included. */
export function addressBytes(ip: string): Uint8Array | undefined {
  if (isIPv4(ip)) return Uint8Array.from([...mappedPrefix, ...ip.split('.').map(Number)]);
  if (!isIPv6(ip) || ip.includes('%')) return undefined;
  const [front, back] = ip.split('::').map(groupBytes);
  return Uint8Array.from([...front!, ...new Array(16 - front!.length - (back?.length ?? 0)).fill(0), ...(back ?? [])]);
}

/**
 * `10.0.0.0/8`, `fd00::/8`, or an address alone, which is a range of one. Bits below the prefix are cleared, and a range of
 * mapped addresses becomes the IPv4 range it stands for, so that a range has one form. Undefined for anything else.
 */
export function parseCidr(text: string): CidrRange | undefined {
  const [ip, length, ...rest] = text.split('/');
  const bytes = addressBytes(ip!);
  if (bytes === undefined || rest.length > 0) return undefined;
  const isV4 = isIPv4(ip!);
  const longest = isV4 ? 32 : 128;
  if (length !== undefined && !/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const prefixLength = length === undefined ? longest : Number(length);
  if (prefixLength > longest) return undefined;
  const mappedLength = isV4 ? prefixLength + MAPPED_PREFIX_LENGTH : prefixLength;
  return rangeOf(bytes, mappedLength);
}

/** The range of the first `bits` of 16 bytes, in the form that `parseCidr` gives. */
export function rangeOf(address: Uint8Array, bits: number): CidrRange {
  const bytes = clearedBelow(address, bits);
  const isMapped = bits >= MAPPED_PREFIX_LENGTH && mappedPrefix.every((byte, index) => byte === bytes[index]);
  if (isMapped) return { ip: bytes.subarray(12).join('.'), prefixLength: bits - MAPPED_PREFIX_LENGTH };
  const groups = Array.from({ length: 8 }, (_, index) => (bytes[index * 2]! << 8) | bytes[index * 2 + 1]!);
  // The canonical form, as the rest of the process writes it (RFC 5952).
  const canonical = new URL(`http://[${groups.map((group) => group.toString(16)).join(':')}]/`).hostname.slice(1, -1);
  return { ip: canonical, prefixLength: bits };
}

/** The bytes a range begins with, and how many bits of them count. */
export function cidrBits({ ip, prefixLength }: CidrRange): { readonly bytes: Uint8Array; readonly bits: number } {
  const bits = isIPv4(ip) ? prefixLength + MAPPED_PREFIX_LENGTH : prefixLength;
  return { bytes: clearedBelow(addressBytes(ip)!, bits), bits };
}

/** Whether the range, as bits, holds IPv4 addresses in their mapped form beside IPv6 ones. */
export function holdsMapped(range: CidrRange): boolean {
  const { bytes, bits } = cidrBits(range);
  return (
    bits < MAPPED_PREFIX_LENGTH &&
    clearedBelow(addressBytes('0.0.0.0')!, bits).every((byte, index) => byte === bytes[index])
  );
}

/** Whether every address of `inner` is in `outer`. An IPv6 range has mapped addresses only when it says so: `::/0` has none. */
export function covers(outer: CidrRange, inner: CidrRange): boolean {
  if (isIPv4(outer.ip) !== isIPv4(inner.ip)) return false;
  const { bytes, bits } = cidrBits(outer);
  const other = cidrBits(inner);
  return bits <= other.bits && clearedBelow(other.bytes, bits).every((byte, index) => byte === bytes[index]);
}

const mappedPrefix = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** The bytes of one side of `::`; the whole was found valid. */
function groupBytes(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function clearedBelow(bytes: Uint8Array, bits: number): Uint8Array {
  return bytes.map((byte, index) => byte & (0xff00 >> Math.min(Math.max(bits - index * 8, 0), 8)));
}

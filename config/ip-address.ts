// IP addresses as numbers, so that a range is a shift and a comparison.

import { isIPv4, isIPv6 } from 'node:net';

/**
 * 32 bits of an IPv4 address as a number, 128 bits of an IPv6 address as a bigint. An IPv4-mapped address
 * (`::ffff:1.2.3.4`, RFC 4291 §2.5.5.2) is the IPv4 address: that is how a dual-stack socket shows IPv4 peers.
 */
export type IpAddressBits = number | bigint;

/** Null for anything but a literal address; zones (`fe80::1%eth0`) are no part of an address. */
export function parseIpAddress(text: string): IpAddressBits | null {
  if (isIPv4(text)) return parseIpv4(text);
  if (!isIPv6(text) || text.includes('%')) return null;
  const bits = parseIpv6(text);
  return bits >> 32n === mappedPrefix ? Number(bits & 0xffff_ffffn) : bits;
}

/** The first 96 bits of IPv4-mapped addresses. */
export const mappedPrefix = 0xffffn;

/** The bits as written: an IPv4-mapped address stays an IPv6 address. `text` is a valid IPv6 address. */
export function parseIpv6(text: string): bigint {
  const [head = '', tail] = text.split('::');
  const left = parseGroups(head);
  if (tail === undefined) return joinGroups(left);
  const right = parseGroups(tail);
  const zeros = new Array<number>(8 - left.length - right.length).fill(0);
  return joinGroups([...left, ...zeros, ...right]);
}

function parseIpv4(text: string): number {
  let bits = 0;
  for (const part of text.split('.')) bits = bits * 256 + Number(part);
  return bits;
}

function parseGroups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const bits = parseIpv4(group);
    return [Math.floor(bits / 65_536), bits % 65_536];
  });
}

function joinGroups(groups: readonly number[]): bigint {
  return groups.reduce((bits, group) => (bits << 16n) | BigInt(group), 0n);
}

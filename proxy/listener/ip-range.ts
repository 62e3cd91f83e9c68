// Which range an address lies in. Configurations have many ranges but few different prefix lengths (a service mesh
// mostly /32 and /128), so a table for each length that occurs finds the longest in a few look-ups.

import { isIPv6 } from 'node:net';
import type { CidrRange } from '../../config/address.ts';
import { type IpAddressBits, mappedPrefix, parseIpAddress, parseIpv6 } from '../../config/ip-address.ts';

/** Whether an address lies in one of the ranges; text that is no address lies in none. */
export function compileRanges(ranges: readonly CidrRange[]): (ip: string) => boolean {
  const map = new IpRangeMap<true>();
  for (const range of ranges) map.set(range, true);
  // Requests of a connection ask for the same address again and again.
  let lastIp = '';
  let isLastInside = false;
  return (ip) => {
    if (ip === lastIp) return isLastInside;
    const bits = parseIpAddress(ip);
    isLastInside = bits !== null && map.find(bits) !== null;
    lastIp = ip;
    return isLastInside;
  };
}

/** Values by address range; the longest matching prefix wins. */
export class IpRangeMap<T> {
  readonly #ipv4: PrefixTable<T>[] = [];
  readonly #ipv6: PrefixTable<T>[] = [];

  get isEmpty(): boolean {
    return this.#ipv4.length + this.#ipv6.length === 0;
  }

  /** The value of exactly this range, null when there is none. */
  get(range: CidrRange): T | null {
    const { isIpv4, length, prefix } = parseRange(range);
    const tables = isIpv4 ? this.#ipv4 : this.#ipv6;
    return tables.find((table) => table.length === length)?.values.get(prefix) ?? null;
  }

  set(range: CidrRange, value: T): void {
    const { isIpv4, length, prefix } = parseRange(range);
    const tables = isIpv4 ? this.#ipv4 : this.#ipv6;
    let table = tables.find((table) => table.length === length);
    if (table === undefined) {
      table = { length, values: new Map() };
      tables.push(table);
      tables.sort((a, b) => b.length - a.length);
    }
    table.values.set(prefix, value);
  }

  /** The value of the longest range that the address lies in. */
  find(ip: IpAddressBits): T | null {
    const tables = typeof ip === 'number' ? this.#ipv4 : this.#ipv6;
    for (const { length, values } of tables) {
      const value = values.get(prefixOf(ip, length));
      if (value !== undefined) return value;
    }
    return null;
  }
}

/** Ranges of one length, by their prefix. */
interface PrefixTable<T> {
  readonly length: number;
  readonly values: Map<IpAddressBits, T>;
}

function prefixOf(ip: IpAddressBits, length: number): IpAddressBits {
  if (typeof ip === 'bigint') return ip >> BigInt(128 - length);
  // A shift by 32 is a shift by 0.
  return length === 0 ? 0 : ip >>> (32 - length);
}

/** A range of IPv4-mapped addresses is a range of IPv4 addresses; one that is wider than those is IPv6. */
function parseRange({ ip, prefixLength }: CidrRange) {
  if (!isIPv6(ip)) return { isIpv4: true, length: prefixLength, prefix: prefixOf(parseIpAddress(ip)!, prefixLength) };
  const bits = parseIpv6(ip);
  if (bits >> 32n === mappedPrefix && prefixLength >= 96) {
    const length = prefixLength - 96;
    return { isIpv4: true, length, prefix: prefixOf(Number(bits & 0xffff_ffffn), length) };
  }
  return { isIpv4: false, length: prefixLength, prefix: prefixOf(bits, prefixLength) };
}

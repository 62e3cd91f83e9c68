// Included and excluded ranges of addresses as a table in which the longest prefix decides, which is how the kernel looks
// addresses up. Settings mean something else: an exclude wins whatever its length. So each range is written down with what
// all ranges around it say together.

import type { CidrRange } from '../../config/address.ts';
import { addressBytes, covers, holdsMapped, MAPPED_PREFIX_LENGTH, rangeOf } from './address-bytes.ts';

export type AddressVerdict = 'exclude' | 'include';

export interface AddressRule {
  readonly range: CidrRange;
  readonly verdict: AddressVerdict;
}

/** One rule for each range; an address in none of them is in no list. */
export function addressRules(include: readonly CidrRange[], exclude: readonly CidrRange[]): readonly AddressRule[] {
  const ranges = distinct([...include, ...exclude].flatMap(withoutMapped));
  return ranges.map((range) => ({
    range,
    verdict: exclude.some((outer) => covers(outer, range)) ? 'exclude' : 'include',
  }));
}

/**
 * The table has IPv4 in the midst of IPv6, and a range as wide as ::/0 would decide on it. Such a range is written as those
 * that remain of it without the mapped addresses: at each bit the half that does not hold them.
 */
function withoutMapped(range: CidrRange): readonly CidrRange[] {
  if (!holdsMapped(range)) return [range];
  const halves = MAPPED_PREFIX_LENGTH - range.prefixLength;
  return Array.from({ length: halves }, (_, index) => besideMapped(range.prefixLength + index + 1));
}

/** The range of that length whose last bit alone differs from the mapped prefix. */
function besideMapped(prefixLength: number): CidrRange {
  const bytes = addressBytes('0.0.0.0')!;
  bytes[(prefixLength - 1) >> 3]! ^= 0x80 >> ((prefixLength - 1) & 7);
  return rangeOf(bytes, prefixLength);
}

function distinct(ranges: readonly CidrRange[]): CidrRange[] {
  return [...new Map(ranges.map((range) => [`${range.ip}/${range.prefixLength}`, range])).values()];
}

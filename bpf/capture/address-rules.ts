// Included and excluded ranges of addresses as a table in which the longest prefix decides, which is how the kernel looks
// addresses up. Settings mean something else: an exclude wins whatever its length. So each range is written down with what
// all ranges around it say together.

import type { CidrRange } from '../../config/address.ts';
import { covers, holdsMapped, parseCidr } from './address-bytes.ts';

/** `unlisted`: as if the table did not have the address. */
export type AddressVerdict = 'exclude' | 'include' | 'unlisted';

export interface AddressRule {
  readonly range: CidrRange;
  readonly verdict: AddressVerdict;
}

/** One rule for each range; an address in none of them is unlisted. */
export function addressRules(include: readonly CidrRange[], exclude: readonly CidrRange[]): readonly AddressRule[] {
  const ranges = distinct([...include, ...exclude]);
  const verdictOf = (range: CidrRange): AddressVerdict => {
    if (exclude.some((outer) => covers(outer, range))) return 'exclude';
    return include.some((outer) => covers(outer, range)) ? 'include' : 'unlisted';
  };
  // The table has IPv4 in the midst of IPv6: a range as wide as ::/0 would decide on it unless IPv4 has a rule of its own.
  if (ranges.some(holdsMapped)) ranges.push(everyIpv4);
  return distinct(ranges).map((range) => ({ range, verdict: verdictOf(range) }));
}

const everyIpv4 = parseCidr('0.0.0.0/0')!;

function distinct(ranges: readonly CidrRange[]): CidrRange[] {
  return [...new Map(ranges.map((range) => [`${range.ip}/${range.prefixLength}`, range])).values()];
}

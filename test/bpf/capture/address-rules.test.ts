import { BlockList, isIPv4 } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { addressBytes, cidrBits, parseCidr } from '../../../bpf/capture/address-bytes.ts';
import { type AddressRule, type AddressVerdict, addressRules } from '../../../bpf/capture/address-rules.ts';
import type { CidrRange } from '../../../config/address.ts';

type Verdict = AddressVerdict | 'unlisted';

/** As the kernel's trie has it: of the rules whose bits the address begins with, the longest. */
function longestMatch(rules: readonly AddressRule[], ip: string): Verdict {
  const address = bitsOf(addressBytes(ip)!);
  const matching = rules
    .map(({ range, verdict }) => ({ ...cidrBits(range), verdict }))
    .filter(({ bytes, bits }) => bitsOf(bytes).slice(0, bits) === address.slice(0, bits));
  return matching.sort((a, b) => b.bits - a.bits)[0]?.verdict ?? 'unlisted';
}

function bitsOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
}

/** What settings mean: an exclude wins, then an include. */
function meaning(include: readonly CidrRange[], exclude: readonly CidrRange[], ip: string): Verdict {
  if (listOf(exclude, ip)) return 'exclude';
  return listOf(include, ip) ? 'include' : 'unlisted';
}

function listOf(ranges: readonly CidrRange[], ip: string): boolean {
  const family = isIPv4(ip) ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  for (const range of ranges) {
    if (isIPv4(range.ip) === isIPv4(ip)) list.addSubnet(range.ip, range.prefixLength, family);
  }
  return list.check(ip, family);
}

const cidrs = (...texts: string[]) => texts.map((text) => parseCidr(text)!);

t.test('an exclude wins over a narrower include, and over a wider one', (t) => {
  const rules = addressRules(cidrs('10.1.0.0/16', '11.0.0.0/8'), cidrs('10.0.0.0/8', '11.1.0.0/16'));
  t.equal(longestMatch(rules, '10.1.0.1'), 'exclude');
  t.equal(longestMatch(rules, '11.1.0.1'), 'exclude');
  t.equal(longestMatch(rules, '11.2.0.1'), 'include');
  t.equal(longestMatch(rules, '12.0.0.1'), 'unlisted');
  t.end();
});

t.test('all of IPv6 is not IPv4', (t) => {
  const rules = addressRules(cidrs('::/0'), []);
  t.equal(longestMatch(rules, 'fd00::1'), 'include');
  t.equal(longestMatch(rules, '10.0.0.1'), 'unlisted');
  t.equal(longestMatch(addressRules(cidrs('::/0', '0.0.0.0/0'), []), '10.0.0.1'), 'include');
  t.equal(longestMatch(addressRules(cidrs('10.0.0.0/8'), cidrs('::/0')), '10.0.0.1'), 'include');
  t.same(addressRules([], []), []);
  t.equal(addressRules(cidrs('::/0', '::/1', '::/64'), []).length, 96, 'the table has room');
  t.end();
});

t.test('the longest prefix says what all lists together mean', (t) => {
  // Few bits that differ, so that ranges contain each other.
  const byte = fc.constantFrom(0, 1, 128, 255);
  const ipv4 = fc.tuple(byte, byte, byte, byte).map((bytes) => bytes.join('.'));
  const ipv6 = fc.tuple(byte, byte).map(([a, b]) => (a === 0 ? `::${b}` : `${a.toString(16)}::${b}`));
  const range = fc.oneof(
    fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })).map(([ip, length]) => parseCidr(`${ip}/${length}`)!),
    fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })).map(([ip, length]) => parseCidr(`${ip}/${length}`)!),
  );
  const ranges = fc.array(range, { maxLength: 6 });
  fc.assert(
    fc.property(ranges, ranges, fc.oneof(ipv4, ipv6), (include, exclude, ip) => {
      t.equal(longestMatch(addressRules(include, exclude), ip), meaning(include, exclude, ip));
    }),
    { numRuns: 1000 },
  );
  t.end();
});

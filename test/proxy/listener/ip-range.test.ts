import { BlockList } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { parseIpAddress } from '../../../config/ip-address.ts';
import { compileRanges, IpRangeMap } from '../../../proxy/listener/ip-range.ts';

const range = (text: string) => {
  const [ip, length] = text.split('/');
  return { ip: ip!, prefixLength: Number(length) };
};

t.test('an address lies in a range', (t) => {
  const table: readonly (readonly [string, string, boolean])[] = [
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.9.9.9/8', '10.1.1.1', true],
    ['0.0.0.0/0', '255.1.2.3', true],
    ['0.0.0.0/0', '::1', false],
    ['192.0.2.1/32', '192.0.2.1', true],
    ['192.0.2.1/32', '192.0.2.2', false],
    ['128.0.0.0/1', '255.0.0.0', true],
    ['::/0', '2001:db8::1', true],
    ['::/0', '10.0.0.1', false],
    ['2001:db8::/33', '2001:db8:7fff::1', true],
    ['2001:db8::/33', '2001:db8:8000::1', false],
    ['::1/128', '::1', true],
    ['10.0.0.0/8', '::ffff:10.0.0.1', true],
    ['::ffff:10.0.0.0/104', '10.200.0.1', true],
    ['::ffff:10.0.0.0/104', '11.0.0.1', false],
    ['10.0.0.0/8', '', false],
    ['10.0.0.0/8', 'fruit.test', false],
  ];
  for (const [text, ip, isInside] of table) t.equal(compileRanges([range(text)])(ip), isInside, `${ip} in ${text}`);
  t.end();
});

t.test('the answer for one address is not the answer for the next', (t) => {
  const isInside = compileRanges([range('10.0.0.0/8')]);
  t.same(['10.0.0.1', '10.0.0.1', '11.0.0.1', '11.0.0.1', '10.0.0.1', ''].map(isInside), [
    true,
    true,
    false,
    false,
    true,
    false,
  ]);
  t.equal(compileRanges([])(''), false);
  t.end();
});

t.test('the longest range wins', (t) => {
  const map = new IpRangeMap<string>();
  for (const text of ['10.0.0.0/8', '10.1.0.0/16', '0.0.0.0/0', '10.1.2.3/32', '::/0', '2001:db8::/32'])
    map.set(range(text), text);
  const find = (ip: string) => map.find(parseIpAddress(ip)!);
  t.same(['10.1.2.3', '10.1.2.4', '10.2.0.0', '11.0.0.0', '2001:db8::1', '2001:db9::1'].map(find), [
    '10.1.2.3/32',
    '10.1.0.0/16',
    '10.0.0.0/8',
    '0.0.0.0/0',
    '2001:db8::/32',
    '::/0',
  ]);
  t.equal(map.get(range('10.1.77.0/16')), '10.1.0.0/16', 'a range is its prefix');
  t.equal(map.get(range('10.1.0.0/17')), null);
  t.end();
});

t.test('a map is empty until it has a range of either family', (t) => {
  for (const ip of ['10.0.0.0', '2001:db8::']) {
    const map = new IpRangeMap<string>();
    t.ok(map.isEmpty);
    map.set({ ip, prefixLength: 8 }, 'a');
    t.notOk(map.isEmpty, ip);
  }
  t.end();
});

t.test('agrees with the ranges of node:net', (t) => {
  // From 3 bits on: for node:net every IPv4 address lies in ::/0.
  const address = fc
    .array(fc.constantFrom(0, 1, 2, 128, 255), { minLength: 4, maxLength: 4 })
    .chain((bytes) =>
      fc.constantFrom(bytes.join('.'), `2001:db8:${bytes.map((byte) => byte.toString(16)).join(':')}::`),
    );
  fc.assert(
    fc.property(fc.array(fc.tuple(address, fc.nat(128)), { maxLength: 5 }), fc.array(address), (ranges, ips) => {
      const reference = new BlockList();
      const family = (ip: string) => (ip.includes(':') ? 'ipv6' : 'ipv4');
      const cidrs = ranges.map(([ip, length]) => ({
        ip,
        prefixLength: ip.includes(':') ? Math.max(3, length) : length % 33,
      }));
      for (const { ip, prefixLength } of cidrs) reference.addSubnet(ip, prefixLength, family(ip));
      const isInside = compileRanges(cidrs);
      return ips.every((ip) => isInside(ip) === reference.check(ip, family(ip)));
    }),
  );
  t.end();
});

import fc from 'fast-check';
import t from 'tap';
import { parseIpAddress } from '../../config/ip-address.ts';

t.test('addresses are their bits', (t) => {
  const table: readonly (readonly [string, number | bigint | null])[] = [
    ['0.0.0.0', 0],
    ['10.1.2.3', 0x0a010203],
    ['255.255.255.255', 0xffffffff],
    ['::', 0n],
    ['::1', 1n],
    ['1::', 1n << 112n],
    ['2001:DB8::8:800:200c:417a', 0x20010db8_00000000_00080800_200c417an],
    ['1:2:3:4:5:6:7:8', 0x00010002_00030004_00050006_00070008n],
    ['64:ff9b::192.0.2.33', 0x0064ff9b_00000000_00000000_c0000221n],
    ['::ffff:10.1.2.3', 0x0a010203],
    ['::ffff:ffff:ffff', 0xffffffff],
    ['', null],
    ['10.1.2', null],
    ['010.1.2.3', null],
    ['10.1.2.3:80', null],
    ['[::1]', null],
    ['fe80::1%eth0', null],
    ['1::2::3', null],
    ['fruit.test', null],
  ];
  for (const [text, bits] of table) t.equal(parseIpAddress(text), bits, text);
  t.end();
});

t.test('every spelling of an IPv6 address gives the same bits', (t) => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0, 0, 1, 0xab, 0xffff), { minLength: 8, maxLength: 8 }), (groups) => {
      const bits = groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
      const expected = bits >> 32n === 0xffffn ? Number(bits & 0xffffffffn) : bits;
      const long = groups.map((group) => group.toString(16).padStart(4, '0')).join(':');
      const canonical = new URL(`http://[${long}]`).hostname.slice(1, -1);
      return [long, long.toUpperCase(), canonical].every((text) => parseIpAddress(text) === expected);
    }),
  );
  t.end();
});

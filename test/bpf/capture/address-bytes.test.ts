import { BlockList, isIPv4 } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { addressBytes, cidrBits, covers, parseCidr } from '../../../bpf/capture/address-bytes.ts';

const ipv4 = fc.ipV4();
const ipv6 = fc.ipV6();
const cidr = fc.oneof(
  fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })).map(([ip, length]) => `${ip}/${length}`),
  fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })).map(([ip, length]) => `${ip}/${length}`),
);

function hexOf(ip: string): string {
  return Buffer.from(addressBytes(ip)!).toString('hex');
}

t.test('an IPv4 address is the mapped one, in network order', (t) => {
  t.equal(hexOf('10.1.2.3'), '00000000000000000000ffff0a010203');
  t.equal(hexOf('::ffff:10.1.2.3'), hexOf('10.1.2.3'));
  t.equal(hexOf('::ffff:a01:203'), hexOf('10.1.2.3'));
  t.equal(hexOf('::'), '0'.repeat(32));
  t.equal(hexOf('fd00::1'), 'fd000000000000000000000000000001');
  t.equal(hexOf('1::2:3'), '00010000000000000000000000020003');
  t.equal(hexOf('1:2:3:4:5:6:7:8'), '00010002000300040005000600070008');
  t.end();
});

t.test('what is no literal address is none, zones included', (t) => {
  for (const text of ['', 'localhost', '10.1.2', '10.1.2.256', '::1%lo', '[::1]', '1::2::3', ' 10.0.0.1'])
    t.equal(addressBytes(text), undefined, text);
  t.end();
});

t.test('a range has its low bits cleared and one form', (t) => {
  t.same(parseCidr('10.1.2.3/8'), { ip: '10.0.0.0', prefixLength: 8 });
  t.same(parseCidr('10.1.2.3'), { ip: '10.1.2.3', prefixLength: 32 });
  t.same(parseCidr('::ffff:10.0.0.0/104'), { ip: '10.0.0.0', prefixLength: 8 }, 'mapped addresses are IPv4');
  t.same(parseCidr('FD00:0::1/8'), { ip: 'fd00::', prefixLength: 8 });
  t.same(parseCidr('::ffff:0.0.0.0/90'), { ip: '::ffc0:0:0', prefixLength: 90 }, 'wider than all of IPv4');
  for (const text of ['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/08', '10.0.0.0/8/8', '10.0.0.0/-1', '/8', '*'])
    t.equal(parseCidr(text), undefined, text);
  t.end();
});

t.test('any range is read, and what it is written as reads the same', (t) => {
  fc.assert(
    fc.property(cidr, (text) => {
      const range = parseCidr(text)!;
      t.same(parseCidr(`${range.ip}/${range.prefixLength}`), range, text);
      const { bits } = cidrBits(range);
      if (isIPv4(text.split('/')[0]!)) return bits === Number(text.split('/')[1]) + 96;
      return bits === Number(text.split('/')[1]);
    }),
  );
  t.end();
});

t.test('no text makes the reader fail otherwise than by saying no', (t) => {
  fc.assert(fc.property(fc.string(), (text) => parseCidr(text) === undefined || text !== ''));
  t.end();
});

t.test('a range covers what the system says is in it', (t) => {
  fc.assert(
    fc.property(cidr, fc.oneof(ipv4, ipv6), (text, ip) => {
      const range = parseCidr(text)!;
      const isV4 = isIPv4(range.ip);
      const single = parseCidr(ip)!;
      if (isV4 !== isIPv4(single.ip)) return !covers(range, single);
      const list = new BlockList();
      list.addSubnet(range.ip, range.prefixLength, isV4 ? 'ipv4' : 'ipv6');
      return covers(range, single) === list.check(single.ip, isV4 ? 'ipv4' : 'ipv6');
    }),
    { numRuns: 500 },
  );
  t.ok(covers(parseCidr('10.0.0.0/8')!, parseCidr('10.1.0.0/16')!));
  t.notOk(covers(parseCidr('10.1.0.0/16')!, parseCidr('10.0.0.0/8')!));
  t.notOk(covers(parseCidr('::/0')!, parseCidr('10.0.0.1')!), 'IPv6 of all is not IPv4');
  t.end();
});

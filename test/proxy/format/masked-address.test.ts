import t from 'tap';
import { maskedAddress } from '../../../proxy/format/masked-address.ts';

t.test('the first bits of an address are left, as a network', async (t) => {
  for (const [address, bits, expected] of [
    ['10.1.10.23', 16, '10.1.0.0/16'],
    ['10.255.10.23', 9, '10.128.0.0/9'],
    ['10.1.10.23', 0, '0.0.0.0/0'],
    ['10.1.10.23', 32, '10.1.10.23/32'],
    ['2001:db8:1234:5678:9abc:def0:1234:5678', 64, '2001:db8:1234:5678::/64'],
    ['2001:db8::9abc:0:0:5678', 84, '2001:db8:0:0:9abc::/84'],
    ['::1', 127, '::/127'],
    ['::ffff:1.2.3.4', 112, '::ffff:102:0/112'],
  ] as const) {
    t.equal(maskedAddress(address, bits), expected, `${address}/${bits}`);
  }
});

t.test('more bits than there are mean all of them, as in Envoy', async (t) => {
  t.equal(maskedAddress('10.1.10.23', 64), '10.1.10.23/32');
  t.equal(maskedAddress('fe80::1', 200), 'fe80::1/128');
});

t.test('what is no address has no network', async (t) => {
  t.equal(maskedAddress(null, 8), null);
  t.equal(maskedAddress('/run/app.sock', 8), null);
});

import { isIP } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import type { Address } from '../../config/address.ts';
import { Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import {
  AddressFamily,
  addressFamily,
  decodeSocketAddress,
  encodeSocketAddress,
  MAX_SOCKET_ADDRESS_BYTES,
} from '../../native/socket-address.ts';

const buffer = new NativeBuffer(MAX_SOCKET_ADDRESS_BYTES);

function roundTrip(address: Address, unmapIpv4 = false): Address | undefined | number {
  buffer.bytes.fill(0xaa);
  const length = encodeSocketAddress(address, buffer);
  return length < 0 ? length : decodeSocketAddress(buffer, length, unmapIpv4);
}

t.test('IPv4 is laid out as sockaddr_in', (t) => {
  t.equal(encodeSocketAddress({ kind: 'ip', ip: '1.2.3.4', port: 0x1234 }, buffer), 16);
  t.equal(buffer.bytes.toString('hex', 0, 16), '02001234010203040000000000000000');
  t.end();
});

t.test('IPv6 is laid out as sockaddr_in6', (t) => {
  t.equal(encodeSocketAddress({ kind: 'ip', ip: '2001:db8::1', port: 80 }, buffer), 28);
  t.equal(buffer.bytes.toString('hex', 0, 28), '0a0000500000000020010db800000000000000000000000100000000');
  t.end();
});

t.test('addresses come back in their canonical text', (t) => {
  const texts = { '::': '::', '::1': '::1', '1:0:0:2:0:0:0:3': '1:0:0:2::3', 'FE80::0:1': 'fe80::1', '1::': '1::' };
  for (const [given, canonical] of Object.entries(texts)) {
    t.same(roundTrip({ kind: 'ip', ip: given, port: 1 }), { kind: 'ip', ip: canonical, port: 1 });
  }
  t.end();
});

t.test('an IPv4-mapped address stays IPv6 unless asked otherwise', (t) => {
  const mapped = { kind: 'ip', ip: '::ffff:10.0.0.1', port: 9 } as const;
  t.same(roundTrip(mapped), mapped);
  t.same(roundTrip(mapped, true), { kind: 'ip', ip: '10.0.0.1', port: 9 });
  t.end();
});

t.test('paths and abstract names come back as they went', (t) => {
  for (const path of ['/run/a.sock', '@name', `/${'a'.repeat(106)}`, `@${'a'.repeat(107)}`, '@é']) {
    t.same(roundTrip({ kind: 'pipe', path }), { kind: 'pipe', path });
  }
  t.end();
});

t.test('what cannot be an address is refused', (t) => {
  for (const ip of [
    '',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4.5',
    ':::',
    '1::2::3',
    '1:2:3',
    'g::',
    '1:2:3:4:5:6:7:8::',
    'fe80::1%eth0',
    '::1.2.3.4:1',
    '::12345',
  ]) {
    t.equal(roundTrip({ kind: 'ip', ip, port: 1 }), -Errno.EINVAL, ip);
  }
  for (const port of [-1, 65536, 1.5]) t.equal(roundTrip({ kind: 'ip', ip: '::1', port }), -Errno.EINVAL, `${port}`);
  t.equal(roundTrip({ kind: 'pipe', path: '' }), -Errno.EINVAL);
  t.equal(roundTrip({ kind: 'pipe', path: '/a\0b' }), -Errno.EINVAL);
  t.equal(roundTrip({ kind: 'pipe', path: `/${'a'.repeat(107)}` }), -Errno.ENAMETOOLONG);
  t.equal(roundTrip({ kind: 'pipe', path: `@${'a'.repeat(108)}` }), -Errno.ENAMETOOLONG);
  t.end();
});

t.test('an unnamed or unknown address is undefined', (t) => {
  buffer.bytes.writeUInt16LE(AddressFamily.unix, 0);
  t.equal(decodeSocketAddress(buffer, 2), undefined);
  t.equal(decodeSocketAddress(buffer, 0), undefined);
  buffer.bytes.writeUInt16LE(16, 0);
  t.equal(decodeSocketAddress(buffer, 16), undefined);
  t.end();
});

t.test('every IP address comes back as itself', (t) => {
  const port = fc.integer({ min: 0, max: 65535 });
  fc.assert(
    fc.property(fc.ipV4(), port, (ip, port) => {
      t.same(roundTrip({ kind: 'ip', ip, port }), { kind: 'ip', ip, port });
    }),
    { seed: 1, numRuns: 200 },
  );
  fc.assert(
    fc.property(fc.ipV6(), port, (ip, port) => {
      const decoded = roundTrip({ kind: 'ip', ip, port }) as Address & { kind: 'ip' };
      const again = roundTrip(decoded);
      return new URL(`http://[${ip}]`).hostname === new URL(`http://[${decoded.ip}]`).hostname && same(decoded, again);
    }),
    { seed: 1, numRuns: 500 },
  );
  t.end();
});

t.test('exactly what Node takes for an address without a zone is taken', (t) => {
  const nearly = fc.stringMatching(/^[0-9a-f:.]{1,20}$/);
  fc.assert(
    fc.property(nearly, (ip) => {
      const isTaken = typeof roundTrip({ kind: 'ip', ip, port: 1 }) === 'object';
      return isTaken === (isIP(ip) !== 0) && (!isTaken || addressFamily({ kind: 'ip', ip, port: 1 }) === familyOf(ip));
    }),
    { seed: 1, numRuns: 5000 },
  );
  t.end();
});

function familyOf(ip: string): number {
  return isIP(ip) === 6 ? AddressFamily.ipv6 : AddressFamily.ipv4;
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

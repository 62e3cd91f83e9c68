// The examples are those of the specification, sections 2.1 and 2.2.

import fc from 'fast-check';
import t from 'tap';
import { parseIpAddress } from '../../../config/ip-address.ts';
import { type ProxyHeader, readProxyHeader } from '../../../proxy/listener/proxy-header.ts';
import { proxyHeader2 } from '../../support/proxy-headers.ts';

const read = (bytes: Buffer | string) => {
  const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
  return readProxyHeader(buffer, buffer.length);
};
const at = (ip: string, port: number) => ({ kind: 'ip', ip, port });

t.test('version 1 tells both ends in a line', async (t) => {
  t.same(read('PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n'), {
    version: 1,
    length: 47,
    addresses: { source: at('192.168.0.1', 56_324), destination: at('192.168.0.11', 443) },
  });
  t.match(read('PROXY TCP6 2001:DB8:0:0:0:0:0:1 ::1 0 65535\r\n'), {
    addresses: { source: at('2001:db8::1', 0), destination: at('::1', 65_535) },
  });
  t.match(read('PROXY TCP6 ::ffff:1.2.3.4 ::ffff:a00:1 1 2\r\n'), {
    addresses: { source: at('1.2.3.4', 1), destination: at('10.0.0.1', 2) },
  });
});

t.test('version 1 may say that it knows nothing', async (t) => {
  t.same(read('PROXY UNKNOWN\r\n'), { version: 1, length: 15, addresses: null });
  const longest = 'PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n'.padEnd(4);
  t.match(read(longest), { addresses: null, length: longest.length });
});

t.test('a line in any other form is refused', async (t) => {
  const lines = [
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n',
    'PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n',
    'PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n',
    'PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP6 fe80::1%lo ::1 1 2\r\n',
    'PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY \r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1\t2\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\r\n',
    `PROXY UNKNOWN ${'a'.repeat(92)}\r\n`,
    `PROXY UNKNOWN ${'a'.repeat(100)}`,
  ];
  for (const line of lines) t.same(read(line), { invalid: 1 }, line);
});

t.test('version 2 tells both ends in numbers', async (t) => {
  const addresses = Buffer.from([192, 168, 0, 1, 192, 168, 0, 11, 0xdc, 0x04, 0x01, 0xbb]);
  t.same(read(proxyHeader2(0x21, 0x11, addresses)), {
    version: 2,
    length: 28,
    addresses: { source: at('192.168.0.1', 56_324), destination: at('192.168.0.11', 443) },
  });
  const sixes = Buffer.from(`20010db8${'00'.repeat(11)}01${'00'.repeat(10)}ffff0102030400010002`, 'hex');
  t.match(read(proxyHeader2(0x21, 0x21, sixes)), {
    length: 52,
    addresses: { source: at('2001:db8::1', 1), destination: at('1.2.3.4', 2) },
  });
  const added = Buffer.concat([addresses, Buffer.from([0x01, 0, 2, 0x68, 0x32, 0x04, 0, 0])]);
  t.match(read(proxyHeader2(0x21, 0x11, added)), { length: 36 }, 'with additions');
});

t.test('version 2 may be of a connection of its own, whatever follows', async (t) => {
  t.same(read(proxyHeader2(0x20, 0, Buffer.alloc(0))), { version: 2, length: 16, addresses: null });
  t.same(read(proxyHeader2(0x20, 0xff, Buffer.alloc(7))), { version: 2, length: 23, addresses: null });
});

t.test('version 2 in any other form is refused', async (t) => {
  const addresses = Buffer.alloc(12, 1);
  const wrong = {
    'version 3': proxyHeader2(0x31, 0x11, addresses),
    'a command that is not known': proxyHeader2(0x22, 0x11, addresses),
    'no family': proxyHeader2(0x21, 0x00, addresses),
    datagrams: proxyHeader2(0x21, 0x12, addresses),
    'a Unix socket': proxyHeader2(0x21, 0x31, Buffer.alloc(216)),
    'too short for its family': proxyHeader2(0x21, 0x21, addresses),
    'a part of an addition': proxyHeader2(0x21, 0x11, Buffer.concat([addresses, Buffer.from([1, 0])])),
    'an addition that is too long': proxyHeader2(0x21, 0x11, Buffer.concat([addresses, Buffer.from([1, 0, 1])])),
    'more than any load balancer adds': proxyHeader2(0x21, 0x11, Buffer.alloc(0xffff)),
  };
  for (const [name, bytes] of Object.entries(wrong)) t.same(read(bytes), { invalid: 2 }, name);
});

t.test('more is awaited while it may be a header, and no longer', async (t) => {
  const headers = [
    Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n'),
    proxyHeader2(0x21, 0x11, Buffer.alloc(12, 1)),
    proxyHeader2(0x20, 0x00, Buffer.alloc(5)),
  ];
  for (const header of headers) {
    for (let end = 0; end < header.length; end++) t.equal(read(header.subarray(0, end)), 'incomplete');
    t.equal((read(header) as ProxyHeader).length, header.length);
  }
  for (const other of ['GET / HTTP/1.1\r\n', 'PROXX', 'P\r', '\r\n\r\nGET', '\x16\x03\x01'])
    t.equal(read(other), 'absent', JSON.stringify(other));
});

t.test('what comes behind a header makes no difference to it', async (t) => {
  const ips = fc.oneof(
    fc.ipV4(),
    fc.ipV6().filter((ip) => !ip.includes('%')),
  );
  const port = fc.integer({ min: 0, max: 65_535 });
  fc.assert(
    fc.property(ips, ips, port, port, fc.uint8Array({ maxLength: 40 }), (source, destination, from, to, rest) => {
      const family = source.includes(':') ? 'TCP6' : 'TCP4';
      const line = `PROXY ${family} ${source} ${destination} ${from} ${to}\r\n`;
      const outcome = read(Buffer.concat([Buffer.from(line), rest]));
      if (source.includes(':') !== destination.includes(':')) {
        t.same(outcome, { invalid: 1 });
        return;
      }
      const { length, addresses } = outcome as ProxyHeader;
      t.equal(length, line.length);
      t.equal(parseIpAddress(addresses!.source.ip), parseIpAddress(source));
      t.equal(parseIpAddress(addresses!.destination.ip), parseIpAddress(destination));
    }),
  );
});

t.test('no bytes read beyond their end', async (t) => {
  const beginnings = fc.constantFrom(
    'PROXY ',
    'PROXY TCP4 ',
    '\r\n\r\n\0\r\nQUIT\n!\x11',
    '\r\n\r\n\0\r\nQUIT\n \0',
    '',
  );
  fc.assert(
    fc.property(beginnings, fc.uint8Array({ maxLength: 60 }), (beginning, rest) => {
      const bytes = Buffer.concat([Buffer.from(beginning, 'latin1'), rest]);
      const outcome = readProxyHeader(Buffer.concat([bytes, Buffer.alloc(200, 0x20)]), bytes.length);
      if (typeof outcome === 'object' && 'length' in outcome) t.ok(outcome.length <= bytes.length);
    }),
    { numRuns: 1000 },
  );
});

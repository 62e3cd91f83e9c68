import fc from 'fast-check';
import t from 'tap';
import { type ClientHelloOutcome, ClientHelloReader } from '../../../proxy/listener/client-hello.ts';
import { helloBytes, inRecords, realClientHello } from '../../support/client-hellos.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const maxBytes = 65_536;

function read(bytes: Buffer, max = maxBytes): ClientHelloOutcome {
  return new ClientHelloReader(max).read(bytes, bytes.length);
}

/** Byte by byte: the outcome of the first part that has one. */
function readGrowing(bytes: Buffer): ClientHelloOutcome {
  const reader = new ClientHelloReader(maxBytes);
  let outcome: ClientHelloOutcome = 'incomplete';
  for (let end = 1; end <= bytes.length && outcome === 'incomplete'; end++) outcome = reader.read(bytes, end);
  return outcome;
}

t.test('ClientHellos of a real client', async (t) => {
  const protocols = ['h2', 'http/1.1'];
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const servername of ['', 'App.Example']) {
      for (const ALPNProtocols of [[], protocols]) {
        const bytes = await realClientHello({ minVersion: version, maxVersion: version, servername, ALPNProtocols });
        const expected = { serverName: servername.toLowerCase(), applicationProtocols: ALPNProtocols };
        t.same(read(bytes), expected, `${version} ${servername} ${ALPNProtocols}`);
      }
    }
  }
});

t.test('a real ClientHello of 16 KiB, which comes in several records', async (t) => {
  const ALPNProtocols = Array.from({ length: 1300 }, (_, index) => `protocol-${index}`);
  const bytes = await realClientHello({ servername: 'a.example', ALPNProtocols });
  t.ok(bytes.length > 16_384);
  t.same(read(bytes), { serverName: 'a.example', applicationProtocols: ALPNProtocols });
  t.same(readGrowing(bytes), read(bytes));
});

t.test('a ClientHello cut into records and segments anywhere is the same', (t) => {
  const hello = helloBytes({ serverName: 'a.example', protocols: ['istio', 'h2'] });
  const expected = { serverName: 'a.example', applicationProtocols: ['istio', 'h2'] };
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 9 }), (sizes) => {
      const bytes = inRecords(hello, sizes);
      t.same(readGrowing(bytes), expected);
      t.same(read(Buffer.concat([bytes, Buffer.from('behind')])), expected);
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test('extensions may be missing', (t) => {
  const nothing = { serverName: '', applicationProtocols: [] };
  t.same(read(inRecords(helloBytes({ extensions: 'none' }))), nothing);
  t.same(read(inRecords(helloBytes({}))), nothing);
  t.end();
});

t.test('what is not TLS is known from the first byte that is wrong', (t) => {
  for (const text of [
    'G',
    '\x80',
    '\x16\x02',
    '\x16G',
    '\x16\x03\x01\0\0',
    '\x16\x03\x01\x40\x01',
    '\x16\x03\x01\0\x05\x02',
  ]) {
    t.equal(read(Buffer.from(text, 'latin1')), 'invalid', JSON.stringify(text));
  }
  for (const text of ['\x16', '\x16\x03', '\x16\x03\x01\0', '\x16\x03\x01\0\x05', '\x16\x03\x01\0\x05\x01']) {
    t.equal(read(Buffer.from(text, 'latin1')), 'incomplete', JSON.stringify(text));
  }
  t.end();
});

t.test('one name, of one type, in printable ASCII', (t) => {
  const named = (...bytes: readonly number[]) =>
    read(inRecords(helloBytes({ serverNameExtension: Buffer.from(bytes) })));
  t.match(named(0, 4, 0, 0, 1, 0x41), { serverName: 'a' });
  for (const bytes of [
    [],
    [0, 0],
    [0, 3, 0, 0, 0],
    [0, 4, 1, 0, 1, 0x41],
    [0, 5, 0, 0, 1, 0x41],
    [0, 4, 0, 0, 2, 0x41],
    [0, 4, 0, 0, 1, 0x41, 0],
    [0, 8, 0, 0, 1, 0x41, 0, 0, 1, 0x42],
    ...[0, 0x0a, 0x20, 0x7f, 0x80, 0xff].map((byte) => [0, 4, 0, 0, 1, byte]),
  ]) {
    t.equal(named(...bytes), 'invalid', bytes.join(' '));
  }
  t.equal(read(inRecords(helloBytes({ serverName: 'a'.repeat(256) }))), 'invalid');
  t.match(read(inRecords(helloBytes({ serverName: 'a'.repeat(255) }))), { applicationProtocols: noItems });
  t.end();
});

t.test('a list of protocols that is not sound counts as none', (t) => {
  const offering = (...bytes: readonly number[]) =>
    read(inRecords(helloBytes({ protocolsExtension: Buffer.from(bytes) })));
  t.match(offering(0, 2, 1, 0x61), { applicationProtocols: onlyItems('a') });
  for (const bytes of [
    [],
    [0, 0],
    [0, 1, 0],
    [0, 2, 2, 0x61],
    [0, 3, 1, 0x61, 0],
    [0, 2, 1, 0x61, 0],
    [0, 4, 1, 0x61],
  ]) {
    t.match(offering(...bytes), { serverName: '', applicationProtocols: noItems }, bytes.join(' '));
  }
  t.end();
});

t.test('the least that a ClientHello may have is enough, and so is the longest session id', (t) => {
  const found = { serverName: 'a', applicationProtocols: noItems };
  for (const sessionId of [0, 32]) {
    const least = { sessionId, ciphers: 2, compressions: 1, serverName: 'a' };
    t.match(read(inRecords(helloBytes(least))), found, String(sessionId));
  }
  t.end();
});

t.test('a ClientHello that breaks its own rules is none', (t) => {
  const broken = {
    'a long session id': { sessionId: 33 },
    'no cipher suite': { ciphers: 0 },
    'half a cipher suite': { ciphers: 3 },
    'no compression method': { compressions: 0 },
    'two server names': { serverName: 'a', extensionsTwice: true },
    'two lists of protocols': { protocols: ['a'], extensionsTwice: true },
    'bytes behind the extensions': { behind: 1 },
  };
  for (const [what, parts] of Object.entries(broken)) t.equal(read(inRecords(helloBytes(parts))), 'invalid', what);
  t.end();
});

t.test('what is larger than allowed is known from the length it announces', (t) => {
  const hello = inRecords(helloBytes({ serverName: 'a.example' }));
  t.match(read(hello, hello.length), { serverName: 'a.example' });
  t.equal(read(hello, hello.length - 1), 'too-large');
  t.equal(read(hello.subarray(0, 9), hello.length - 1), 'too-large');
  t.equal(read(hello.subarray(0, 8), hello.length - 1), 'incomplete');
  // In small records the headers count: they are what the peer makes us look at.
  const inMany = inRecords(helloBytes({ serverName: 'a.example' }), Array(99).fill(1));
  t.equal(read(inMany.subarray(0, hello.length), hello.length), 'too-large');
  t.end();
});

t.test('any bytes have an outcome, which more bytes behind them and their way of arriving do not change', (t) => {
  const hello = inRecords(helloBytes({ serverName: 'a.example', protocols: ['h2'] }));
  const damaged = fc
    .array(fc.tuple(fc.nat(hello.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    .map((edits) => {
      const bytes = Buffer.from(hello);
      for (const [at, byte] of edits) bytes[at] = byte;
      return bytes;
    });
  const noise = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(damaged, noise), fc.uint8Array({ maxLength: 9 }), (bytes, behind) => {
      const outcome = readGrowing(bytes);
      t.same(read(bytes), outcome);
      if (outcome === 'incomplete') return;
      // Bytes behind `end` are those of another connection.
      const all = Buffer.concat([bytes, behind]);
      t.same(new ClientHelloReader(maxBytes).read(all, bytes.length), outcome);
      t.same(read(all), outcome);
    }),
  );
  t.end();
});

import fc from 'fast-check';
import t from 'tap';
import {
  decodeFromParent,
  decodeFromSuccessor,
  encodeMessage,
  type FromParent,
  type FromSuccessor,
  maxMessageBytes,
} from '../../../proxy/hot-restart/message.ts';

const fromSuccessor: fc.Arbitrary<FromSuccessor> = fc.oneof(
  fc.record({ kind: fc.constant('hello' as const), version: fc.string(), epoch: fc.nat() }),
  fc.record({
    kind: fc.constant('sockets' as const),
    listener: fc.string(),
    address: fc.oneof(
      fc.record({ kind: fc.constant('ip' as const), ip: fc.ipV6(), port: fc.integer({ min: 0, max: 65_535 }) }),
      fc.record({ kind: fc.constant('pipe' as const), path: fc.string() }),
    ),
    ipv4Compatible: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('take-over' as const) }),
);

const fromParent: fc.Arbitrary<FromParent> = fc.oneof(
  fc.record({ kind: fc.constant('refused' as const), reason: fc.string() }),
  fc.record({
    kind: fc.constant('welcome' as const),
    generation: fc.nat(),
    firstStartedAtMs: fc.nat(),
    names: fc.array(fc.string(), { maxLength: 5 }),
  }),
  fc.record({ kind: fc.constant('sockets' as const), isLast: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('retired' as const, 'statistics' as const) }),
);

/** Objects that fast-check makes have no prototype; what JSON makes has one. */
const plain = (message: object): unknown => JSON.parse(JSON.stringify(message));

t.test('what is encoded is decoded, by the side that is meant', (t) => {
  fc.assert(
    fc.property(fromSuccessor, (message) => {
      t.same(decodeFromSuccessor(encodeMessage(message)!), plain(message));
    }),
  );
  fc.assert(
    fc.property(fromParent, (message) => {
      t.same(decodeFromParent(encodeMessage(message)!), plain(message));
    }),
  );
  t.end();
});

t.test('any other bytes are no message, and nothing throws', (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      t.equal(decodeFromSuccessor(Buffer.from(bytes)), undefined);
      t.equal(decodeFromParent(Buffer.from(bytes)), undefined);
    }),
  );
  fc.assert(
    fc.property(fc.json(), (text) => {
      t.equal(decodeFromSuccessor(Buffer.from(text)), undefined);
      t.equal(decodeFromParent(Buffer.from(text)), undefined);
    }),
  );
  t.end();
});

t.test('a message with a field too many, too few or of another type is none', (t) => {
  for (const message of [
    { kind: 'hello', version: '1' },
    { kind: 'hello', version: '1', epoch: '1' },
    { kind: 'hello', version: '1', epoch: -1 },
    { kind: 'hello', version: '1', epoch: 1, more: 1 },
    { kind: 'take-over', now: true },
    { kind: 'sockets', listener: 'a', address: { kind: 'ip', ip: '::', port: 65_536 }, ipv4Compatible: true },
    { kind: 'sockets', listener: 'a', address: { kind: 'ip', ip: '::', port: 1, more: 1 }, ipv4Compatible: true },
    { kind: 'sockets', listener: 'a', address: { kind: 'pipe' }, ipv4Compatible: true },
    { kind: 'sockets', listener: 'a', address: null, ipv4Compatible: true },
    { kind: 'sockets', listener: 1, address: { kind: 'pipe', path: '/a' }, ipv4Compatible: true },
    { kind: 'sockets', listener: 'a', address: { kind: 'pipe', path: '/a' } },
    { __proto__: { kind: 'take-over' } },
  ]) {
    t.equal(decodeFromSuccessor(Buffer.from(JSON.stringify(message))), undefined, JSON.stringify(message));
  }
  for (const message of [
    { kind: 'refused' },
    { kind: 'refused', reason: 1 },
    { kind: 'welcome', generation: 1, firstStartedAtMs: 1, names: [1] },
    { kind: 'welcome', generation: 1.5, firstStartedAtMs: 1, names: [] },
    { kind: 'welcome', generation: 1, firstStartedAtMs: 1 },
    { kind: 'sockets' },
    { kind: 'sockets', isLast: 1 },
    { kind: 'retired', more: 1 },
  ]) {
    t.equal(decodeFromParent(Buffer.from(JSON.stringify(message))), undefined, JSON.stringify(message));
  }
  t.equal(decodeFromParent(encodeMessage({ kind: 'take-over' })!), undefined, 'a parent does not take over');
  t.equal(decodeFromSuccessor(encodeMessage({ kind: 'retired' })!), undefined, 'a successor does not retire');
  t.end();
});

t.test('a message that would be too long is not made', (t) => {
  t.equal(encodeMessage({ kind: 'refused', reason: 'x'.repeat(maxMessageBytes) }), undefined);
  t.end();
});

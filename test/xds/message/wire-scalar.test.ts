import fc from 'fast-check';
import protobuf from 'protobufjs/minimal.js';
import t from 'tap';
import { nearestDouble, scalarCodec, wireTypes, wrappedScalar } from '../../../xds/message/wire-scalar.ts';

function overWire(type: string, value: unknown): unknown {
  const { read, write } = scalarCodec(type);
  const writer = protobuf.Writer.create();
  write(writer, value);
  return read(protobuf.Reader.create(writer.finish()));
}

t.test('integers of every kind are the same after the wire', async (t) => {
  const int32 = fc.integer();
  const uint32 = fc.nat(2 ** 32 - 1);
  const int64 = fc.maxSafeInteger();
  const uint64 = fc.maxSafeNat();
  const rows: readonly [fc.Arbitrary<number>, readonly string[]][] = [
    [int32, ['int32', 'sint32', 'sfixed32']],
    [uint32, ['uint32', 'fixed32']],
    [int64, ['int64', 'sint64', 'sfixed64']],
    [uint64, ['uint64', 'fixed64']],
  ];
  for (const [values, types] of rows) {
    for (const type of types) {
      fc.assert(fc.property(values, (value) => overWire(type, value) === value));
      t.equal(overWire(type, 0), 0, type);
    }
  }
});

t.test('doubles, floats, text, bytes and booleans are the same after the wire', async (t) => {
  t.equal(overWire('double', 0.1), 0.1);
  t.equal(overWire('float', 0.5), 0.5);
  t.equal(overWire('string', 'ä€😀'), 'ä€😀');
  t.equal(overWire('bool', true), true);
  t.same(overWire('bytes', Uint8Array.of(0, 255)), Uint8Array.of(0, 255));
});

t.test('text that is not UTF-8 is refused', async (t) => {
  t.throws(() => scalarCodec('string').read(protobuf.Reader.create(Uint8Array.of(1, 0xff))));
});

t.test('the largest 64-bit integers are the nearest doubles', async (t) => {
  const bytes = Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 255, 1);
  t.equal(scalarCodec('uint64').read(protobuf.Reader.create(bytes)), 2 ** 64);
  t.equal(scalarCodec('int64').read(protobuf.Reader.create(bytes)), -1);
  t.equal(nearestDouble(5), 5);
});

t.test('wrappers name the scalar inside', async (t) => {
  t.equal(wrappedScalar('google.protobuf.UInt32Value'), scalarCodec('uint32'));
  t.equal(wrappedScalar('google.protobuf.StringValue')?.wireType, wireTypes.length);
  t.equal(wrappedScalar('google.protobuf.Duration'), undefined);
  t.throws(() => scalarCodec('google.protobuf.Duration'), /not a scalar type/);
});

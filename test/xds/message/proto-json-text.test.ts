import fc from 'fast-check';
import protobuf from 'protobufjs/minimal.js';
import t from 'tap';
import { readScalar } from '../../../xds/message/proto-json-scalar.ts';
import {
  base64,
  durationText,
  impliedScalarJson,
  scalarJson,
  timestampText,
} from '../../../xds/message/proto-json-text.ts';

t.test('durations have as many digits as they need, in threes', async (t) => {
  t.equal(durationText(1, 500_000_000), '1.500s');
  t.equal(durationText(0, 1), '0.000000001s');
  t.equal(durationText(3, 0), '3s');
  t.equal(durationText(0, -250_000), '-0.000250s');
  t.equal(durationText(-2, -10_000_000), '-2.010s');
});

t.test('a duration is read as it was', async () => {
  fc.assert(
    fc.property(
      fc.nat(1e6),
      fc.nat(999_999_999),
      (seconds, nanos) =>
        readScalar('google.protobuf.Duration', durationText(seconds, nanos)) === seconds * 1000 + nanos / 1e6,
    ),
  );
});

t.test('timestamps are RFC 3339', async (t) => {
  t.equal(timestampText(0, 0), '1970-01-01T00:00:00Z');
  t.equal(timestampText(1_767_225_599, 120_000_000), '2025-12-31T23:59:59.120Z');
  t.equal(timestampText(1e18, 0), '1000000000000000000');
});

t.test('64-bit integers keep every digit', async (t) => {
  const bytes = Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 255, 1);
  t.equal(scalarJson(protobuf.Reader.create(bytes), 'uint64'), '18446744073709551615');
  t.equal(impliedScalarJson('uint64'), '0');
});

t.test('floats are the shortest numbers, what is not finite is a word', async (t) => {
  const overWire = (type: 'float' | 'double', value: number) =>
    scalarJson(protobuf.Reader.create(protobuf.Writer.create()[type](value).finish()), type);
  t.equal(overWire('float', 0.1), 0.1);
  t.equal(overWire('float', 16777217), 16777216);
  t.equal(overWire('double', 0.1), 0.1);
  t.equal(overWire('double', Number.NaN), 'NaN');
  t.equal(overWire('float', Number.NEGATIVE_INFINITY), '-Infinity');
});

t.test('bytes are base64, also from the middle of a buffer', async (t) => {
  t.equal(base64(Uint8Array.of(9, 0, 1, 255, 9).subarray(1, 4)), 'AAH/');
  t.equal(impliedScalarJson('bytes'), '');
});

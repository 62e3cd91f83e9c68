import fc from 'fast-check';
import protobuf from 'protobufjs';
import t from 'tap';
import { ProtobufReader, WireType } from '../../../proxy/export/protobuf-reader.ts';

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const field = fc.integer({ min: 1, max: 2 ** 29 - 1 });

t.test('what another library wrote is read as it was meant', (t) => {
  const item = fc.oneof(
    fc.record({ kind: fc.constant('varint' as const), field, value: uint64 }),
    fc.record({ kind: fc.constant('fixed64' as const), field, value: uint64 }),
    fc.record({ kind: fc.constant('fixed32' as const), field, value: fc.nat({ max: 2 ** 32 - 1 }) }),
    fc.record({ kind: fc.constant('bytes' as const), field, value: fc.uint8Array({ maxLength: 300 }) }),
  );
  fc.assert(
    fc.property(fc.array(item, { maxLength: 20 }), (items) => {
      const writer = new protobuf.Writer();
      for (const each of items) {
        writer.uint32(((each.field << 3) | WireType[each.kind]) >>> 0);
        if (each.kind === 'bytes') writer.bytes(each.value);
        else if (each.kind === 'fixed32') writer.fixed32(each.value);
        else if (each.kind === 'varint') writer.uint64(longOf(each.value));
        else writer.fixed64(longOf(each.value));
      }
      const reader = new ProtobufReader(writer.finish());
      for (const each of items) {
        if (!reader.next() || reader.field !== each.field || reader.wireType !== WireType[each.kind]) return false;
        if (each.kind !== 'bytes') {
          if (reader.value !== BigInt(each.value)) return false;
        } else if (Buffer.compare(reader.contents, each.value) !== 0) return false;
      }
      return !reader.next() && !reader.isDamaged;
    }),
  );
  t.end();
});

t.test('any bytes are read to an end, without an error thrown', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const reader = new ProtobufReader(bytes);
      let fields = 0;
      while (reader.next()) {
        fields++;
        if (reader.wireType !== WireType.bytes) continue;
        if (reader.end > bytes.length || reader.start > reader.end) return false;
        const inner = reader.message();
        while (inner.next()) fields++;
      }
      return fields <= bytes.length * 2;
    }),
    { numRuns: 2000 },
  );
  t.end();
});

t.test('a message cut anywhere but between fields is damaged', (t) => {
  const whole = new protobuf.Writer().uint32(0x0a).string('abcdef').uint32(0x11).fixed64(5).finish();
  for (let length = 1; length < whole.length; length++) {
    const reader = new ProtobufReader(whole.subarray(0, length));
    while (reader.next());
    t.equal(reader.isDamaged, length !== 8, `${length} bytes`);
  }
  t.end();
});

t.test('field 0, groups and endless varints are damage', (t) => {
  for (const bytes of [
    [0x00, 0x00],
    [0x0b],
    [0x0c],
    [0x08, ...new Array(11).fill(0xff)],
    [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
  ]) {
    const reader = new ProtobufReader(Uint8Array.from(bytes));
    t.notOk(reader.next());
    t.ok(reader.isDamaged, bytes.join(' '));
  }
  t.end();
});

t.test('a view on a larger buffer is not left', (t) => {
  const bytes = Uint8Array.from([0x08, 0x01, 0x08, 0x02, 0x08, 0x03]).subarray(2, 4);
  const reader = new ProtobufReader(bytes);
  t.ok(reader.next());
  t.equal(reader.value, 2n);
  t.notOk(reader.next());
  t.end();
});

t.test('doubles are read from their bits', (t) => {
  const reader = new ProtobufReader(new protobuf.Writer().uint32(0x21).double(-1.5e300).finish());
  t.ok(reader.next());
  t.equal(reader.double, -1.5e300);
  t.end();
});

function longOf(value: bigint): protobuf.Long {
  return {
    low: Number(BigInt.asIntN(32, value)),
    high: Number(BigInt.asIntN(32, value >> 32n)),
    unsigned: true,
  } as never;
}

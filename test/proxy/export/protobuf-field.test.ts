import fc from 'fast-check';
import t from 'tap';
import {
  bytesField,
  fieldHead,
  fieldHeadLength,
  fixed64Field,
  integerField,
  textField,
} from '../../../proxy/export/protobuf-field.ts';
import { ProtobufReader } from '../../../proxy/export/protobuf-reader.ts';

const field = fc.integer({ min: 1, max: 15 });

t.test('numbers and texts are read as they were written', (t) => {
  fc.assert(
    fc.property(field, fc.maxSafeNat(), fc.string({ unit: 'grapheme' }), (field, number, text) => {
      const reader = new ProtobufReader(
        Buffer.concat([integerField(field, number), fixed64Field(field, number), textField(field, text)]),
      );
      for (const value of [number, number]) {
        if (!reader.next() || reader.field !== field || reader.value !== BigInt(value)) return false;
      }
      return reader.next() && reader.text === text && !reader.next() && !reader.isDamaged;
    }),
  );
  t.end();
});

t.test('the head of a field has the length that it says', (t) => {
  fc.assert(
    fc.property(field, fc.nat(2 ** 28), (field, length) => fieldHead(field, length).length === fieldHeadLength(length)),
  );
  const large = new ProtobufReader(bytesField(3, new Uint8Array(100_000)));
  t.ok(large.next());
  t.equal(large.contents.length, 100_000);
  t.end();
});

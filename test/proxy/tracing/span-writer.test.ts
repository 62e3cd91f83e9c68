import fc from 'fast-check';
import t from 'tap';
import { SpanField } from '../../../proxy/tracing/span-field.ts';
import { attributeKey, cutText, SpanWriter } from '../../../proxy/tracing/span-writer.ts';
import { attributesOf, decodeOtlp, type KeyValue } from '../../support/otlp-messages.ts';

function decoded(write: (writer: SpanWriter) => void): Record<string, unknown> {
  const writer = new SpanWriter(1);
  write(writer);
  return decodeOtlp('Span', writer.bytes.subarray(0, writer.used));
}

t.test('attributes are read as they were written, whatever bytes a header had', async () => {
  // A peer's bytes, and what protobuf wants to see of them.
  const bytes = fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value).latin1Slice());
  const text = fc.string({ unit: 'grapheme', maxLength: 60 }).map((value) => Buffer.from(value).latin1Slice());
  fc.assert(
    fc.property(fc.array(fc.oneof(bytes, text, fc.maxSafeNat()), { maxLength: 20 }), (values) => {
      const { attributes } = decoded((writer) => {
        for (const [index, value] of values.entries()) {
          const key = attributeKey(`key-${index}-ä`);
          if (typeof value === 'number') writer.integerAttribute(SpanField.attributes, key, value);
          else writer.textAttribute(SpanField.attributes, key, value);
        }
      });
      const expected = [...values.entries()]
        .filter(([, value]) => value !== '')
        .map(([index, value]) => [
          `key-${index}-ä`,
          typeof value === 'number' ? value : Buffer.from(value, 'latin1').toString('utf8'),
        ]);
      return JSON.stringify(attributesOf(attributes as KeyValue[])) === JSON.stringify(Object.fromEntries(expected));
    }),
    { seed: 7 },
  );
});

t.test('moments are nanoseconds since the epoch, exact to the microsecond', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_102_444_800_000_000 }), (micros) => {
      const { startTimeUnixNano } = decoded((writer) => writer.time(SpanField.startTime, (micros + 0.5) / 1000));
      const off = BigInt(startTimeUnixNano as string) - BigInt(micros) * 1000n;
      // A double of milliseconds has a quarter of a microsecond to spare in this century.
      return off >= -1000n && off <= 1000n;
    }),
    { seed: 7 },
  );
  const exact = decoded((writer) => writer.time(SpanField.startTime, 1_760_000_000_123.5));
  t.equal(exact['startTimeUnixNano'], '1760000000123500000');
});

t.test('ids are bytes of their digits, and a buffer grows under all of it', async (t) => {
  const id = Buffer.from('0af7651916cd43dd8448eb211c80319c');
  const span = decoded((writer) => {
    writer.hex(SpanField.traceId, id, 0, 32);
    writer.text(SpanField.name, 'x'.repeat(1000));
    const event = writer.beginMessage(SpanField.events);
    writer.text(2, 'y'.repeat(70_000));
    writer.endMessage(event);
    writer.fixed32(SpanField.flags, 0x301);
    writer.integer(SpanField.kind, 3);
  });
  t.equal((span['traceId'] as Buffer).toString('latin1'), Buffer.from(`${id}`, 'hex').toString('latin1'));
  t.match(span, { name: 'x'.repeat(1000), flags: 0x301, kind: 'SPAN_KIND_CLIENT' });
  t.equal((span['events'] as { name: string }[])[0]!.name.length, 70_000);
});

t.test('of a header of megabytes an attribute has the first 64 KiB', async (t) => {
  // As much as a listener may let in, of bytes that are three in UTF-8: they are none.
  const bytes = 8 * 1024 * 1024;
  const key = attributeKey('user_agent.original');
  for (const [letter, read] of [
    ['a', 'a'],
    ['\xff', '\ufffd'],
  ] as const) {
    const { attributes } = decoded((writer) => writer.textAttribute(SpanField.attributes, key, letter.repeat(bytes)));
    t.ok(attributesOf(attributes as KeyValue[])['user_agent.original'] === read.repeat(65_536), letter);
  }
});

t.test('a text is cut before a character that does not fit, whatever length of UTF-8 it has', async (t) => {
  const text = (value: string) => Buffer.from(value).latin1Slice();
  const key = attributeKey('tag');
  for (const character of ['a', '\u00e4', '\u20ac', '\u{1f98a}']) {
    for (let before = 0; before < 4; before++) {
      const { attributes } = decoded((writer) =>
        writer.textAttribute(SpanField.attributes, key, text('x'.repeat(before) + character.repeat(65_536))),
      );
      const bytes = Buffer.byteLength(character);
      const fitting = Math.floor((65_536 - before) / bytes);
      const cut = attributesOf(attributes as KeyValue[])['tag'];
      t.ok(cut === 'x'.repeat(before) + character.repeat(fitting), `${character} behind ${before}`);
    }
  }
  t.equal(cutText(text('\u20ac\u20ac'), 6), text('\u20ac\u20ac'), 'what fits is whole');
  t.equal(cutText('\xbf'.repeat(9), 6), '\xbf'.repeat(6), 'of what is no UTF-8 nothing more is lost');
  t.equal(cutText('abc\xc3\xa4', 3), 'abc');
});

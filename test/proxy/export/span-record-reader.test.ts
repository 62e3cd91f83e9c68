import fc from 'fast-check';
import t from 'tap';
import { readSpanRecords } from '../../../proxy/export/span-record-reader.ts';
import { SamplingReason } from '../../../proxy/tracing/sampling-reason.ts';
import { RecordFlag } from '../../../proxy/tracing/span-record.ts';
import { encodeRecords, encodeSpan, factsOf } from '../../support/span-fixtures.ts';

const digits = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 14, maxLength: 14 });

t.test('records are read as they were written', (t) => {
  const shape = fc.record({
    provider: fc.nat(255),
    reason: fc.constantFrom(...Object.values(SamplingReason)),
    flags: fc.nat(15),
    keySlot: fc.nat(511),
    signature: fc.nat(2 ** 32 - 1),
    random: digits,
    threshold: digits,
    ot: fc.constantFrom('', 'rv:0123456789abcd', 'k:v;l:w'),
    others: fc.constantFrom('', 'a=1,b=2', 'latin=\u00e9'),
    spans: fc.array(fc.record({ name: fc.string(), spanId: fc.constantFrom('0123456789abcdef', 'fedcba9876543210') }), {
      minLength: 1,
      maxLength: 4,
    }),
  });
  fc.assert(
    fc.property(fc.array(shape, { maxLength: 5 }), (shapes) => {
      const batch = encodeRecords(
        ...shapes.map(({ ot, others, ...shape }) => ({ ...shape, state: `${ot}\n${others}` })),
      );
      t.same(
        readSpanRecords(batch).map(factsOf),
        shapes.map(({ provider, reason, flags, keySlot, signature, random, threshold, ot, others, spans }) => ({
          provider,
          reason,
          isHeadKept: (flags & RecordFlag.isHeadKept) !== 0,
          isSignatureNew: (flags & RecordFlag.isNewSignature) !== 0,
          sharesSpanId: (flags & RecordFlag.sharesSpanId) !== 0,
          keySlot,
          signature,
          random,
          threshold: (flags & RecordFlag.knowsThreshold) === 0 ? null : threshold,
          ot,
          otherState: others,
          spans: spans.map((span) => Buffer.from(encodeSpan(span))),
        })),
      );
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('a batch that is cut anywhere is told from a whole one', (t) => {
  const first = encodeRecords({ spans: [{}, {}] });
  const batch = encodeRecords({ spans: [{}, {}] }, { state: 'k:v\na=b' });
  for (let length = 1; length < batch.length; length++) {
    if (length !== first.length) t.throws(() => readSpanRecords(batch.subarray(0, length)), RangeError);
  }
  t.equal(readSpanRecords(new Uint8Array()).length, 0);
  t.end();
});

t.test('any bytes are read, or refused as a range that is not there', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 150 }), fc.nat(120), (bytes, length) => {
      // The length of the first record is often right.
      if (bytes.length >= 4) new DataView(bytes.buffer).setUint32(0, length, true);
      try {
        readSpanRecords(bytes);
      } catch (error) {
        return error instanceof RangeError && /record/.test(error.message);
      }
      return true;
    }),
    { numRuns: 2000 },
  );
  t.end();
});

t.test('a copy says the same when the batch that it came in is gone', (t) => {
  const batch = encodeRecords({}, { state: 'k:v\na=b', random: 'ab'.repeat(7), spans: [{ name: 'a' }, { name: 'b' }] });
  const record = readSpanRecords(batch)[1]!;
  const before = factsOf(record);
  const copy = record.copyTo(Buffer.alloc(record.end - record.start));
  const said = { ...before, spans: before.spans.map((span) => Buffer.from(span)) };
  batch.fill(0);
  t.same(factsOf(copy), said);
  t.equal(copy.bytes.latin1Slice(copy.randomStart, copy.randomStart + 14), said.random);
  t.end();
});

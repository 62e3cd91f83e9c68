import fc from 'fast-check';
import t from 'tap';
import { readSpan } from '../../../proxy/export/span-view.ts';
import { encodeOtlp } from '../../support/otlp-messages.ts';
import { encodeSpan } from '../../support/span-fixtures.ts';

t.test('a span is read as it was encoded', (t) => {
  const hex = (digits: number) =>
    fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits });
  const ns = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const value = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.integer(),
    fc.boolean(),
    fc.double({ noNaN: true, noInteger: true }),
  );
  fc.assert(
    fc.property(
      fc.record({
        traceId: hex(32),
        spanId: hex(16),
        parentSpanId: fc.oneof(fc.constant(''), hex(16)),
        name: fc.string(),
      }),
      fc.record({ startNs: ns, endNs: ns, kind: fc.nat(5) }),
      fc.dictionary(fc.string({ minLength: 1 }), value),
      fc.array(fc.record({ name: fc.string(), timeNs: ns }), { maxLength: 3 }),
      fc.option(fc.string()),
      (ids, facts, attributes, events, error) => {
        const shape = { ...ids, ...facts, attributes, events, ...(error !== null && { error }) };
        t.same(readSpan(encodeSpan(shape)), {
          ...ids,
          ...facts,
          attributes: new Map(Object.entries(attributes)),
          events,
          error,
        });
      },
    ),
    { numRuns: 200 },
  );
  t.end();
});

t.test('any bytes are a span or none', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const span = readSpan(bytes);
      return span === null || typeof span.traceId === 'string';
    }),
    { numRuns: 2000 },
  );
  t.equal(readSpan(encodeSpan().subarray(0, 10)), null);
  t.end();
});

t.test('lists and maps are left out, and the last value of a key counts', (t) => {
  const span = encodeOtlp('Span', {
    attributes: [
      { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }] } } },
      { key: 'twice', value: { stringValue: 'first' } },
      { key: 'twice', value: { stringValue: 'second' } },
      { key: 'negative', value: { intValue: -5 } },
      { key: 'none' },
    ],
  });
  t.same(
    [...readSpan(span)!.attributes],
    [
      ['twice', 'second'],
      ['negative', -5],
    ],
  );
  t.end();
});

t.test('a status is an error by its code alone', (t) => {
  t.equal(readSpan(encodeOtlp('Span', { status: { code: 1, message: 'fine' } }))!.error, null);
  t.equal(readSpan(encodeOtlp('Span', { status: { code: 2 } }))!.error, '');
  t.end();
});

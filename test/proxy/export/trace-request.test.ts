import fc from 'fast-check';
import t from 'tap';
import { keyValue, spanFields, traceRequest, withAttribute } from '../../../proxy/export/trace-request.ts';
import { attributesOf, decodeOtlp, encodeOtlp, type KeyValue } from '../../support/otlp-messages.ts';
import { encodeSpan } from '../../support/span-fixtures.ts';

t.test('spans of any size come out as they went in, in one resource and scope', (t) => {
  const name = fc.oneof(
    fc.string(),
    fc.integer({ min: 0, max: 40_000 }).map((length) => 'x'.repeat(length)),
  );
  fc.assert(
    fc.property(fc.array(fc.array(name, { minLength: 1, maxLength: 3 }), { maxLength: 5 }), (records) => {
      const items = records.map((names) =>
        spanFields(
          names.map((name) => encodeSpan({ name })),
          'ot=th:c',
        ),
      );
      const resource = encodeOtlp('Resource', { attributes: [{ key: 'service.name', value: { stringValue: 'a' } }] });
      const scope = encodeOtlp('InstrumentationScope', { name: 'outrigger' });
      const request = decodeOtlp('ExportTraceServiceRequest', traceRequest(resource, scope, items));
      t.match(request, {
        resourceSpans: [
          {
            resource: { attributes: [{ key: 'service.name', value: { stringValue: 'a' } }] },
            scopeSpans: [{ scope: { name: 'outrigger' } }],
          },
        ],
      });
      const [{ scopeSpans }] = request['resourceSpans'] as [{ scopeSpans: [{ spans: { name: string }[] }] }];
      t.same(
        scopeSpans[0].spans.map(({ name }) => name),
        records.flat(),
      );
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test('every span has the state', (t) => {
  const item = spanFields([encodeSpan({ attributes: { a: 1 } }), encodeSpan()], 'ot=th:c,a=b');
  const request = decodeOtlp('ExportTraceServiceRequest', traceRequest(new Uint8Array(), new Uint8Array(), [item]));
  const spans = [
    { traceState: 'ot=th:c,a=b', attributes: [{ key: 'a' }] },
    { traceState: 'ot=th:c,a=b', attributes: [] },
  ];
  t.match(request, { resourceSpans: [{ scopeSpans: [{ spans }] }] });
  t.end();
});

t.test('without a state there is no field of it', (t) => {
  const span = encodeSpan();
  t.equal(Buffer.compare(spanFields([span], '').subarray(2), span), 0);
  t.end();
});

t.test('an attribute is replaced where it is, and added where it is not', (t) => {
  const attributesIn = (span: Uint8Array) => attributesOf(decodeOtlp('Span', span)['attributes'] as KeyValue[]);
  const span = encodeSpan({ attributes: { a: 1, reason: 'error', b: 'c' }, name: 'kept' });
  const changed = withAttribute(span, 'reason', 'rare');
  t.same(attributesIn(changed), { a: 1, b: 'c', reason: 'rare' });
  t.equal((decodeOtlp('Span', changed)['attributes'] as unknown[]).length, 3, 'keys are unique');
  t.equal(decodeOtlp('Span', changed)['name'], 'kept');
  t.same(attributesIn(withAttribute(encodeSpan(), 'reason', 'rare')), { reason: 'rare' });
  t.end();
});

t.test('a pair of texts is a KeyValue', (t) => {
  t.match(decodeOtlp('KeyValue', keyValue('clé', 'välue')), { key: 'clé', value: { stringValue: 'välue' } });
  t.end();
});

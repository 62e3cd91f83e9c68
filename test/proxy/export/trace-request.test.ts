import fc from 'fast-check';
import t from 'tap';
import { keyValue, spanAttribute, spanFields, traceRequest } from '../../../proxy/export/trace-request.ts';
import { decodeOtlp, encodeOtlp } from '../../support/otlp-messages.ts';
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
          { traceState: 'ot=th:c', firstSpan: spanAttribute('k', 'v') },
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

t.test('every span has the state, and the first what is added to it', (t) => {
  const firstSpan = spanAttribute('sampling.reason', 'rare');
  const item = spanFields([encodeSpan({ attributes: { a: 1 } }), encodeSpan()], {
    traceState: 'ot=th:c,a=b',
    firstSpan,
  });
  const request = decodeOtlp('ExportTraceServiceRequest', traceRequest(new Uint8Array(), new Uint8Array(), [item]));
  t.match(request, {
    resourceSpans: [
      {
        scopeSpans: [
          {
            spans: [
              {
                traceState: 'ot=th:c,a=b',
                attributes: [{ key: 'a' }, { key: 'sampling.reason', value: { stringValue: 'rare' } }],
              },
              { traceState: 'ot=th:c,a=b', attributes: [] },
            ],
          },
        ],
      },
    ],
  });
  t.end();
});

t.test('without a state there is no field of it', (t) => {
  const span = encodeSpan();
  const item = spanFields([span], { traceState: '', firstSpan: new Uint8Array() });
  t.equal(Buffer.compare(item.subarray(2), span), 0);
  t.end();
});

t.test('a pair of texts is a KeyValue', (t) => {
  t.match(decodeOtlp('KeyValue', keyValue('clé', 'välue')), { key: 'clé', value: { stringValue: 'välue' } });
  t.end();
});

import fc from 'fast-check';
import t from 'tap';
import { readSpanRecords } from '../../../proxy/export/span-record-reader.ts';
import {
  keyValue,
  requestBytes,
  TraceRequest,
  traceStateField,
  withAttribute,
} from '../../../proxy/export/trace-request.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';
import { attributesOf, decodeOtlp, encodeOtlp, type KeyValue } from '../../support/otlp-messages.ts';
import { encodeRecords, encodeSpan, type SpanShape } from '../../support/span-fixtures.ts';

/** Returns how many bytes the spans of each record were said to have. */
function addRecords(request: TraceRequest, records: readonly (readonly SpanShape[])[], stateText: string): number[] {
  const state = traceStateField(stateText);
  return readSpanRecords(encodeRecords(...records.map((spans) => ({ spans })))).map((record) => {
    const bytes = requestBytes(record, state.length);
    request.add(record, state, bytes);
    return bytes;
  });
}

const nothing = new Uint8Array();
const stateBytes = 2 + 'ot=th:c'.length;
/** With tag and length. */
const fieldBytes = (length: number): number => 1 + (length < 2 ** 7 ? 1 : length < 2 ** 14 ? 2 : 3) + length;

t.test('spans of any size come out as they went in, in one resource and scope', (t) => {
  const name = fc.oneof(
    fc.string(),
    fc.integer({ min: 0, max: 40_000 }).map((length) => 'x'.repeat(length)),
  );
  fc.assert(
    fc.property(
      fc.array(fc.array(name, { minLength: 1, maxLength: 3 }), { maxLength: 5 }),
      fc.integer({ min: 12, max: 300 }),
      (records, memory) => {
        const request = new TraceRequest(Buffer.alloc(memory, 0xff));
        const sizes = addRecords(
          request,
          records.map((names) => names.map((name) => ({ name }))),
          'ot=th:c',
        );
        const resource = encodeOtlp('Resource', { attributes: [{ key: 'service.name', value: { stringValue: 'a' } }] });
        const scope = encodeOtlp('InstrumentationScope', { name: 'outrigger' });
        const bytes = request.finish(resource, scope);
        t.same(
          sizes,
          records.map((names) =>
            names.reduce((sum, name) => sum + fieldBytes(encodeSpan({ name }).length + stateBytes), 0),
          ),
        );
        const decoded = decodeOtlp('ExportTraceServiceRequest', bytes);
        t.match(decoded, {
          resourceSpans: onlyItems({
            resource: { attributes: onlyItems({ key: 'service.name', value: { stringValue: 'a' } }) },
            scopeSpans: onlyItems({ scope: { name: 'outrigger' } }),
          }),
        });
        const [{ scopeSpans }] = decoded['resourceSpans'] as [{ scopeSpans: [{ spans: { name: string }[] }] }];
        t.same(
          scopeSpans[0].spans.map(({ name }) => name),
          records.flat(),
        );
      },
    ),
    { numRuns: 50 },
  );
  t.end();
});

t.test('every span has the state', (t) => {
  const written = new TraceRequest();
  addRecords(written, [[{ attributes: { a: 1 } }, {}]], 'ot=th:c,a=b');
  const request = decodeOtlp('ExportTraceServiceRequest', written.finish(nothing, nothing));
  const spans = onlyItems(
    { traceState: 'ot=th:c,a=b', attributes: onlyItems({ key: 'a' }) },
    { traceState: 'ot=th:c,a=b', attributes: noItems },
  );
  t.match(request, { resourceSpans: onlyItems({ scopeSpans: onlyItems({ spans }) }) });
  t.end();
});

t.test('without a state there is no field of it', (t) => {
  const request = new TraceRequest();
  const [bytes] = addRecords(request, [[{}]], '');
  const span = encodeSpan();
  t.equal(bytes, 2 + span.length);
  t.ok(Buffer.from(request.finish(nothing, nothing)).includes(Buffer.from(span)));
  t.end();
});

t.test('the memory of a request serves the next one, and grows with what comes', (t) => {
  const namesIn = (bytes: Uint8Array) => {
    const { resourceSpans } = decodeOtlp('ExportTraceServiceRequest', bytes) as {
      resourceSpans: [{ scopeSpans: [{ spans: { name: string }[] }] }];
    };
    return resourceSpans[0].scopeSpans[0].spans.map(({ name }) => name);
  };
  const first = new TraceRequest(Buffer.alloc(40));
  addRecords(first, [[{ name: 'x'.repeat(1000) }]], '');
  t.same(namesIn(first.finish(nothing, nothing)), ['x'.repeat(1000)]);
  t.ok(first.memory.length > 1000);
  const second = new TraceRequest(first.memory);
  addRecords(second, [[{ name: 'b' }]], '');
  t.equal(second.memory, first.memory);
  t.same(namesIn(second.finish(nothing, nothing)), ['b']);
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

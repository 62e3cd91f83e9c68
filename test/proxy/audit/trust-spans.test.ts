import fc from 'fast-check';
import t from 'tap';
import { readSpans, SpanFileError } from '../../../proxy/audit/trust-spans.ts';
import { exportOf, shopTrace, traceId } from '../../support/trusted-trace.ts';

const spans = shopTrace();

t.test('a document and lines of documents are read alike', async (t) => {
  const whole = readSpans(exportOf(spans));
  t.equal(whole.length, 4);
  t.same(readSpans(`${spans.map((span) => exportOf([span])).join('\n')}\n\n`), whole);
  t.match(whole[1], {
    traceId,
    parentSpanId: '0000000000000001',
    name: 'GET /2',
    service: 'shop',
    kind: 'server',
    transport: 'mtls',
    peerId: 'spiffe://cluster.local/sa/web',
    ownId: 'spiffe://cluster.local/sa/cart',
  });
});

t.test('ids may be in capitals, kinds may be names, what is not known is passed over', async (t) => {
  const span = {
    traceId: traceId.toUpperCase(),
    spanId: 'ABCDEF0123456789',
    parentSpanId: '',
    kind: 'SPAN_KIND_CLIENT',
    later: {},
    attributes: [{ key: 'trust.chain', value: { intValue: '1' } }, { key: 'x' }, null],
  };
  const [read] = readSpans(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }], more: 1 }));
  t.match(read, {
    traceId,
    spanId: 'abcdef0123456789',
    parentSpanId: '',
    kind: 'client',
    chain: '',
    name: '',
    service: '',
  });
});

t.test('what is no export of traces is refused by its place', async (t) => {
  const refused = (text: string, message: RegExp) => t.throws(() => readSpans(text), message, text);
  refused('{}', /^the document has no resourceSpans/);
  refused('[]', /^the document has no resourceSpans/);
  refused(`${exportOf(spans)}\nnonsense`, /^line 2 is not JSON/);
  refused(`${exportOf(spans)}\n{}`, /^line 2 has no resourceSpans/);
  const spanOf = (span: object) => JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
  refused(spanOf({ traceId: 'x', spanId: 'y' }), /^the document has a span whose traceId is not 32 hexadecimal digits/);
  refused(spanOf({ traceId, spanId: 'y' }), /span whose spanId is not 16/);
  refused(spanOf({ traceId, spanId: '0'.repeat(16), parentSpanId: 'y' }), /span whose parentSpanId is not 16/);
});

t.test('any JSON is read or refused', async () => {
  const tree = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 5 }, fc.constantFrom(null, 1, '', traceId, '0'.repeat(16)), tie('list'), tie('object')),
    list: fc.array(tie('value'), { maxLength: 3 }),
    object: fc.dictionary(
      fc.constantFrom(
        'resourceSpans',
        'scopeSpans',
        'spans',
        'resource',
        'attributes',
        'traceId',
        'spanId',
        'key',
        'value',
      ),
      tie('value'),
      { maxKeys: 4 },
    ),
  })).value;
  fc.assert(
    fc.property(tree, (value) => {
      try {
        readSpans(JSON.stringify(value));
        return true;
      } catch (error) {
        return error instanceof SpanFileError;
      }
    }),
    { seed: 1, numRuns: 1000 },
  );
});

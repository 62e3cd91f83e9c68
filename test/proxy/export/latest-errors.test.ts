import t from 'tap';
import { LatestErrors } from '../../../proxy/export/latest-errors.ts';
import { readSpan } from '../../../proxy/export/span-view.ts';
import { encodeSpan, type SpanShape, someTraceId } from '../../support/span-fixtures.ts';

const key = 'reviews\n/api\nGET\n-1';
const view = (shape: SpanShape) => readSpan(encodeSpan(shape))!;

t.test('an error says where, when, which trace, and what happened in a sentence', (t) => {
  const errors = new LatestErrors();
  const attributes = { 'http.response.status_code': 503, response_flags: 'UH', upstream_cluster: 'reviews' };
  errors.add(view({ attributes, error: 'no healthy endpoint', endNs: 1_760_000_000_012_500_000n }), key);
  t.same(errors.list(), [
    {
      atMs: 1_760_000_000_012,
      traceId: someTraceId,
      spanId: 'b7ad6b7169203331',
      service: 'reviews',
      route: '/api',
      method: 'GET',
      status: 503,
      grpcStatus: null,
      flags: 'UH',
      sentence: 'GET /a was answered with 503 after 12.5 ms: no healthy endpoint',
    },
  ]);
  t.end();
});

t.test('the sentence names the cluster that answered, a gRPC status, and that nobody answered', (t) => {
  const errors = new LatestErrors();
  errors.add(
    view({ attributes: { 'http.response.status_code': 500, response_flags: '-', upstream_cluster: 'reviews' } }),
    key,
  );
  errors.add(view({ attributes: { 'http.response.status_code': 200, 'rpc.grpc.status_code': 14 } }), key);
  errors.add(view({ attributes: { upstream_cluster: 'reviews' }, error: 'reset' }), key);
  t.same(
    errors.list().map(({ sentence, grpcStatus, flags }) => [sentence, grpcStatus, flags]),
    [
      ['GET /a was not answered after 12.0 ms: reset', null, '-'],
      ['GET /a ended with gRPC status 14 after 12.0 ms', 14, '-'],
      ['GET /a was answered with 500 by reviews after 12.0 ms', null, '-'],
    ],
  );
  t.end();
});

t.test('what the codec refuses is told as a fault of the client, and what its span says comes first', (t) => {
  const errors = new LatestErrors();
  const refused = { 'http.response.status_code': 400, response_flags: 'DPE' };
  errors.add(view({ name: 'HTTP', attributes: refused, endNs: 1_760_000_000_000_000_000n }), key);
  errors.add(view({ attributes: { ...refused, response_flags: 'UC,DPE' }, error: 'a name has no colon' }), key);
  errors.add(view({ attributes: { ...refused, response_flags: 'DC,DPE' } }), key);
  errors.add(view({ attributes: { ...refused, response_flags: 'NR' } }), key);
  t.same(
    errors.list().map(({ sentence }) => sentence),
    [
      'GET /a was answered with 400 after 12.0 ms',
      'GET /a was answered with 400 after 12.0 ms: the request was not valid HTTP',
      'GET /a was answered with 400 after 12.0 ms: a name has no colon',
      'HTTP was answered with 400 after 0.0 ms: the request was not valid HTTP',
    ],
  );
  t.end();
});

t.test('the newest 64 are remembered, newest first', (t) => {
  const errors = new LatestErrors();
  for (let count = 0; count < 100; count++) errors.add(view({ name: `request ${count}` }), key);
  t.equal(errors.list().length, 64);
  t.match(errors.list()[0]!.sentence, /^request 99 /);
  t.match(errors.list().at(-1)!.sentence, /^request 36 /);
  t.end();
});

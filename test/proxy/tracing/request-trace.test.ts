import t from 'tap';
import type { EndpointRuntime } from '../../../proxy/cluster/endpoint-runtime.ts';
import { HeaderTable } from '../../../proxy/http/header-table.ts';
import type { RequestHead } from '../../../proxy/http/message.ts';
import { RandomDigits } from '../../../proxy/tracing/random-digits.ts';
import { TracePool } from '../../../proxy/tracing/request-trace.ts';
import { routeOf } from '../../support/data-plane.ts';
import { Scene } from '../../support/http-fixtures.ts';
import { forwardAction, retryPolicy } from '../../support/route-fixtures.ts';
import { type RecordedRequest, recordsIn, sentField, tracingOf } from '../../support/trace-fixtures.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const callerId = 'b7ad6b7169203331';

function withParent(flags: string, ...more: readonly (readonly [string, string])[]) {
  return ({ headers }: RequestHead): void => {
    headers.append('traceparent', `00-${traceId}-${callerId}-${flags}`);
    for (const [name, value] of more) headers.append(name, value);
  };
}

t.test('each attempt is a child span with an id of its own, which its endpoint was told', async (t) => {
  const routes = [routeOf('/', forwardAction({ retryPolicy: retryPolicy({ retryOn: ['5xx'], numRetries: 1 }) }))];
  const scene = new Scene({
    endpoints: 2,
    routes,
    manager: { tracing: tracingOf({ spawnUpstreamSpan: true }) },
    isOutbound: true,
  });
  scene.request();
  const first = scene.connect();
  scene.respond(first, 500);
  scene.reactor.advance(200);
  const second = scene.connect();
  scene.lose(second);
  const [record] = recordsIn(scene);
  const [request, ...attempts] = record!.spans;
  t.equal(request!.kind, 2);
  t.same(
    attempts.map(({ kind, parentSpanId }) => [kind, parentSpanId]),
    attempts.map(() => [3, request!.spanId]),
  );
  const told = [first, second].map(({ requestHead }) => sentField(requestHead, 'traceparent')!.slice(36, 52));
  t.same(
    attempts.map(({ spanId }) => spanId),
    told,
  );
  t.equal(new Set([request!.spanId, ...told]).size, 3);
  t.match(attempts[0]!.attributes, { 'http.response.status_code': 500, upstream_address: first.endpoint });
  t.match(attempts[1]!.attributes, { 'http.request.resend_count': 1, 'error.type': 'upstream_reset' });
  t.match(attempts[1]!.status, { code: 'STATUS_CODE_ERROR', message: 'lost' });
});

t.test('without child spans an outbound request is one client span, and its attempts are events', async (t) => {
  const routes = [routeOf('/', forwardAction({ retryPolicy: retryPolicy({ retryOn: ['5xx'], numRetries: 1 }) }))];
  const scene = new Scene({ routes, manager: { tracing: tracingOf() }, isOutbound: true });
  scene.request();
  scene.respond(scene.connect(), 503);
  scene.reactor.advance(200);
  scene.respond(scene.connect(), 200);
  const [{ spans }] = recordsIn(scene) as [RecordedRequest];
  t.equal(spans.length, 1);
  t.equal(spans[0]!.kind, 3);
  t.same(spans[0]!.events, [
    { name: 'upstream_attempt', attributes: { upstream_address: '10.0.0.1:80', 'http.response.status_code': 503 } },
    { name: 'upstream_attempt', attributes: { upstream_address: '10.0.0.1:80', 'http.response.status_code': 200 } },
  ]);
});

t.test('trace headers are left as they came where context is not to be propagated', async (t) => {
  const scene = new Scene({ manager: { tracing: tracingOf({ noContextPropagation: true, spawnUpstreamSpan: true }) } });
  scene.request(withParent('01'));
  const connection = scene.connect();
  t.equal(sentField(connection.requestHead, 'traceparent'), `00-${traceId}-${callerId}-01`);
  scene.respond(connection, 200);
  scene.request();
  t.equal(sentField(scene.connect().requestHead, 'traceparent'), undefined);
  const [request, attempt] = recordsIn(scene)[0]!.spans;
  t.equal(attempt!.parentSpanId, request!.spanId);
  t.not(attempt!.spanId, request!.spanId);
});

t.test('an object that was given back is new to the next request, and holds on to nothing', async (t) => {
  const pool = new TracePool();
  const first = pool.take();
  const random = new RandomDigits((bytes) => bytes.fill(7));
  const propagation = { formats: 1, isSilent: false, hasAttemptSpans: true, isClient: false, random };
  first.begin(propagation);
  first.beginAttempt({} as EndpointRuntime, new HeaderTable(), 1);
  first.attemptFailed('refused');
  first.attemptFailed('not the first reason');
  first.endAttempt(2);
  first.attemptAnswered(200);
  t.match(first.attempts[0], { failure: 'refused', endedAtMs: 2, status: 0 });
  first.isUpgraded = true;
  first.givenOperation = 'x';
  pool.give(first);
  t.equal(first.attempts[0]!.endpoint, null);
  t.equal(pool.take(), first);
  first.begin(propagation);
  t.match(first, { isUpgraded: false, givenOperation: '', attemptCount: 0, isHeadKept: false, hasThreshold: false });
  first.beginAttempt({} as EndpointRuntime, new HeaderTable(), 5);
  t.match(first.attempts[0], { failure: '', endedAtMs: -1, startedAtMs: 5 });
});

import t from 'tap';
import type { ZipkinProvider } from '../../../config/tracing.ts';
import type { EndpointRuntime } from '../../../proxy/cluster/endpoint-runtime.ts';
import { HeaderTable } from '../../../proxy/http/header-table.ts';
import type { RequestHead } from '../../../proxy/http/message.ts';
import { RandomDigits } from '../../../proxy/tracing/random-digits.ts';
import { TracePool } from '../../../proxy/tracing/request-trace.ts';
import { routeOf } from '../../support/data-plane.ts';
import { Scene } from '../../support/http-fixtures.ts';
import { forwardAction, retryPolicy } from '../../support/route-fixtures.ts';
import { type RecordedRequest, recordsIn, sentField, someProvider, tracingOf } from '../../support/trace-fixtures.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const callerId = 'b7ad6b7169203331';

const zipkin: ZipkinProvider = {
  kind: 'zipkin',
  name: 'envoy.tracers.zipkin',
  service: someProvider.service,
  encoding: 'json',
  traceId128Bit: true,
  sharedSpanContext: false,
  alsoW3c: false,
};

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

t.test(
  "Zipkin's provider writes B3, W3C beside it where that is asked for, and ids of 64 bits unless 128 are",
  async (t) => {
    const begun = (fields: Partial<ZipkinProvider>) => {
      const provider: ZipkinProvider = { ...zipkin, ...fields };
      const scene = new Scene({ manager: { tracing: tracingOf({ provider }) } });
      scene.request();
      const { requestHead } = scene.connect();
      return ['x-b3-traceid', 'traceparent', 'b3'].map((name) => sentField(requestHead, name)?.length);
    };
    t.same(begun({}), [32, undefined, undefined]);
    t.same(begun({ alsoW3c: true }), [32, 55, undefined]);
    t.same(begun({ traceId128Bit: false }), [16, undefined, undefined]);
  },
);

t.test(
  "Zipkin's span of a request that came is the caller's where spans are shared, and of one that leaves is not",
  async (t) => {
    const provider: ZipkinProvider = { ...zipkin, sharedSpanContext: true };
    const spanIds = [false, true].map((isOutbound) => {
      const scene = new Scene({ manager: { tracing: tracingOf({ provider }) }, isOutbound });
      scene.request(({ headers }) => {
        headers.append('x-b3-traceid', traceId);
        headers.append('x-b3-spanid', callerId);
        headers.append('x-b3-sampled', '1');
      });
      return sentField(scene.connect().requestHead, 'x-b3-spanid');
    });
    t.equal(spanIds[0], callerId);
    t.match(spanIds[1], /^[0-9a-f]{16}$/);
    t.not(spanIds[1], callerId);
  },
);

t.test('what a record is weighed by is the random value that its trace brings, else the end of the id', async (t) => {
  const scene = new Scene({ manager: { tracing: tracingOf() } });
  for (const state of ['ot=rv:123456789abcde', 'ot=th:0']) {
    scene.request(withParent('01', ['tracestate', state]));
    scene.respond(scene.connect(), 200);
  }
  t.same(
    recordsIn(scene).map(({ random }) => random),
    ['123456789abcde', traceId.slice(-14)],
  );
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

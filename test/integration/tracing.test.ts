// One request through two proxies, as a caller's sidecar and a callee's: whose span is whose child, what is kept of requests
// that nobody chose, and what spans say of attempts and of replies of our own.

import { once } from 'node:events';
import { request } from 'node:http';
import t, { type Test } from 'tap';
import { startHttpOrigin } from '../support/http-origin.ts';
import { type CollectedSpan, type OtlpCollector, startOtlpCollector } from '../support/otlp-collector.ts';
import { clusterAt, httpFilterChain, type Sidecar, socketAddress, startSidecar } from '../support/sidecar.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);

const closedPort = 1;

interface HopOptions {
  readonly direction: 'INBOUND' | 'OUTBOUND';
  readonly upstreamPort: number;
  readonly collector: OtlpCollector;
}

/** A proxy that names itself after its direction; attempts have spans on the caller's side. Only `/chosen` is. */
async function startHop(t: Test, options: HopOptions): Promise<Sidecar> {
  const { direction, upstreamPort, collector } = options;
  const isOutbound = direction === 'OUTBOUND';
  const provider = {
    name: 'envoy.tracers.opentelemetry',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
      http_service: { http_uri: { uri: 'http://collector/v1/traces', cluster: 'collector', timeout: '1s' } },
      service_name: direction.toLowerCase(),
    },
  };
  const decorator = { operation: `${direction} app` };
  const chosen = { random_sampling: { numerator: isOutbound ? 100 : 0 } };
  const routes = [
    { name: 'chosen', match: { prefix: '/chosen' }, route: { cluster: 'app' }, tracing: chosen, decorator },
    { name: 'closed', match: { prefix: '/closed' }, route: { cluster: 'closed' } },
    {
      name: 'main',
      match: { prefix: '/' },
      route: { cluster: 'app', ...(isOutbound && { retry_policy: { retry_on: 'gateway-error', num_retries: 1 } }) },
      decorator,
    },
  ];
  const manager = {
    tracing: { provider, random_sampling: { value: 0 }, spawn_upstream_span: isOutbound },
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
  };
  const listeners = [
    {
      name: 'http',
      address: socketAddress(0),
      traffic_direction: direction,
      filter_chains: [httpFilterChain('app', manager)],
    },
  ];
  const clusters = [
    clusterAt('app', upstreamPort),
    clusterAt('closed', closedPort),
    clusterAt('collector', collector.httpPort),
  ];
  return startSidecar(t, {
    bootstrap: { static_resources: { listeners, clusters } },
    flags: ['--concurrency', '1', '--drain-time-s', '1'],
  });
}

interface Chain {
  /** Trace headers that the application got, a request each. */
  readonly traceparents: (string | undefined)[];
  get(path: string): Promise<number>;
  /** The next spans to arrive, `count` at least. */
  spans(count: number): Promise<readonly CollectedSpan[]>;
}

/** Caller's proxy, callee's proxy, an application that answers with the status of its path, and one collector. */
async function startChain(t: Test): Promise<Chain> {
  const traceparents: (string | undefined)[] = [];
  const failed = new Set<string>();
  const port = await startHttpOrigin(t, ({ url = '', headers }, response) => {
    traceparents.push(headers['traceparent'] as string | undefined);
    const isFailing = url.startsWith('/fails-first') && !failed.has(url);
    failed.add(url);
    response.writeHead(isFailing ? 503 : Number(url.slice(1)) || 200).end('body');
  });
  const collector = await startOtlpCollector(t);
  const inbound = await startHop(t, { collector, direction: 'INBOUND', upstreamPort: port });
  const outbound = await startHop(t, { collector, direction: 'OUTBOUND', upstreamPort: inbound.port('http') });
  const get = async (path: string): Promise<number> => {
    const sent = request({ port: outbound.port('http'), host: '127.0.0.1', path, headers: { host: 'app.example' } });
    sent.end();
    const [response] = await once(sent, 'response');
    response.resume();
    await once(response, 'end');
    return response.statusCode;
  };
  let seen = 0;
  const spans = async (count: number) => {
    const all = await collector.spansAfter(seen + count);
    const next = all.slice(seen);
    seen = all.length;
    return next;
  };
  return { traceparents, get, spans };
}

/** Spans by the service that recorded them, those of a request before those of its attempts. */
function spansOf(spans: readonly CollectedSpan[], service: string): readonly CollectedSpan[] {
  const own = spans.filter(({ resource }) => resource['service.name'] === service);
  return [
    ...own.filter(({ kind }) => kind === 'SPAN_KIND_SERVER'),
    ...own.filter(({ kind }) => kind !== 'SPAN_KIND_SERVER'),
  ];
}

const { traceparents, get, spans } = await startChain(t);

t.test('a chosen request is one tree: caller, its attempt, callee, and the application below', async (t) => {
  t.equal(await get('/chosen'), 200);
  const arrived = await spans(3);
  t.equal(arrived.length, 3);
  const [caller, attempt] = spansOf(arrived, 'outbound');
  const [callee] = spansOf(arrived, 'inbound');
  t.equal(new Set(arrived.map(({ traceId }) => traceId)).size, 1);
  t.equal(caller!.parentSpanId, '');
  t.match(attempt, { parentSpanId: caller!.spanId, kind: 'SPAN_KIND_CLIENT' });
  t.match(callee, { parentSpanId: attempt!.spanId, kind: 'SPAN_KIND_SERVER' });
  t.equal(traceparents.at(-1), `00-${callee!.traceId}-${callee!.spanId}-03`);
  t.same([caller!.name, callee!.name], ['OUTBOUND app', 'OUTBOUND app'], 'the caller told the callee its operation');
  t.same([caller!.attributes['sampling.reason'], callee!.attributes['sampling.reason']], ['head', 'parent']);
  t.same([caller!.traceState, callee!.traceState], ['ot=th:0', 'ot=th:0']);
  t.ok(caller!.startNs <= attempt!.startNs && attempt!.endNs <= caller!.endNs);
  t.ok(callee!.endNs > callee!.startNs);
  t.same([caller!.attributes['upstream_cluster'], caller!.attributes['response_flags']], ['app', '-']);
  t.equal(caller!.attributes['trust.transport'], 'plain');
});

t.test('where nothing is chosen an error is kept by every hop, with ids that join', async (t) => {
  t.equal(await get('/200'), 200);
  t.equal(await get('/500'), 500);
  const arrived = await spans(3);
  const [caller, attempt] = spansOf(arrived, 'outbound');
  const [callee] = spansOf(arrived, 'inbound');
  t.equal(arrived.length, 3, 'nothing of the request that went well');
  t.match(traceparents.at(-1), new RegExp(`^00-${caller!.traceId}-${callee!.spanId}-02$`), 'told on as not chosen');
  t.same([attempt!.parentSpanId, callee!.parentSpanId], [caller!.spanId, attempt!.spanId]);
  for (const span of [caller, callee]) {
    t.match(span, {
      traceId: caller!.traceId,
      traceState: 'ot=th:0',
      attributes: { 'sampling.reason': 'error', 'http.response.status_code': 500, 'error.type': '500' },
      status: { code: 'STATUS_CODE_ERROR' },
    });
  }
});

t.test('a retry that helped is kept, with both attempts', async (t) => {
  t.equal(await get('/fails-first'), 200);
  // The callee keeps its failure as an error.
  const arrived = await spans(4);
  const [caller, ...attempts] = spansOf(arrived, 'outbound');
  t.equal(caller!.attributes['sampling.reason'], 'retry');
  t.equal(caller!.status.code, 'STATUS_CODE_UNSET');
  t.same(
    attempts.map(({ parentSpanId, attributes, status }) => [
      parentSpanId,
      attributes['http.response.status_code'],
      attributes['http.request.resend_count'],
      status.code,
    ]),
    [
      [caller!.spanId, 503, undefined, 'STATUS_CODE_ERROR'],
      [caller!.spanId, 200, 1, 'STATUS_CODE_UNSET'],
    ],
  );
  const [callee, ...others] = spansOf(arrived, 'inbound');
  t.same(others, []);
  t.equal(callee!.parentSpanId, attempts[0]!.spanId);
});

t.test('a reply of our own is an error, and its span says in plain words what happened', async (t) => {
  t.equal(await get('/closed'), 503);
  const [caller, attempt] = spansOf(await spans(2), 'outbound');
  t.match(caller, {
    attributes: { response_flags: 'UF', 'error.type': 'UF', upstream_cluster: 'closed', 'http.route': '/closed' },
    status: { code: 'STATUS_CODE_ERROR', message: /^closed at 127\.0\.0\.1:1: / },
  });
  t.match(attempt, { parentSpanId: caller!.spanId, attributes: { 'error.type': 'upstream_reset' } });
});

// Kept requests as collectors see them, through a running proxy and real sockets; and collectors that are bad in every way, which
// no request is to notice.

import { once } from 'node:events';
import { request } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startHttpOrigin } from '../support/http-origin.ts';
import { type CollectorBehaviour, startOtlpCollector } from '../support/otlp-collector.ts';
import { clusterAt, httpFilterChain, type Sidecar, socketAddress, startSidecar } from '../support/sidecar.ts';
import { startZipkinCollector } from '../support/zipkin-collector.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);
// While one waits another goes on: each has processes of its own.
t.jobs = 2;

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const parentId = '00f067aa0ba902b7';
const traced = { traceparent: `00-${traceId}-${parentId}-01`, tracestate: 'a=b,ot=th:c' };

/** A listener whose tracer sends to a collector of its own. */
interface TracedListener {
  readonly name: string;
  readonly kind: 'otlp-http' | 'otlp-grpc' | 'zipkin';
  readonly collectorPort: number;
  readonly mostPercent?: number;
  readonly timeout?: string;
}

/** All is kept, and nothing because a busy machine makes it slow. */
const keepAll = `sampling:
  base_rate: 1
  rules: []
  budget: { traces_per_second: 1000 }
  slow: { keep: never }
`;

/** Of a collector that answers: a machine that stands still is not to make it late, which sends spans again or loses them. */
const patient = '60s';

/** A proxy before an endpoint whose status is the path of the request. */
async function startProxy(t: Test, listeners: readonly TracedListener[]): Promise<Sidecar> {
  const origin = await startHttpOrigin(t, ({ url }, response) => response.writeHead(Number(url?.slice(1))).end('body'));
  const app = clusterAt('app', origin);
  const collectors = listeners.map(({ name, kind, collectorPort }) => ({
    ...clusterAt(name, collectorPort),
    ...(kind === 'otlp-grpc' && { http2_protocol_options: {} }),
  }));
  const sampling = join(t.testdir({ 'sampling.yaml': keepAll }), 'sampling.yaml');
  return startSidecar(t, {
    bootstrap: { static_resources: { listeners: listeners.map(listenerOf), clusters: [app, ...collectors] } },
    flags: ['--concurrency', '1', '--drain-time-s', '2', '--sampling-config', sampling],
  });
}

function listenerOf({ name, kind, mostPercent = 100, timeout = '1s' }: TracedListener): object {
  const manager = {
    tracing: { provider: providerOf(kind, name, timeout), overall_sampling: { value: mostPercent } },
    route_config: {
      virtual_hosts: [
        { name: 'all', domains: ['*'], routes: [{ name: 'main', match: { prefix: '/' }, route: { cluster: 'app' } }] },
      ],
    },
  };
  return { name, address: socketAddress(0), filter_chains: [httpFilterChain('app', manager)] };
}

function providerOf(kind: TracedListener['kind'], cluster: string, timeout: string): object {
  const type = 'type.googleapis.com/envoy.config.trace.v3';
  if (kind === 'zipkin') {
    const typed_config = {
      '@type': `${type}.ZipkinConfig`,
      collector_cluster: cluster,
      collector_endpoint: '/api/v2/spans',
      collector_endpoint_version: 'HTTP_JSON',
    };
    return { name: 'envoy.tracers.zipkin', typed_config };
  }
  const service =
    kind === 'otlp-http'
      ? { http_service: { http_uri: { uri: 'http://collector/v1/traces', cluster, timeout } } }
      : { grpc_service: { envoy_grpc: { cluster_name: cluster }, timeout } };
  const typed_config = { '@type': `${type}.OpenTelemetryConfig`, ...service, service_name: 'reviews' };
  return { name: 'envoy.tracers.opentelemetry', typed_config };
}

async function get(port: number, path = '/200', headers: Readonly<Record<string, string>> = {}): Promise<number> {
  const sent = request({ port, host: '127.0.0.1', path, headers: { host: 'reviews', ...headers } });
  sent.end();
  const [response] = await once(sent, 'response');
  response.resume();
  await once(response, 'end');
  return response.statusCode;
}

t.test('kept requests reach the collector of their listener', async (t) => {
  const collectors = { http: await startOtlpCollector(t), grpc: await startOtlpCollector(t) };
  const errors = await startOtlpCollector(t);
  const zipkin = await startZipkinCollector(t);
  const proxy = await startProxy(t, [
    { name: 'http', kind: 'otlp-http', collectorPort: collectors.http.httpPort, timeout: patient },
    { name: 'grpc', kind: 'otlp-grpc', collectorPort: collectors.grpc.grpcPort, timeout: patient },
    { name: 'errors', kind: 'otlp-http', collectorPort: errors.httpPort, timeout: patient, mostPercent: 0 },
    { name: 'zipkin', kind: 'zipkin', collectorPort: zipkin.port },
  ]);

  // A span leaves a second or two behind its request: they wait for theirs side by side.
  t.jobs = 4;
  const exported = (['http', 'grpc'] as const).map((name) =>
    t.test(`over ${name} a request is a span of its caller's trace`, async (t) => {
      const collector = collectors[name];
      t.equal(await get(proxy.port(name), '/200', traced), 200);
      const span = (await collector.spansAfter(1)).at(-1)!;
      t.match(span, {
        traceId,
        parentSpanId: parentId,
        kind: 'SPAN_KIND_SERVER',
        attributes: { 'http.response.status_code': 200, 'sampling.reason': 'parent', upstream_cluster: 'app' },
        resource: { 'service.name': 'reviews', 'telemetry.sdk.name': 'outrigger' },
        scope: 'outrigger',
      });
      t.match(span.traceState, /(^|,)a=b(,|$)/);
      t.ok(span.endNs >= span.startNs);
      t.equal(collector.requests.at(-1)!.protocol, name);
    }),
  );

  const error = t.test('an error is kept where nothing else is, and counts for itself', async (t) => {
    for (let count = 0; count < 5; count++) t.equal(await get(proxy.port('errors')), 200);
    t.equal(await get(proxy.port('errors'), '/503'), 503);
    const spans = await errors.spansAfter(1);
    t.equal(spans.length, 1);
    t.match(spans[0], {
      attributes: { 'sampling.reason': 'error', 'http.response.status_code': 503 },
      status: { code: 'STATUS_CODE_ERROR' },
      traceState: 'ot=th:0',
    });
  });

  const shared = t.test('Zipkin shares the span of the caller', async (t) => {
    const b3 = { 'x-b3-traceid': traceId, 'x-b3-spanid': parentId, 'x-b3-sampled': '1' };
    t.equal(await get(proxy.port('zipkin'), '/200', b3), 200);
    const [span] = await zipkin.spansAfter(1);
    t.match(span, {
      traceId,
      id: parentId,
      shared: true,
      kind: 'SERVER',
      tags: {
        component: 'proxy',
        'http.status_code': '200',
        'http.url': 'http://reviews/200',
        upstream_cluster: 'app',
      },
    });
  });

  await Promise.all([...exported, error, shared]);
  await t.test('what waits leaves before the process does', async (t) => {
    const before = collectors.http.spans().length;
    for (let count = 0; count < 20; count++) await get(proxy.port('http'));
    const stats = await proxy.admin('/stats?filter=tracing');
    t.match(stats, /tracing\.opentelemetry\.reports_sent: [1-9]/);
    t.match(stats, /tracing\.zipkin\.spans_sent: 1\n/);
    proxy.process.kill('SIGTERM');
    t.equal(await proxy.ended, 0);
    t.equal(collectors.http.spans().length, before + 20);
  });
});

t.test('a collector that is bad in any way is noticed by no request', async (t) => {
  const listeners: TracedListener[] = [{ name: 'nobody', kind: 'otlp-http', collectorPort: 1 }];
  const bad: readonly (readonly [string, CollectorBehaviour])[] = [
    ['silent', { kind: 'silent' }],
    ['cutting', { kind: 'cut' }],
    ['refusing', { kind: 'refuse', http: 400, grpc: 3 }],
    ['busy', { kind: 'refuse', http: 503, grpc: 14, retryAfter: '3600' }],
    ['nonsense', { kind: 'nonsense' }],
  ];
  for (const [name, behaviour] of bad) {
    const { httpPort, grpcPort } = await startOtlpCollector(t, behaviour);
    listeners.push({ name, kind: 'otlp-http', collectorPort: httpPort });
    listeners.push({ name: `${name}-grpc`, kind: 'otlp-grpc', collectorPort: grpcPort });
    // Nonsense is what a collector answers that has read OTLP.
    if (name !== 'nonsense') listeners.push({ name: `${name}-zipkin`, kind: 'zipkin', collectorPort: httpPort });
  }
  const garbage = createTcpServer((socket) => void socket.on('error', () => {}).end('no HTTP\r\n\r\n'));
  garbage.listen(0, '127.0.0.1');
  await once(garbage, 'listening');
  t.teardown(() => garbage.close());
  const { port: collectorPort } = garbage.address() as AddressInfo;
  for (const kind of ['otlp-http', 'otlp-grpc', 'zipkin'] as const) {
    listeners.push({ name: `garbage-${kind}`, kind, collectorPort });
  }
  const proxy = await startProxy(t, listeners);
  const requests = 40;
  for (const { name } of listeners) {
    for (let count = 0; count < requests; count++) {
      const status = await get(proxy.port(name));
      if (status !== 200) t.fail(`${name}: request ${count} got ${status}`);
    }
  }
  await proxy.logged(/spans do not reach collector (silent|nobody|refusing)/);
  proxy.process.kill('SIGTERM');
  t.equal(await proxy.ended, 0, 'nor does it hold up the end');
});

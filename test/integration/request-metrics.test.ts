// Every request is counted by service, route and outcome, and the admin interface exports it.

import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startHttpOrigin } from '../support/http-origin.ts';
import { startNamedOrigin } from '../support/named-origin.ts';
import { parseOpenMetrics } from '../support/openmetrics-parser.ts';
import { startOtlpCollector } from '../support/otlp-collector.ts';
import { pause } from '../support/pause.ts';
import { clusterAt, httpFilterChain, type Sidecar, socketAddress, startSidecar } from '../support/sidecar.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);
// While one waits another goes on: each has processes of its own.
t.jobs = 3;

function bootstrap(port: number, collectorPort?: number): object {
  const routes = [
    { name: 'gone', match: { path: '/gone' }, direct_response: { status: 410 } },
    { match: { prefix: '/' }, route: { cluster: 'outbound|80||reviews.shop' } },
  ];
  const route_config = { name: 'routes', virtual_hosts: [{ name: 'all', domains: ['*'], routes }] };
  const tracing = { provider, random_sampling: { value: 0 } };
  const chain = httpFilterChain('', { route_config, ...(collectorPort !== undefined && { tracing }) });
  const listeners = [{ name: 'http', address: socketAddress(0), filter_chains: [chain] }];
  const clusters = [clusterAt('outbound|80||reviews.shop', port), clusterAt('collector', collectorPort ?? 1)];
  return { static_resources: { listeners, clusters } };
}

const provider = {
  name: 'envoy.tracers.opentelemetry',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
    http_service: { http_uri: { uri: 'http://collector/v1/traces', cluster: 'collector', timeout: '1s' } },
  },
};

/** No request is kept for what it is or becomes, not even one that a busy machine makes slow. */
const keepNothing = `sampling:
  base_rate: 0
  rules: []
  floor: { per_route_per_minute: 0 }
  slow: { keep: never }
`;

/** Before an origin, with a collector; traces of callers alone are kept. */
function startTraced(t: Test, origin: number, collector: { readonly httpPort: number }): Promise<Sidecar> {
  const file = join(t.testdir({ 'sampling.yaml': keepNothing }), 'sampling.yaml');
  return startSidecar(t, { bootstrap: bootstrap(origin, collector.httpPort), flags: ['--sampling-config', file] });
}

async function scrape(sidecar: Sidecar) {
  const headers = { accept: 'application/openmetrics-text' };
  const answer = await fetch(`http://127.0.0.1:${sidecar.adminPort}/stats/prometheus?usedonly`, { headers });
  return parseOpenMetrics(await answer.text());
}

t.test('all requests are counted when that is asked for', async (t) => {
  const port = await startNamedOrigin(t, 'one', '127.0.0.1');
  const sidecar = await startSidecar(t, { bootstrap: bootstrap(port), flags: ['--request-metrics'] });
  for (const path of ['/a', '/b', '/gone']) {
    await (await fetch(`http://127.0.0.1:${sidecar.port('http')}${path}`)).text();
  }
  // The last is counted after its answer has left.
  const total = (found: typeof families) =>
    (found.get('outrigger_requests')?.samples ?? []).reduce((sum, { value }) => sum + value, 0);
  let families = await scrape(sidecar);
  while (total(families) < 3) {
    await pause();
    families = await scrape(sidecar);
  }
  const samples = families.get('outrigger_requests')!.samples;
  t.strictSame(
    samples.map(
      ({ labels, value }) => `${labels.get('service')} ${labels.get('route')} ${labels.get('status')} ${value}`,
    ),
    [' gone 4xx 1', 'reviews.shop / 2xx 2'],
  );
  const durations = families.get('outrigger_request_duration_milliseconds')!.samples;
  t.strictSame(
    durations.filter(({ name }) => name.endsWith('_count')).map(({ value }) => value),
    [1, 2],
  );
  t.notMatch(await sidecar.admin('/stats'), 'requests_total', 'the text is Envoy’s');
});

t.test('where traces are, all requests are counted and those that are kept are exemplars', async (t) => {
  const collector = await startOtlpCollector(t);
  const origin = await startNamedOrigin(t, 'one', '127.0.0.1');
  const sidecar = await startTraced(t, origin, collector);
  const ask = async (headers: Record<string, string>) =>
    (await fetch(`http://127.0.0.1:${sidecar.port('http')}/a`, { headers })).text();
  const traceId = 'ab'.repeat(16);
  await ask({});
  await ask({ traceparent: `00-${traceId}-${'cd'.repeat(8)}-01` });
  const [span] = await collector.spansAfter(1);
  const families = await scrape(sidecar);
  t.equal(families.get('outrigger_requests')!.samples[0]!.value, 2);
  const buckets = families.get('outrigger_request_duration_milliseconds')!.samples;
  const found = buckets.flatMap(({ exemplar }) => (exemplar === undefined ? [] : [exemplar]));
  t.strictSame(
    found.map(({ labels }) => Object.fromEntries(labels)),
    [{ trace_id: traceId, span_id: span!.spanId }],
  );
  t.equal(found[0]!.timestamp, Number(span!.endNs / 1_000_000n) / 1000);
});

t.test('requests that came without a trace are counted by whom they called', async (t) => {
  const collector = await startOtlpCollector(t);
  const origin = await startNamedOrigin(t, 'one', '127.0.0.1');
  const sidecar = await startTraced(t, origin, collector);
  const [traceId, spanId] = ['ab'.repeat(16), 'cd'.repeat(8)];
  const brought = [
    {},
    { traceparent: `00-${traceId}-${spanId}-00` },
    {},
    { b3: `${traceId}-${spanId}-0` },
    { 'x-b3-traceid': traceId, 'x-b3-spanid': spanId, 'x-b3-sampled': '0' },
    { traceparent: 'nonsense' },
  ] as Record<string, string>[];
  for (const headers of brought) {
    await (await fetch(`http://127.0.0.1:${sidecar.port('http')}/a`, { headers })).text();
  }
  const sumOf = (families: Awaited<ReturnType<typeof scrape>>, name: string) =>
    (families.get(name)?.samples ?? []).reduce((sum, { value }) => sum + value, 0);
  // All were read once those that nothing chose are known to be dropped.
  let families = await scrape(sidecar);
  while (sumOf(families, 'outrigger_sampler_dropped') < brought.length) {
    await pause();
    families = await scrape(sidecar);
  }
  const begun = families.get('outrigger_sampler_begun')!.samples;
  t.strictSame(
    begun.map(({ labels, value }) => `${labels.get('service')} ${labels.get('route')} ${value}`),
    ['reviews.shop / 3'],
  );
  t.equal(sumOf(families, 'outrigger_requests'), brought.length);
});

t.test('the status of gRPC is counted of requests whose trace nobody keeps', async (t) => {
  const collector = await startOtlpCollector(t);
  const origin = await startHttpOrigin(t, (request, response) => {
    const { url } = request;
    response.writeHead(200, { 'content-type': 'application/grpc', 'grpc-status': url!.slice('/status/'.length) }).end();
  });
  const sidecar = await startTraced(t, origin, collector);
  const headers = { 'content-type': 'application/grpc' };
  for (const status of ['0', '5', '0']) {
    const url = `http://127.0.0.1:${sidecar.port('http')}/status/${status}`;
    await (await fetch(url, { method: 'POST', headers })).text();
  }
  let samples = (await scrape(sidecar)).get('outrigger_requests')?.samples ?? [];
  while (samples.reduce((sum, { value }) => sum + value, 0) < 3) {
    await pause();
    samples = (await scrape(sidecar)).get('outrigger_requests')?.samples ?? [];
  }
  t.strictSame(
    samples.map(({ labels, value }) => `${labels.get('status')} ${labels.get('grpc_status')} ${value}`),
    ['2xx 0 2', '2xx 5 1'],
  );
  t.equal(collector.spans().length, 0, 'no trace was kept');
});

t.test('without a tracing provider, and without the flag, nothing of requests is kept', async (t) => {
  const port = await startNamedOrigin(t, 'one', '127.0.0.1');
  const sidecar = await startSidecar(t, { bootstrap: bootstrap(port) });
  await (await fetch(`http://127.0.0.1:${sidecar.port('http')}/a`)).text();
  const families = await scrape(sidecar);
  t.notOk(families.has('outrigger_requests'));
  t.ok(families.has('envoy_http_downstream_rq'), 'though requests were counted');
});

// The end-to-end proof of sampling: the Collector's own span-metrics connector, which has seen a sample, arrives at the
// counts of everything that the proxy forwarded.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { adjustedCount, readThreshold } from '../../sampler/threshold.ts';
import { startHttpOrigin } from '../support/http-origin.ts';
import { clusterAt, httpFilterChain, socketAddress, startSidecar } from '../support/sidecar.ts';
import { whyNotBuilt } from '../support/why-not-built.ts';
import { buildCollector, type Calls, type Collector, type ReceivedSpan, startCollector } from './collector.ts';

/** The first run builds the program, for two minutes on a quiet machine. */
t.setTimeout(900_000);
// While one waits another goes on: each has processes of its own.
t.jobs = 2;

const missing = whyNotBuilt(buildCollector);

const services = ['orders', 'payment', 'reviews'] as const;
const requests = 6_000;
const inFlight = 32;

/** Answers `/fail` with 500 and everything else with 200. */
function startOrigin(t: Test): Promise<number> {
  return startHttpOrigin(t, ({ url }, response) => response.writeHead(url!.endsWith('/fail') ? 500 : 200).end());
}

async function startTraced(t: Test, collector: Collector, sampling: object) {
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-sampling-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'sampling.yaml');
  writeFileSync(file, JSON.stringify({ sampling }));
  const origin = await startOrigin(t);
  const routes = services.map((name) => ({ name, match: { prefix: `/${name}` }, route: { cluster: name } }));
  const manager = {
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
    tracing: {
      provider: {
        name: 'envoy.tracers.opentelemetry',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
          service_name: 'gateway',
          grpc_service: { envoy_grpc: { cluster_name: 'collector' }, timeout: '5s' },
        },
      },
    },
  };
  const http2 = {
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
  const bootstrap = {
    static_resources: {
      listeners: [{ name: 'http', address: socketAddress(0), filter_chains: [httpFilterChain('none', manager)] }],
      clusters: [...services.map((name) => clusterAt(name, origin)), clusterAt('collector', collector.grpcPort, http2)],
    },
  };
  return startSidecar(t, { bootstrap, flags: ['--concurrency', '2', '--sampling-config', file] });
}

interface Count {
  ok: number;
  failed: number;
}
type Counts = Record<string, Count>;

/** Every fifth to payment, every third to reviews; one of 40 fails. */
async function load(port: number): Promise<Counts> {
  const counts: Counts = Object.fromEntries(services.map((name) => [name, { ok: 0, failed: 0 }]));
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight });
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < requests) {
      const number = next++;
      const service = number % 5 === 0 ? 'payment' : number % 3 === 0 ? 'reviews' : 'orders';
      const fails = number % 40 === 7;
      const sent = request({ agent, host: '127.0.0.1', port, path: `/${service}${fails ? '/fail' : '/'}` });
      sent.end();
      const [response] = await once(sent, 'response');
      response.resume();
      await once(response, 'end');
      counts[service]![fails ? 'failed' : 'ok']++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  agent.destroy();
  return counts;
}

/** What the connector counted. */
function countedBy(collector: Collector): Counts {
  const counts: Counts = Object.fromEntries(services.map((name) => [name, { ok: 0, failed: 0 }]));
  for (const { attributes, count } of collector.calls()) {
    const isError = attributes['status.code'] === 'STATUS_CODE_ERROR';
    const ofService = counts[attributes['upstream_cluster.name']!];
    if (ofService !== undefined) ofService[isError ? 'failed' : 'ok'] += count;
  }
  return counts;
}

const weight = (span: ReceivedSpan): number => {
  const th = /(?:^|,)ot=(?:[^,]*;)?th:([0-9a-f]+)/.exec(span.traceState)?.[1];
  return th === undefined ? 1 : adjustedCount(readThreshold(th)!);
};

/** Five standard deviations of an estimate that is made of these spans, and one for rounding. */
function bar(spans: readonly ReceivedSpan[]): number {
  return 5 * Math.sqrt(spans.reduce((sum, span) => sum + weight(span) * (weight(span) - 1), 0)) + 1;
}

/**
 * The collector takes a span, prints and counts it, and then answers. So one that is sent when the proxy has ended is the
 * last of all that it prints, and when it is counted everything is. The connector begins each series with a point of 0.
 */
async function settled(collector: Collector): Promise<void> {
  const pair = (key: string) => ({ key, value: { stringValue: 'the end' } });
  const span = { traceId: '1'.repeat(32), spanId: '1'.repeat(16), attributes: [pair('upstream_cluster.name')] };
  const body = {
    resourceSpans: [{ resource: { attributes: [pair('service.name')] }, scopeSpans: [{ spans: [span] }] }],
  };
  const { status } = await fetch(`http://127.0.0.1:${collector.httpPort}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (status !== 200) throw new Error(`the collector answers ${status}`);
  const isLast = ({ attributes, count }: Calls) => attributes['upstream_cluster.name'] === 'the end' && count > 0;
  while (!collector.calls().some(isLast)) await collector.next();
}

async function compare(t: Test, sampling: object): Promise<readonly ReceivedSpan[]> {
  const collector = await startCollector();
  t.teardown(() => collector.stop());
  const sidecar = await startTraced(t, collector, sampling);
  const truth = await load(sidecar.port('http'));
  sidecar.process.kill('SIGTERM');
  t.equal(await sidecar.ended, 0, 'it says good-bye with everything sent');
  await settled(collector);
  const counted = countedBy(collector);
  for (const service of services) {
    for (const kind of ['ok', 'failed'] as const) {
      const spans = collector.spans.filter(
        ({ attributes }) =>
          attributes['upstream_cluster.name'] === service &&
          (attributes['http.response.status_code'] === '500') === (kind === 'failed'),
      );
      const off = Math.abs(counted[service]![kind] - truth[service]![kind]);
      t.ok(
        off <= bar(spans),
        `${service} ${kind}: ${truth[service]![kind]} forwarded, ${counted[service]![kind]} counted of ${spans.length} ` +
          `spans; may differ by ${bar(spans).toFixed(0)}`,
      );
    }
  }
  return collector.spans;
}

t.test('by rates alone, a fifth and more is enough to know the whole', { skip: missing }, async (t) => {
  const spans = await compare(t, {
    base_rate: 0.05,
    budget: { traces_per_second: 100_000 },
    rules: [{ match: { service: 'payment' }, rate: 0.5 }],
    errors: { max_per_second: 10_000 },
  });
  t.ok(spans.length < requests / 2, `${spans.length} spans for ${requests} requests`);
});

t.test('with the budget and the fuse for errors exceeded, counts still hold', { skip: missing }, async (t) => {
  const spans = await compare(t, {
    base_rate: 1,
    budget: { traces_per_second: 60 },
    errors: { max_per_second: 10 },
  });
  t.ok(spans.length < requests / 2, `${spans.length} spans for ${requests} requests`);
});

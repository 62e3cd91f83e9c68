// What tracing costs a request beside forwarding it: the trace is taken out of the headers or begun, decided about, told to the
// next hop, and in the end given up or written as a span into the worker's batch. Nanoseconds, the best of many rounds,
// because other work on the machine only adds. Run: node bench/micro/tracing.ts [--rounds N] [--only TEXT]
// (cases whose name has the text)

import { randomFillSync } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import type { RouteConfiguration } from '../../config/route.ts';
import type { Tracing } from '../../config/tracing.ts';
import { ClusterRuntime } from '../../proxy/cluster/cluster-runtime.ts';
import { raiseInliningLimits } from '../../proxy/command/inlining.ts';
import { encodeLine } from '../../proxy/http/header-table.ts';
import { RequestHead } from '../../proxy/http/message.ts';
import type { Stream } from '../../proxy/http/stream.ts';
import { StreamInfo } from '../../proxy/http/stream-info.ts';
import { TimerWheel } from '../../proxy/reactor/timer-wheel.ts';
import type { CompiledRoute } from '../../proxy/route/compiled-route.ts';
import { compileRouteTable } from '../../proxy/route/route-table.ts';
import { WorkerTracing } from '../../proxy/tracing/worker-tracing.ts';
import { loadBootstrap } from '../../xds/bootstrap-file.ts';
import { staticSnapshot } from '../../xds/static-snapshot.ts';
import { envoyBootstrap } from '../peers/envoy-bootstrap.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '2000' }, only: { type: 'string', default: '' } },
});
/**
 * Few enough that some rounds fit between two disturbances, and so many that each has a draw of random bytes: a draw is
 * enough for the ids of 682.
 */
const requestsPerRound = 700;

const lines = [
  encodeLine('host', 'shop.example'),
  encodeLine('user-agent', 'curl/8.5.0'),
  encodeLine('accept', '*/*'),
  encodeLine('x-request-id', '01234567-89ab-4def-8123-456789abcdef'),
];
const parentOf = (flags: string) =>
  encodeLine('traceparent', `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-${flags}`);

interface Case {
  readonly name: string;
  /** Of every request. */
  readonly percent: number;
  readonly parent?: string;
  readonly spawnUpstreamSpan?: boolean;
  readonly status?: number;
}

const cases: readonly Case[] = [
  { name: 'not kept, begins a trace', percent: 0 },
  { name: 'not kept, by the caller', percent: 100, parent: '00' },
  { name: 'not kept, an attempt with an id of its own', percent: 0, spawnUpstreamSpan: true },
  { name: 'kept, begins a trace', percent: 100 },
  { name: 'kept, by the caller', percent: 0, parent: '01' },
  { name: 'kept, with the span of an attempt', percent: 100, spawnUpstreamSpan: true },
  { name: 'kept as an error', percent: 0, status: 503 },
];

raiseInliningLimits();
const { manager, cluster, route } = configuration();
for (const each of cases.filter(({ name }) => name.includes(values.only))) {
  const { whole, headersOnly, decision, forwarding } = runsOf(each);
  const base = nanoseconds(headersOnly);
  const decided = nanoseconds(decision) - base;
  const forwarded = nanoseconds(forwarding) - base;
  const total = nanoseconds(whole) - base;
  const parts = `decided after ${decided.toFixed(0)} ns, forwarded after ${forwarded.toFixed(0)} ns`;
  console.log(`${each.name.padEnd(46)} ${total.toFixed(0).padStart(6)} ns, ${parts}`);
}

function nanoseconds(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < Number(values.rounds); round++) {
    const start = process.hrtime.bigint();
    for (let index = 0; index < requestsPerRound; index++) run();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / requestsPerRound);
  }
  return best;
}

function runsOf({ percent, parent, spawnUpstreamSpan = false, status = 200 }: Case) {
  const worker = new WorkerTracing({
    timers: new TimerWheel(0),
    wallOffsetMs: Date.now(),
    fillRandom: randomFillSync,
    // As a main thread that takes every batch at once.
    publish: ({ kind }) => {
      if (kind === 'spans') worker.onTaken();
    },
  });
  worker.identify({ id: 'sidecar~10.0.0.1~shop-1.shop~shop.svc.cluster.local', zone: 'zone-1' });
  const config = { ...manager, tracing: tracingOf(percent, spawnUpstreamSpan) };
  const tracer = worker.compile(config, false)!;
  const head = new RequestHead();
  head.method = 'GET';
  head.path = '/cart/items?page=2';
  head.authority = 'shop.example';
  const info = infoOf(status);
  const facts = { head, info, route, cluster, manager: { config } };
  const stream = { ...facts, random: Math.random, trace: null } as unknown as Stream;
  const received = parent === undefined ? lines : [...lines, parentOf(parent)];
  const context = { info, request: head, response: null, responseTrailers: null, localReplyBody: '' };
  const endpoint = [...cluster.eachEndpoint()][0]!;
  const headersOnly = () => {
    head.headers.clear();
    for (let index = 0; index < received.length; index++) head.headers.appendLine(received[index]!);
    info.requestId = '01234567-89ab-4def-8123-456789abcdef';
  };
  const decide = () => {
    headersOnly();
    tracer.begin(stream, route, cluster);
  };
  const begin = () => {
    decide();
    tracer.inject(stream);
    const { trace } = stream;
    trace?.beginAttempt(endpoint, head.headers, 1);
    return trace;
  };
  return {
    headersOnly,
    decision: () => {
      decide();
      tracer.release(stream);
    },
    forwarding: () => {
      begin();
      tracer.release(stream);
    },
    whole: () => {
      const trace = begin();
      trace?.attemptAnswered(status);
      trace?.endAttempt(2);
      if (tracer.keeps(stream, context)) tracer.record(stream, context);
      tracer.release(stream);
    },
  };
}

function infoOf(status: number): StreamInfo {
  const info = new StreamInfo();
  info.startWallMs = Date.now();
  info.startedAtMs = 0;
  info.endedAtMs = 12;
  info.protocol = 'HTTP/1.1';
  info.responseCode = status;
  info.responseCodeDetails = 'via_upstream';
  info.responseBodyBytes = 1234;
  info.upstreamCluster = cluster.name;
  info.downstreamRemoteAddress = '10.0.0.9:4321';
  info.downstreamDirectRemoteAddress = '10.0.0.9:4321';
  return info;
}

function tracingOf(percent: number, spawnUpstreamSpan: boolean): Tracing {
  const sampling = {
    clientPercent: 100,
    randomPerTenThousand: percent * 100,
    overallPerTenThousand: 10_000,
    usesRequestId: true,
    marksIds: true,
  };
  return {
    sampling,
    provider: {
      kind: 'opentelemetry',
      name: 'envoy.tracers.opentelemetry',
      service: { kind: 'grpc', cluster: 'collector', authority: '', timeoutMs: 0, metadata: [] },
      serviceName: 'shop',
      resource: { fromEnvironment: false, attributes: [] },
      maxQueuedSpans: 1024,
    },
    customTags: [],
    maxPathTagLength: 256,
    verbose: false,
    spawnUpstreamSpan,
    operation: '',
    upstreamOperation: '',
    noContextPropagation: false,
  };
}

/** A connection manager, a cluster and a route as an Envoy bootstrap gives them. */
function configuration(): {
  readonly manager: HttpConnectionManager;
  readonly cluster: ClusterRuntime;
  readonly route: CompiledRoute;
} {
  const setup = { clusters: 1, originPort: 9, httpPort: 10000, tcpPort: 10001, adminPort: 10002, directory: '/tmp' };
  const { bootstrap } = loadBootstrap({
    yaml: JSON.stringify(envoyBootstrap({ ...setup, profile: 'mesh' })),
    allowUnknownFields: false,
    overrides: {},
  });
  const snapshot = staticSnapshot(bootstrap);
  const filter = snapshot.listeners.get('http')!.filterChains[0]!.filters[0]!;
  if (filter.kind !== 'http-connection-manager' || filter.config.routes.kind !== 'inline') {
    throw new Error('the first listener is not HTTP with routes of its own');
  }
  const config = snapshot.clusters.get('origin-0')!;
  const cluster = new ClusterRuntime(config, null, {
    random: Math.random,
    clock: () => 0,
    statsSource: undefined as never,
    tls: undefined as never,
  });
  return { manager: filter.config, cluster, route: firstRoute(filter.config.routes.routes) };
}

function firstRoute(routes: RouteConfiguration): CompiledRoute {
  const table = compileRouteTable(routes, { suppressEnvoyHeaders: false });
  const head = new RequestHead();
  head.method = 'GET';
  head.path = '/';
  head.authority = 'shop.example';
  return table.match(head, { random: Math.random, runtime: new Map() })!;
}

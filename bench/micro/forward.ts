// Microseconds of JavaScript a forwarded request costs: the whole path from received bytes to sent bytes and back, with
// streams that stand for the kernel. `node bench/micro/forward.ts [--profile bare|mesh] [--rounds N] [--traced PERCENT|off]`.
// With `--traced` requests have ids, as in the suite's part about tracing; `off` is what its percentages are compared with.
//
// What a change to the data path saves is a few tenths of a microsecond, which no load test on a shared machine can
// show. This can: one thread, no system calls, and the best of many rounds, because a disturbance only adds.

import { randomFillSync } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { FilterChain } from '../../config/listener.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { ClusterTable } from '../../proxy/cluster/cluster-table.ts';
import type { EndpointPool } from '../../proxy/cluster/endpoint-pool.ts';
import { poolOf } from '../../proxy/cluster/endpoint-pools.ts';
import { Http1Connector } from '../../proxy/cluster/http1-connector.ts';
import { RawConnector } from '../../proxy/cluster/raw-connector.ts';
import { raiseInliningLimits } from '../../proxy/command/inlining.ts';
import { ConnectionManager, type HttpContext } from '../../proxy/http/connection-manager.ts';
import { HttpDate } from '../../proxy/http/http-date.ts';
import { Http1ClientConnection } from '../../proxy/http/http1/client-connection.ts';
import { OutputBuffer } from '../../proxy/http/http1/output-buffer.ts';
import { Http1ServerConnection } from '../../proxy/http/http1/server-connection.ts';
import { OnDemandWaits } from '../../proxy/http/on-demand.ts';
import { RequestCounter } from '../../proxy/http/request-counter.ts';
import type { ByteStream, ByteStreamHandler } from '../../proxy/reactor/byte-stream.ts';
import { Reactor } from '../../proxy/reactor/reactor.ts';
import { RouteTables } from '../../proxy/route/route-tables.ts';
import { AccessLogs } from '../../proxy/telemetry/access-log.ts';
import {
  callerResponseStats,
  circuitBreakerStats,
  clusterStats,
  routeStats,
} from '../../proxy/telemetry/cluster-stats.ts';
import { endpointStats } from '../../proxy/telemetry/endpoint-stats.ts';
import { http1Stats, httpStats, listenerHttpStats } from '../../proxy/telemetry/http-stats.ts';
import { RequestMetrics } from '../../proxy/telemetry/request-metrics.ts';
import { WorkerStats } from '../../proxy/telemetry/worker-stats.ts';
import { WorkerTracing } from '../../proxy/tracing/worker-tracing.ts';
import { loadBootstrap } from '../../xds/bootstrap-file.ts';
import { staticSnapshot } from '../../xds/static-snapshot.ts';
import { envoyBootstrap } from '../peers/envoy-bootstrap.ts';
import type { Profile, TelemetrySetup } from '../peers/peer.ts';

const { values } = parseArgs({
  options: {
    profile: { type: 'string', default: 'bare' },
    rounds: { type: 'string', default: '1000' },
    traced: { type: 'string' },
  },
});
/** Few enough that some rounds fit between two disturbances. */
const requestsPerRound = 640;
const connectionCount = 64;

const requestBytes = Buffer.from('GET / HTTP/1.1\r\nHost: 127.0.0.1:10000\r\n\r\n');
const responseBytes = Buffer.from(
  'HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/plain\r\n' +
    `Content-Length: 100\r\nConnection: keep-alive\r\n\r\n${'x'.repeat(100)}`,
);

/** Stands for a socket: counts what is written and keeps nothing. */
class FakeStream implements ByteStream {
  handler: ByteStreamHandler;
  readonly isClosed = false;
  readonly isPlain = true;
  readonly pendingWriteBytes = 0;
  readonly bytesReceived = 0;
  bytesSent = 0;

  constructor(handler: ByteStreamHandler) {
    this.handler = handler;
  }

  write(_buffer: NativeBuffer, start: number, end: number): void {
    this.bytesSent += end - start;
  }
  writeFrom(): void {}
  relayTo(): void {}
  hasInput(): boolean {
    return false;
  }
  pauseReading(): void {}
  resumeReading(): void {}
  endWriting(): void {}
  closeGracefully(): never {
    throw new Error('a connection was closed: the request was not served');
  }
  close(): never {
    throw new Error('a connection was closed: the request was not served');
  }
  reset(): never {
    throw new Error('a connection was reset: the request was not served');
  }
  remoteAddress(): undefined {}
  localAddress(): undefined {}
}

raiseInliningLimits();
const profile = values.profile as Profile;
const clock = () => performance.now();
const reactor = new Reactor({ clock });
const stats = new WorkerStats(() => {});
const runtime = new Map();
const random = Math.random;
const clusters = new ClusterTable({
  random,
  clock,
  statsSource: {
    clusterBlock: (name) => stats.block(clusterStats, name),
    responseBlock: (name, caller) => stats.block(callerResponseStats[caller], name),
    breakerBlock: (name, priority) => stats.block(circuitBreakerStats[priority], name),
    endpointBlock: (name, address) => stats.block(endpointStats, name, address),
    release: (block) => stats.release(block),
  },
  tls: undefined as never,
});
const output = new OutputBuffer();
const context: HttpContext = {
  reactor,
  output,
  connector: new Http1Connector(reactor, output),
  rawConnector: new RawConnector(reactor, output),
  clusters,
  onDemand: new OnDemandWaits({ ask: () => undefined, leave: () => undefined }),
  routeTables: new RouteTables(),
  random,
  matchContext: { random, runtime },
  chooseContext: {
    random,
    excluded: null,
    hostSelectionMaxAttempts: 3,
    originalDestination: '',
    originalDestinationHeader: null,
  },
  wallOffsetMs: Date.now() - clock(),
  localIp: '127.0.0.1',
  dateLine: new HttpDate(Date.now),
  http1: stats.block(http1Stats),
  routeBlock: (virtualHost, statPrefix) => stats.block(routeStats, virtualHost, statPrefix),
};

const tracing: WorkerTracing = new WorkerTracing({
  timers: reactor.timers,
  wallOffsetMs: context.wallOffsetMs,
  fillRandom: randomFillSync,
  // As a main thread that takes every batch at once.
  publish: ({ kind }) => {
    if (kind === 'spans') tracing.onTaken();
  },
});
const manager = compileManager();
const upstreams = openUpstreams();
const downstreams = Array.from({ length: connectionCount }, openDownstream);
const requestBuffer = bufferOf(requestBytes);
const responseBuffer = bufferOf(responseBytes);

let best = Number.POSITIVE_INFINITY;
for (let round = 0; round < Number(values.rounds); round++) {
  const startedAtMs = clock();
  for (let turn = 0; turn < requestsPerRound / connectionCount; turn++) runTurn();
  best = Math.min(best, ((clock() - startedAtMs) * 1000) / requestsPerRound);
}
const sent = downstreams.reduce((sum, stream) => sum + stream.bytesSent, 0);
if (sent < Number(values.rounds) * requestsPerRound * 100) throw new Error('responses are missing');
const traced = values.traced === undefined ? '' : `, traced ${values.traced}`;
console.log(`${profile}${traced}: ${best.toFixed(2)} us a request`);
reactor.stop();

// As the reactor does it: the events of many connections, one after the other.
function runTurn(): void {
  reactor.nowMs = clock();
  for (const stream of downstreams) stream.handler.onData(requestBuffer, 0, requestBuffer.length);
  reactor.turn++;
  for (const stream of upstreams) stream.handler.onData(responseBuffer, 0, responseBuffer.length);
  reactor.timers.advance(reactor.nowMs);
}

function compileManager(): ConnectionManager {
  const setup = {
    profile,
    clusters: 1,
    originPort: 9,
    httpPort: 10000,
    tcpPort: 10001,
    adminPort: 10002,
    directory: '/tmp',
    telemetry: telemetrySetup(),
  };
  const { bootstrap } = loadBootstrap({
    yaml: JSON.stringify(envoyBootstrap(setup)),
    allowUnknownFields: false,
    overrides: {},
  });
  const snapshot = staticSnapshot(bootstrap);
  clusters.apply({
    clusters: { set: [...snapshot.clusters], removed: [] },
    assignments: { set: [...snapshot.assignments], removed: [] },
  });
  const chain = snapshot.listeners.get('http')!.filterChains[0] as FilterChain;
  const filter = chain.filters[0]!;
  if (filter.kind !== 'http-connection-manager') throw new Error('the first listener is not HTTP');
  const logs = new AccessLogs({
    random,
    runtime,
    flushSizeBytes: 64 * 1024,
    publish: () => {},
    publishEntries: () => {},
    onEntries: () => {},
  });
  const tracer = tracing.compile(filter.config, false);
  return new ConnectionManager({
    config: filter.config,
    context,
    stats: stats.block(httpStats, filter.config.statPrefix),
    listenerStats: stats.block(listenerHttpStats, 'micro', 'micro'),
    accessLoggers: logs.compile(filter.config.accessLogs),
    tracer,
    // Beside a tracer requests are counted, too (`proxy/listener/filter-chain-runtime.ts`).
    counter: tracer === null ? null : new RequestCounter(new RequestMetrics({ stats, maxSeries: 1000 })),
  });
}

function telemetrySetup(): TelemetrySetup | undefined {
  if (values.traced === undefined) return undefined;
  return { collectorPort: 9, percent: values.traced === 'off' ? null : Number(values.traced) };
}

function openUpstreams(): FakeStream[] {
  const cluster = clusters.get('origin-0')!;
  const endpoint = cluster.chooseEndpoint(context.chooseContext)!;
  const pool: EndpointPool = poolOf(context, { cluster, endpoint }, 'default')!;
  const streams: FakeStream[] = [];
  for (let index = 0; index < connectionCount; index++) {
    const connection = new Http1ClientConnection(pool, context.output, {
      maxHeadersBytes: 60 * 1024,
      maxHeadersCount: 100,
    });
    const stream = new FakeStream(connection);
    connection.stream = stream;
    connection.onConnected();
    streams.push(stream);
  }
  return streams;
}

function openDownstream(_: unknown, index: number): FakeStream {
  const stream = new FakeStream(undefined as unknown as ByteStreamHandler);
  const facts = {
    connectionId: index,
    remoteAddress: '127.0.0.1:40000',
    remoteIp: '127.0.0.1',
    isLoopbackPeer: true,
    localAddress: '127.0.0.1:10000',
    localPort: 10000,
    listenerName: 'http',
    filterChainName: '',
    bufferLimitBytes: 1024 * 1024,
    originalDestination: undefined,
    requestedServerName: '',
  };
  stream.handler = new Http1ServerConnection(stream, manager, facts, { onConnectionGone: () => {} });
  return stream;
}

function bufferOf(bytes: Buffer): NativeBuffer {
  const buffer = new NativeBuffer(bytes.length);
  bytes.copy(buffer.bytes);
  return buffer;
}

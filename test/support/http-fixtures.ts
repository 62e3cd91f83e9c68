// A request's life without sockets: the real stream, routes, cluster and counters between a client and endpoints that
// do what a test says, under a clock that a test moves.

import { randomFillSync } from 'node:crypto';
import type { CircuitBreaker } from '../../config/cluster.ts';
import type { Metadata } from '../../config/endpoint.ts';
import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import type { OnDemandName } from '../../config/on-demand.ts';
import type { Route } from '../../config/route.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { ClusterRuntime } from '../../proxy/cluster/cluster-runtime.ts';
import type { ClusterTable } from '../../proxy/cluster/cluster-table.ts';
import { ConnectionNotes } from '../../proxy/cluster/connection-notes.ts';
import type { PoolWaiter } from '../../proxy/cluster/endpoint-pool.ts';
import type { EndpointPools, EndpointRuntime } from '../../proxy/cluster/endpoint-runtime.ts';
import type { ConnectionFacts } from '../../proxy/http/connection-facts.ts';
import { ConnectionManager, type HttpContext } from '../../proxy/http/connection-manager.ts';
import { encodeLine, type HeaderTable } from '../../proxy/http/header-table.ts';
import { RequestHead, ResponseHead } from '../../proxy/http/message.ts';
import { OnDemandWaits } from '../../proxy/http/on-demand.ts';
import { type ResponseSender, StreamDeadline } from '../../proxy/http/response-sender.ts';
import { Stream } from '../../proxy/http/stream.ts';
import type { ResponseReceiver, UpstreamConnection } from '../../proxy/http/upstream-connection.ts';
import { WorkerIstio } from '../../proxy/istio/worker-istio.ts';
import { Deadlines } from '../../proxy/reactor/deadlines.ts';
import type { Reactor } from '../../proxy/reactor/reactor.ts';
import { TimerWheel } from '../../proxy/reactor/timer-wheel.ts';
import { RouteTables } from '../../proxy/route/route-tables.ts';
import type { AccessLogger } from '../../proxy/telemetry/access-log.ts';
import { routeStats } from '../../proxy/telemetry/cluster-stats.ts';
import { http1Stats, httpStats, listenerHttpStats } from '../../proxy/telemetry/http-stats.ts';
import { StatsStore } from '../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../proxy/telemetry/worker-stats.ts';
import type { TracingMessage } from '../../proxy/tracing/tracing-message.ts';
import { WorkerTracing } from '../../proxy/tracing/worker-tracing.ts';
import type { IdentifiedNode } from '../../proxy/worker/messages.ts';
import {
  makeAssignment,
  makeCluster,
  makeEndpoint,
  makeLocality,
  makeStatsSource,
  noTls,
  seededRandom,
} from './cluster-fixtures.ts';
import { managerOf, routeOf, virtualHostOf } from './data-plane.ts';
import { forwardAction } from './route-fixtures.ts';

/** Time that passes when a test says so. */
export class FakeReactor {
  nowMs = 0;
  readonly timers = new TimerWheel(0);

  /** Lets time pass millisecond by millisecond, so that every timer fires when it is due. */
  advance(ms: number): void {
    for (let passed = 0; passed < ms; passed++) this.timers.advance(++this.nowMs);
  }
}

/** What the client gets. */
export class FakeClient implements ResponseSender {
  readonly head = new RequestHead();
  readonly deadlines: Deadlines;
  isResponseBlocked = false;
  readonly dataSink = null;
  status = 0;
  readonly interim: number[] = [];
  headers: readonly string[] = [];
  body = '';
  ending: 'open' | 'ended' | 'aborted' = 'open';
  closes = false;
  isTunnel = false;
  onDeadline: (slot: number) => void = () => undefined;

  constructor(reactor: Reactor) {
    this.deadlines = new Deadlines(reactor, { onDeadline: (slot) => this.onDeadline(slot) }, StreamDeadline.count);
  }

  sendInterim({ status }: ResponseHead): void {
    this.interim.push(status);
  }
  sendHead(head: ResponseHead): void {
    if (this.status !== 0) throw new Error('a second response head');
    this.status = head.status;
    this.headers = fieldsOf(head.headers);
  }
  sendData(buffer: NativeBuffer, start: number, end: number): void {
    this.body += buffer.bytes.latin1Slice(start, end);
  }
  sendBytes(bytes: Uint8Array): void {
    this.body += Buffer.from(bytes).latin1Slice();
  }
  closeAfterResponse(): void {
    this.closes = true;
  }
  sendEnd(): void {
    if (this.ending !== 'open') throw new Error(`an end after the response was ${this.ending}`);
    this.ending = 'ended';
  }
  abort(): void {
    if (this.ending !== 'open') throw new Error(`an abort after the response was ${this.ending}`);
    this.ending = 'aborted';
  }
  startTunnel(): void {
    this.isTunnel = true;
  }
  resumeRequest(): void {
    // The test sends body bytes when it likes.
  }
}

/** A connection to an endpoint, as far as a request sees it. */
export class FakeConnection implements UpstreamConnection {
  readonly endpoint: string;
  readonly stream = { bytesReceived: 0, bytesSent: 0 };
  readonly notes = new ConnectionNotes();
  readonly head = new ResponseHead();
  isUnsent = false;
  sawResponseByte = false;
  isRequestBlocked = false;
  /** The head as it was sent, then the body. */
  requestHead = '';
  requestBody = '';
  requestEnded = false;
  requestTrailers: readonly string[] = [];
  isOpen = true;
  wasAborted = false;
  receiver: ResponseReceiver | null = null;

  constructor(endpoint: string) {
    this.endpoint = endpoint;
    this.notes.connectionNumber = 7;
  }

  sendHead(head: RequestHead, receiver: ResponseReceiver): void {
    this.requestHead = [`${head.method} ${head.path}`, ...fieldsOf(head.headers)].join('\n');
    this.receiver = receiver;
  }
  sendData(buffer: NativeBuffer, start: number, end: number): void {
    this.requestBody += buffer.bytes.latin1Slice(start, end);
  }
  sendBytes(bytes: Uint8Array): void {
    this.requestBody += Buffer.from(bytes).latin1Slice();
  }
  sendEnd(trailers: HeaderTable | null): void {
    this.requestEnded = true;
    this.requestTrailers = trailers === null ? [] : fieldsOf(trailers);
  }
  abort(): void {
    this.isOpen = false;
    this.wasAborted = true;
  }
  startTunnel(): void {}
  endTunnelWriting(): void {}
  resumeResponse(): void {}
}

/** Who waits for a connection, over all endpoints. */
export interface Waiting {
  readonly endpoint: EndpointRuntime;
  readonly waiter: PoolWaiter;
  readonly fresh: boolean;
}

export interface SceneOptions {
  readonly routes?: readonly Route[];
  readonly manager?: Partial<HttpConnectionManager>;
  readonly facts?: Partial<ConnectionFacts>;
  readonly endpoints?: number;
  readonly breaker?: Partial<CircuitBreaker>;
  readonly random?: () => number;
  readonly accessLoggers?: readonly AccessLogger[];
  /** Of the listener. */
  readonly isOutbound?: boolean;
  /** Names that may be waited for. */
  readonly maxWaiting?: number;
  /** Bytes of ids, one after the other, again and again. */
  readonly fillRandom?: (bytes: Uint8Array) => unknown;
  /** Who the proxy is. */
  readonly node?: IdentifiedNode;
  readonly clusterMetadata?: Metadata;
  /** `alt_stat_name`. */
  readonly clusterStatName?: string;
  /** Of Istio's metrics. */
  readonly maxSeries?: number;
}

/** A worker's inside with one cluster, `service`, in front of endpoints 10.0.0.1, 10.0.0.2 … */
export class Scene {
  readonly reactor = new FakeReactor();
  readonly waiting: Waiting[] = [];
  readonly connections: FakeConnection[] = [];
  /** What everybody counted. */
  readonly stats = new StatsStore();
  /** What the worker said of traces. */
  readonly tracingMessages: TracingMessage[] = [];
  readonly tracing: WorkerTracing;
  readonly cluster: ClusterRuntime;
  /** Names of it. */
  readonly knownClusters = new Set(['service']);
  /** What is asked of the control plane: `+name`, `-name`. */
  readonly demands: string[] = [];
  readonly onDemand: OnDemandWaits;
  readonly manager: ConnectionManager;
  readonly #facts: ConnectionFacts;
  /** Address of whose requests come next. */
  client: string;

  constructor(options: SceneOptions = {}) {
    const random = options.random ?? seededRandom(1);
    const limits = { ...makeCluster().circuitBreakers.default, ...options.breaker };
    const endpoints = Array.from({ length: options.endpoints ?? 1 }, (_, index) => makeEndpoint(`10.0.0.${index + 1}`));
    this.cluster = new ClusterRuntime(
      makeCluster({
        name: 'service',
        statName: options.clusterStatName ?? 'service',
        metadata: options.clusterMetadata ?? {},
        discovery: { kind: 'static', assignment: makeAssignment([makeLocality(endpoints)]) },
        circuitBreakers: { default: limits, high: limits },
      }),
      null,
      { random, clock: () => this.reactor.nowMs, statsSource: makeStatsSource(this.stats), tls: noTls },
    );
    for (const endpoint of this.cluster.eachEndpoint()) endpoint.pools = this.#poolsOf(endpoint);
    const textOf = (name: OnDemandName) =>
      name.kind === 'cluster' ? name.name : `${name.routeConfiguration}/${name.host}`;
    this.onDemand = new OnDemandWaits({
      ask: (name) => this.demands.push(`+${textOf(name)}`),
      leave: (name) => this.demands.push(`-${textOf(name)}`),
      maxWaiting: options.maxWaiting ?? 1024,
    });
    const stats = new WorkerStats((message) => this.stats.accept(1, message));
    this.tracing = new WorkerTracing({
      timers: this.reactor.timers,
      wallOffsetMs: 0,
      fillRandom: options.fillRandom ?? randomFillSync,
      publish: (message) => this.tracingMessages.push(message),
    });
    this.tracing.identify({ id: 'node-1', zone: 'zone-1' });
    const config = managerOf([virtualHostOf(options.routes ?? [routeOf('/', forwardAction())])], options.manager);
    const istio = new WorkerIstio({ stats, maxSeries: options.maxSeries ?? 100 });
    istio.identify(options.node ?? { id: 'node-1', zone: 'zone-1' });
    this.manager = new ConnectionManager({
      config,
      peerMetadata: istio.compilePeerMetadata(config),
      istioStats: istio.compileRequestStats(config, options.isOutbound ?? false),
      tracer: this.tracing.compile(config, options.isOutbound ?? false),
      context: this.#context(random, stats),
      stats: stats.block(httpStats, 'test'),
      listenerStats: stats.block(listenerHttpStats, '127.0.0.1_80', 'test'),
      accessLoggers: options.accessLoggers ?? [],
    });
    this.#facts = { ...anyConnection, ...options.facts };
    this.client = this.#facts.remoteIp;
  }

  #context(random: () => number, stats: WorkerStats): HttpContext {
    const { cluster } = this;
    return {
      reactor: this.reactor as unknown as Reactor,
      output: undefined as unknown as HttpContext['output'],
      connector: { carrierOf: () => noConnector } as unknown as HttpContext['connector'],
      rawConnector: noConnector as unknown as HttpContext['rawConnector'],
      onDemand: this.onDemand,
      clusters: { get: (name) => (this.knownClusters.has(name) ? cluster : null) } as ClusterTable,
      routeTables: new RouteTables(),
      random,
      matchContext: { random, runtime: new Map() },
      chooseContext: {
        random,
        excluded: null,
        hostSelectionMaxAttempts: 1,
        originalDestination: '',
        originalDestinationHeader: null,
      },
      wallOffsetMs: 0,
      localIp: '192.0.2.9',
      dateLine: { current: encodeLine('date', 'now') },
      http1: stats.block(http1Stats),
      routeBlock: (virtualHost, statPrefix) => stats.block(routeStats, virtualHost, statPrefix),
    };
  }

  #poolsOf(endpoint: EndpointRuntime): EndpointPools {
    const pool = {
      acquire: (waiter: PoolWaiter, fresh: boolean) => this.waiting.push({ endpoint, waiter, fresh }),
      cancel: (waiter: PoolWaiter) => {
        const index = this.waiting.findIndex((each) => each.waiter === waiter);
        if (index >= 0) this.waiting.splice(index, 1);
      },
    };
    return { get: () => pool, drain: () => undefined } as EndpointPools;
  }

  /** Begins a request; `fill` makes its head. */
  request(fill: (head: RequestHead) => void = () => undefined): {
    readonly stream: Stream;
    readonly client: FakeClient;
  } {
    const client = new FakeClient(this.reactor as unknown as Reactor);
    const { head } = client;
    head.method = 'GET';
    head.path = '/';
    head.authority = 'shop.example';
    head.headers.append('Host', 'shop.example');
    fill(head);
    const stream = new Stream(this.manager, { ...this.#facts, remoteIp: this.client }, client);
    client.onDeadline = (slot) => stream.onDeadline(slot);
    stream.onRequestHead(100);
    return { stream, client };
  }

  /** Gives the request that waits for longest a connection. `idleBeforeMs` makes it a used one. */
  connect(idleBeforeMs = -1): FakeConnection {
    const { endpoint, waiter } = this.waiting.shift()!;
    const connection = new FakeConnection(endpoint.addressText);
    connection.notes.idleBeforeMs = idleBeforeMs;
    this.connections.push(connection);
    waiter.onConnectionReady(connection);
    return connection;
  }

  /** The connection attempt of the request that waits for longest fails. */
  refuse(kind: 'connect-failure' | 'connect-timeout' | 'overflow' = 'connect-failure'): void {
    this.waiting.shift()!.waiter.onConnectionFailed({ kind, reason: 'no' });
  }

  /** The connection is lost while it carries a request. */
  lose(connection: FakeConnection, kind: 'connection-termination' | 'protocol-error' = 'connection-termination'): void {
    connection.isOpen = false;
    connection.receiver!.onResponseReset({ kind, reason: 'lost' });
  }

  /** A response head; with `isEnd` the whole response. */
  respond(connection: FakeConnection, status: number, isEnd = true, fields: readonly [string, string][] = []): void {
    const { head, receiver } = connection;
    head.headers.clear();
    head.status = status;
    for (const [name, value] of fields) head.headers.append(name, value);
    connection.sawResponseByte = true;
    receiver!.onResponseHead(head, isEnd);
    if (isEnd && connection.isOpen) this.end(connection);
  }

  data(connection: FakeConnection, text: string): void {
    const buffer = bufferOf(text);
    connection.receiver!.onResponseData(buffer, 0, text.length);
  }

  end(connection: FakeConnection): void {
    connection.isOpen = false;
    connection.receiver!.onResponseEnd(null);
  }
}

// Pools of the scene give connections themselves.
const noConnector = {};

/** Text as the reactor would hand it on. */
export function bufferOf(text: string): NativeBuffer {
  const buffer = new NativeBuffer(Math.max(text.length, 1));
  buffer.bytes.latin1Write(text);
  return buffer;
}

/** The fields of a table as lines, in order. */
export function fieldsOf(headers: HeaderTable): readonly string[] {
  const fields: string[] = [];
  for (let row = 0; row < headers.rowCount; row++) {
    if (!headers.isRemoved(row)) fields.push(`${headers.name(row)}: ${headers.value(row)}`);
  }
  return fields;
}

export const anyConnection: ConnectionFacts = {
  connectionId: 1,
  remoteAddress: '198.51.100.7:4000',
  remoteIp: '198.51.100.7',
  isLoopbackPeer: false,
  localAddress: '192.0.2.9:80',
  localPort: 80,
  listenerName: 'http',
  filterChainName: '',
  bufferLimitBytes: 64,
  originalDestination: undefined,
  requestedServerName: '',
};

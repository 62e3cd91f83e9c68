// A worker in this thread, fed with a snapshot, and what it says: the whole data path through real sockets, without the
// main thread's start-up around it.

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Cluster } from '../../config/cluster.ts';
import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import type { FilterChain, Listener } from '../../config/listener.ts';
import type { HeaderMutations, Route, RouteAction, VirtualHost } from '../../config/route.ts';
import type { SnapshotChange } from '../../config/snapshot.ts';
import { takeAllSteps } from '../../config/time-slice.ts';
import { signalEventFd } from '../../native/event-fd.ts';
import type { DownstreamEngine } from '../../proxy/engine/downstream-engine.ts';
import { loadSecondEngine, type SecondEngine } from '../../proxy/engine/second-engine.ts';
import { loadUndici } from '../../proxy/engine/undici/undici-connector.ts';
import { UwsEngine } from '../../proxy/engine/uws/engine.ts';
import { loadUws } from '../../proxy/engine/uws/library.ts';
import type { OpenFailure } from '../../proxy/listener/listener-opening.ts';
import { StatsStore } from '../../proxy/telemetry/stats-store.ts';
import { Generations, makeGenerationMemory } from '../../proxy/worker/generations.ts';
import type { FromWorker, ListenerPlacement, ToWorker } from '../../proxy/worker/messages.ts';
import { OpenListeners } from '../../proxy/worker/open-listeners.ts';
import { SentRoutes } from '../../proxy/worker/sent-routes.ts';
import { Worker } from '../../proxy/worker/worker.ts';
import { makeAssignment, makeCluster, makeEndpoint, makeLocality } from './cluster-fixtures.ts';
import { threadNowMs } from './thread-time.ts';

export interface DataPlane {
  /** Port of each listener by name. */
  readonly ports: ReadonlyMap<string, number>;
  readonly stats: StatsStore;
  /** Access-log lines, once there are `count`. */
  logged(count: number): Promise<readonly string[]>;
  /** Resolves when the change is served; what it does not name stays. */
  update(change: Partial<SnapshotChange>): Promise<void>;
  drain(): Promise<void>;
  stop(): Promise<void>;
}

/** A whole test file can be run with another engine: see `test/integration/second-engine.test.ts`. */
const engine = process.env['OUTRIGGER_TEST_ENGINE'];

export interface DataPlaneConfig {
  readonly listeners: readonly Listener[];
  readonly clusters: readonly Cluster[];
  readonly runtime?: ReadonlyMap<string, string | number | boolean>;
  readonly drainStrategy?: 'gradual' | 'immediate';
  /** 0 never sleeps: for a test of thousands of short exchanges. */
  readonly maxSleepMs?: 0 | 1;
  /** Who carries requests to endpoints; the reactor when left out. */
  readonly upstream?: 'reactor' | 'undici';
  /** Who serves plain HTTP; our own codec when left out. */
  readonly downstream?: DownstreamEngine;
  /** The reactor's; that of this thread when left out. */
  readonly clock?: () => number;
}

/** Starts a worker that serves these listeners and clusters. */
export async function startDataPlane(config: DataPlaneConfig): Promise<DataPlane> {
  const { port1, port2 } = new MessageChannel();
  const generationMemory = makeGenerationMemory(1);
  const worker = new Worker({
    start: {
      workerIndex: 0,
      ticketSeed: new Uint8Array(32),
      generations: generationMemory,
      localIp: '127.0.0.1',
      logFlushIntervalMs: 1000,
      logFlushSizeBytes: 65536,
      maxStatSeries: 2000,
      countsAllRequests: false,
      drainTimeMs: 1000,
      drainStrategy: config.drainStrategy ?? 'gradual',
    },
    port: port2,
    clock: config.clock ?? threadNowMs,
    wallClock: Date.now,
    random: Math.random,
    // The sockets of the test are on this thread's event loop, behind the worker's.
    maxSleepMs: config.maxSleepMs ?? 1,
    ...(await engineOptions(config)),
  });
  const inbox = new Inbox(port1);
  const stopped = new Promise<void>((resolve) => worker.run(resolve));
  const started = await inbox.next('started');
  const send = (message: ToWorker): void => {
    port1.postMessage(message);
    signalEventFd(started.wakeUpDescriptor);
  };
  const open = new OpenListeners(1);
  const routes = new SentRoutes();
  const generations = new Generations(generationMemory);
  const update = async (change: Partial<SnapshotChange>): Promise<void> => {
    const generation = generations.published + 1;
    const delta = { ...noChange, ...change, generation };
    const placements = [...open.place(delta.listeners)].map(([name, placed]) => [name, placementOf(placed)] as const);
    generations.publish(generation, generation - 1);
    send({ kind: 'snapshot', delta, routes: takeAllSteps(routes.take(delta.routes)), placements });
    await inbox.next('applied');
  };
  await update({
    listeners: { set: config.listeners.map((each) => [each.name, each]), removed: [] },
    clusters: { set: config.clusters.map((each) => [each.name, each]), removed: [] },
    runtime: config.runtime ?? new Map(),
  });
  return {
    ports: new Map(
      open.bound().map(({ name, address }) => [name, Number(address.slice(address.lastIndexOf(':') + 1))]),
    ),
    update,
    stats: inbox.stats,
    logged: (count) =>
      inbox.logged(count, () => {
        send({ kind: 'flush-logs' });
        return update({});
      }),
    drain: async () => {
      const drained = inbox.next('drained');
      send({ kind: 'drain', inboundOnly: false, stopAccepting: true });
      await drained;
    },
    stop: async () => {
      send({ kind: 'stop' });
      await stopped;
      port1.close();
    },
  };
}

async function engineOptions({ upstream, downstream }: DataPlaneConfig): Promise<Partial<SecondEngine>> {
  if (downstream !== undefined) return { onNodeLoop: true, downstream };
  if (engine === 'uws+undici') return loadSecondEngine();
  if (engine === 'uws') return { onNodeLoop: true, downstream: new UwsEngine(loadUws()) };
  return engine === 'undici' || upstream === 'undici' ? { onNodeLoop: true, makeConnector: await loadUndici() } : {};
}

const noChange: SnapshotChange = {
  listeners: { set: [], removed: [] },
  clusters: { set: [], removed: [] },
  assignments: { set: [], removed: [] },
  routes: { set: [], removed: [] },
  secrets: { set: [], removed: [] },
};

function placementOf(placed: readonly ListenerPlacement[] | OpenFailure): ListenerPlacement {
  if ('reason' in placed) throw new Error(`${placed.address}: ${placed.reason}`);
  return placed[0]!;
}

class Inbox {
  readonly stats = new StatsStore();
  readonly #logLines: string[] = [];
  readonly #seen: FromWorker[] = [];
  readonly #waiting: { kind: FromWorker['kind']; resolve: (message: FromWorker) => void }[] = [];

  constructor(port: MessagePort) {
    port.on('message', (message: FromWorker) => this.#receive(message));
  }

  next<K extends FromWorker['kind']>(kind: K): Promise<Extract<FromWorker, { kind: K }>> {
    const index = this.#seen.findIndex((message) => message.kind === kind);
    if (index >= 0) return Promise.resolve(this.#seen.splice(index, 1)[0] as Extract<FromWorker, { kind: K }>);
    return new Promise((resolve) => this.#waiting.push({ kind, resolve: resolve as (message: FromWorker) => void }));
  }

  /** `flush` is over when a change was answered: a flush alone has no answer where nothing waits, as behind the interval's. */
  async logged(count: number, flush: () => Promise<void>): Promise<readonly string[]> {
    while (this.#logLines.length < count) await flush();
    return this.#logLines;
  }

  #receive(message: FromWorker): void {
    if (message.kind === 'stats') {
      for (const announcement of message.announcements) this.stats.accept(0, announcement);
      return;
    }
    if (message.kind === 'logs') {
      const text = Buffer.from(message.batch.bytes).toString('latin1');
      this.#logLines.push(...text.split('\n').filter((line) => line !== ''));
      return;
    }
    const index = this.#waiting.findIndex((waiting) => waiting.kind === message.kind);
    if (index >= 0) this.#waiting.splice(index, 1)[0]!.resolve(message);
    else this.#seen.push(message);
  }
}

export const noMutations: HeaderMutations = { requestAdd: [], requestRemove: [], responseAdd: [], responseRemove: [] };

/** A static cluster over endpoints of 127.0.0.1. */
export function clusterOf(name: string, ports: readonly number[], overrides: Partial<Cluster> = {}): Cluster {
  const endpoints = ports.map((port) => makeEndpoint('127.0.0.1', { port }));
  const assignment = makeAssignment([makeLocality(endpoints, { weight: 1 })]);
  return makeCluster({ name, discovery: { kind: 'static', assignment }, ...overrides });
}

/** Forwards everything to a cluster. */
export function forwardTo(
  cluster: string,
  overrides: Partial<Extract<RouteAction, { kind: 'forward' }>> = {},
): RouteAction {
  return {
    kind: 'forward',
    target: { kind: 'cluster', name: cluster },
    clusterNotFoundStatus: 503,
    appendForwardedHost: false,
    timeoutMs: 15_000,
    priority: 'default',
    upgrades: {},
    metadataMatch: {},
    ...overrides,
  };
}

export function routeOf(prefix: string, action: RouteAction, overrides: Partial<Route> = {}): Route {
  return {
    name: '',
    match: {
      path: { kind: 'prefix', value: prefix },
      caseSensitive: true,
      headers: [],
      queryParameters: [],
      grpc: false,
    },
    action,
    headers: noMutations,
    metadata: {},
    statPrefix: '',
    perFilterConfig: {},
    ...overrides,
  };
}

export function virtualHostOf(routes: readonly Route[], domains: readonly string[] = ['*']): VirtualHost {
  return {
    name: 'all',
    domains,
    routes,
    requireTls: 'none',
    headers: noMutations,
    includeRequestAttemptCount: false,
    includeAttemptCountInResponse: false,
    perFilterConfig: {},
  };
}

/** Envoy's defaults, but for the routes. */
const managerDefaults: Omit<HttpConnectionManager, 'routes'> = {
  statPrefix: 'test',
  codec: 'http1',
  httpFilters: [
    {
      kind: 'router',
      name: 'envoy.filters.http.router',
      config: {
        dynamicStats: true,
        suppressEnvoyHeaders: false,
        respectExpectedRqTimeout: false,
        startChildSpan: false,
        strictCheckHeaders: [],
        upstreamAccessLogs: [],
      },
    },
  ],
  accessLogs: [],
  localReply: { mappers: [] },
  useRemoteAddress: false,
  xffNumTrustedHops: 0,
  skipXffAppend: false,
  internalAddressRanges: [],
  unixSocketsAreInternal: false,
  representIpv4RemoteAsIpv4Mapped: false,
  via: '',
  generateRequestId: true,
  preserveExternalRequestId: false,
  alwaysSetRequestIdInResponse: false,
  scheme: { kind: 'as-received' },
  normalizePath: false,
  mergeSlashes: false,
  escapedSlashes: 'keep',
  stripPort: 'none',
  stripTrailingHostDot: false,
  serverName: 'envoy',
  serverHeader: 'overwrite',
  proxy100Continue: false,
  streamErrorOnInvalidMessage: false,
  maxRequestHeadersKb: 60,
  maxHeadersCount: 100,
  headersWithUnderscores: 'allow',
  idleTimeoutMs: 3_600_000,
  maxConnectionDurationMs: 0,
  maxStreamDurationMs: 0,
  maxRequestsPerConnection: 0,
  streamIdleTimeoutMs: 300_000,
  requestTimeoutMs: 0,
  requestHeadersTimeoutMs: 0,
  drainTimeoutMs: 5000,
  delayedCloseTimeoutMs: 1000,
  http1: {
    acceptHttp10: false,
    defaultHostForHttp10: '',
    enableTrailers: false,
    allowAbsoluteUrl: true,
    allowCustomMethods: false,
    headerCase: 'preserve',
  },
  upgrades: {},
};

export function managerOf(
  virtualHosts: readonly VirtualHost[],
  overrides: Partial<HttpConnectionManager> = {},
): HttpConnectionManager {
  const routes = {
    name: 'routes',
    virtualHosts,
    headers: noMutations,
    internalOnlyHeaders: [],
    mostSpecificHeaderMutationsWins: false,
    ignorePortInHostMatching: false,
    maxDirectResponseBodyBytes: 4096,
  };
  return { ...managerDefaults, routes: { kind: 'inline', routes }, ...overrides };
}

/** A listener on an ephemeral port of 127.0.0.1 with one filter chain. */
export function listenerOf(
  name: string,
  filter: FilterChain['filters'][number],
  overrides: Partial<Listener> = {},
): Listener {
  return {
    name,
    address: { kind: 'ip', ip: '127.0.0.1', port: 0 },
    additionalAddresses: [],
    statPrefix: name,
    bindToPort: true,
    reusePort: true,
    backlog: 128,
    ipv4Compatible: false,
    transparent: false,
    freebind: false,
    perConnectionBufferLimitBytes: 1024 * 1024,
    listenerFilters: [],
    listenerFiltersTimeoutMs: 15_000,
    continueOnListenerFiltersTimeout: false,
    useOriginalDst: false,
    filterChains: [
      {
        name: '',
        match: {
          prefixRanges: [],
          directSourcePrefixRanges: [],
          sourceType: 'any',
          sourcePrefixRanges: [],
          sourcePorts: [],
          serverNames: [],
          transportProtocol: '',
          applicationProtocols: [],
        },
        filters: [filter],
        transportSocketConnectTimeoutMs: 0,
      },
    ],
    trafficDirection: 'unspecified',
    accessLogs: [],
    ignoreGlobalConnectionLimit: false,
    maxConnectionsToAcceptPerTurn: 64,
    drainType: 'default',
    ...overrides,
  };
}

export function httpListener(name: string, config: HttpConnectionManager): Listener {
  return listenerOf(name, {
    kind: 'http-connection-manager',
    name: 'envoy.filters.network.http_connection_manager',
    config,
  });
}

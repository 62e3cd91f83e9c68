// A data-plane worker: one reactor, its listeners and clusters, and the snapshot they serve. Everything a request needs
// lives in this thread; the main thread is heard of between two events only.

import { randomFillSync } from 'node:crypto';
import type { MessagePort } from 'node:worker_threads';
import { receiveMessageOnPort } from 'node:worker_threads';
import type { EngineName } from '../../config/listener.ts';
import { describeErrno } from '../../native/errno.ts';
import { fileLimit } from '../../native/file-limit.ts';
import { originalDestination } from '../../native/socket.ts';
import { ClusterTable } from '../cluster/cluster-table.ts';
import type { Http1EndpointPools } from '../cluster/endpoint-pools.ts';
import { Http1Connector } from '../cluster/http1-connector.ts';
import { ClusterPack } from '../cluster/packed-clusters.ts';
import type { UpstreamConnector } from '../cluster/pooled-connection.ts';
import { RawConnector } from '../cluster/raw-connector.ts';
import type { StatsSource } from '../cluster/stats-source.ts';
import { returnHeap } from '../command/heap-return.ts';
import type { DownstreamEngine } from '../engine/downstream-engine.ts';
import type { HttpContext } from '../http/connection-manager.ts';
import { HttpDate } from '../http/http-date.ts';
import { OutputBuffer } from '../http/http1/output-buffer.ts';
import { OnDemandWaits, waitingNamesOf } from '../http/on-demand.ts';
import { RequestCounter } from '../http/request-counter.ts';
import { httpMetrics } from '../istio/metric-tags.ts';
import { WorkerIstio } from '../istio/worker-istio.ts';
import { DescriptorReserve } from '../listener/descriptor-reserve.ts';
import type { ChainEngine } from '../listener/filter-chain-runtime.ts';
import type { ListenerContext } from '../listener/listener-runtime.ts';
import { ServerFirstVerdicts } from '../listener/server-first-verdicts.ts';
import { LimitedConnections } from '../listener/shared-limit.ts';
import { Reactor } from '../reactor/reactor.ts';
import type { ShortcutMaps } from '../reactor/shortcut-exit.ts';
import { Timer } from '../reactor/timer-wheel.ts';
import { RouteTables } from '../route/route-tables.ts';
import { AccessLogs } from '../telemetry/access-log.ts';
import { callerResponseStats, circuitBreakerStats, clusterStats, routeStats } from '../telemetry/cluster-stats.ts';
import { endpointStats } from '../telemetry/endpoint-stats.ts';
import { http1Stats } from '../telemetry/http-stats.ts';
import { RequestMetrics } from '../telemetry/request-metrics.ts';
import { serverFirstStats } from '../telemetry/server-first-stats.ts';
import { type BlockAnnouncement, WorkerStats } from '../telemetry/worker-stats.ts';
import { TlsContexts } from '../tls/tls-contexts.ts';
import type { TracingMessage } from '../tracing/tracing-message.ts';
import { WorkerTracing } from '../tracing/worker-tracing.ts';
import { Generations } from './generations.ts';
import { ListenerTable } from './listener-table.ts';
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts';
import { QuietHeap } from './quiet-heap.ts';
import { ReceivedRoutes } from './route-parts.ts';

/** How often idle connections and unused endpoints are looked for. */
const housekeepingMs = 1000;
/** A process without descriptors says so this often. */
const warningIntervalMs = 60_000;

export interface WorkerOptions {
  readonly start: WorkerStart;
  readonly port: MessagePort;
  /** Monotonic, ms. */
  readonly clock: () => number;
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number;
  readonly random: () => number;
  /** As of the reactor: for a worker that shares its thread with Node's own input and output. */
  readonly maxSleepMs?: number;
  readonly onNodeLoop?: boolean;
  /** Opens connections to endpoints in the reactor's place. */
  readonly makeConnector?: (reactor: Reactor, output: OutputBuffer) => UpstreamConnector;
  /** Serves plain HTTP connections in the place of our own codec. */
  readonly downstream?: DownstreamEngine;
}

export class Worker {
  readonly #options: WorkerOptions;
  readonly #reactor: Reactor;
  readonly #tls: TlsContexts;
  readonly #clusters: ClusterTable;
  readonly #routeTables = new RouteTables();
  readonly #receivedRoutes = new ReceivedRoutes();
  readonly #logs: AccessLogs;
  readonly #tracing: WorkerTracing;
  readonly #istio: WorkerIstio;
  readonly #context: ListenerContext;
  readonly #date: HttpDate;
  readonly #requestMetrics: RequestMetrics;
  readonly #runtime = new Map<string, string | number | boolean>();
  readonly #listeners: ListenerTable;
  readonly #generations: Generations;
  readonly #heap = new QuietHeap(returnHeap);
  readonly #housekeeping = new Timer(() => this.#keepHouse());
  readonly #logFlush = new Timer(() => this.#flushLogs());
  readonly #entryFlush = new Timer(() => this.#logs.flushEntries());
  /** Removed, once no cluster that is not taken in yet makes connections by them. */
  #leavingSecrets: readonly string[] = [];
  /** Messages wait until it is over. */
  #isLoading = false;
  /** Not sent yet. */
  #announcements: BlockAnnouncement[] = [];
  readonly #announcing = { run: () => this.#sendAnnouncements() };
  /** `drained` is to be said. */
  #isLeaving = false;
  #warnedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: WorkerOptions) {
    this.#options = options;
    const { start, clock, wallClock, random } = options;
    this.#reactor = new Reactor({
      clock,
      onWakeUp: () => this.#receive(),
      ...(options.maxSleepMs !== undefined && { maxSleepMs: options.maxSleepMs }),
      onNodeLoop: options.onNodeLoop ?? false,
    });
    const stats = new WorkerStats((announcement) => this.#announce(announcement));
    this.#tls = this.#openTls(stats);
    this.#clusters = new ClusterTable(
      { random, clock: () => this.#reactor.nowMs, statsSource: statsSource(stats), tls: this.#tls },
      (name) => this.#send({ kind: 'cluster-used', name }),
    );
    this.#logs = this.#openLogs();
    this.#date = new HttpDate(wallClock);
    const engines = enginesOf(this.#openHttp(stats), options);
    const { engine, http } = engines.get(start.defaultEngine ?? 'uws')!;
    // A key of requests has two series.
    this.#requestMetrics = new RequestMetrics({ stats, maxSeries: Math.ceil(start.maxStatSeries / 2) });
    this.#istio = new WorkerIstio({ stats, maxSeries: Math.ceil(start.maxStatSeries / httpMetrics.length) });
    this.#tracing = new WorkerTracing({
      timers: this.#reactor.timers,
      wallOffsetMs: http.wallOffsetMs,
      fillRandom: randomFillSync,
      publish: (message) => this.#sendTracing(message),
    });
    this.#context = {
      http,
      stats,
      compileAccessLogs: (logs) => this.#logs.compile(logs),
      tls: this.#tls,
      tracing: this.#tracing,
      istio: this.#istio,
      requestCounter: new RequestCounter(this.#requestMetrics),
      countsAllRequests: start.countsAllRequests,
      engine,
      engines,
      workerIndex: start.workerIndex,
      reserve: this.#reserveDescriptors(),
      originalDestination,
      findListener: (address) => this.#listeners.find(address),
      onAcceptError: (listener, errno) => this.#warn(`listener ${listener} cannot accept: ${describeErrno(errno)}`),
      onIdle: () => this.#reportDrained(),
      globalLimit: null,
      serverFirst: new ServerFirstVerdicts({
        makeStats: () => stats.block(serverFirstStats),
        onNewDestination: (destination) => this.#send({ kind: 'server-first', destination }),
      }),
      nextConnectionId: start.workerIndex * 2 ** 40 + 1,
    };
    const { drainStrategy: strategy, drainTimeMs } = start;
    this.#listeners = new ListenerTable({
      context: this.#context,
      timers: this.#reactor.timers,
      strategy,
      drainTimeMs,
    });
    this.#generations = new Generations(start.generations);
  }

  #openHttp(stats: WorkerStats): HttpContext {
    const { start, clock, wallClock, random } = this.#options;
    const output = new OutputBuffer();
    return {
      reactor: this.#reactor,
      output,
      connector: new Http1Connector(this.#reactor, output),
      onDemand: new OnDemandWaits({
        ask: (name) => this.#send({ kind: 'demand', name }),
        leave: (name) => this.#send({ kind: 'demand-ended', name }),
        maxWaiting: waitingNamesOf(new Generations(start.generations).workers),
      }),
      rawConnector: new RawConnector(this.#reactor, output),
      clusters: this.#clusters,
      routeTables: this.#routeTables,
      random,
      matchContext: { random, runtime: this.#runtime },
      chooseContext: {
        random,
        excluded: null,
        hostSelectionMaxAttempts: 3,
        originalDestination: '',
        originalDestinationHeader: null,
      },
      wallOffsetMs: wallClock() - clock(),
      localIp: start.localIp,
      dateLine: this.#date,
      http1: stats.block(http1Stats),
      routeBlock: (virtualHost, statPrefix) => stats.block(routeStats, virtualHost, statPrefix),
    };
  }

  #openTls(stats: WorkerStats): TlsContexts {
    const { start, wallClock } = this.#options;
    const { ticketSeed } = start;
    return new TlsContexts({ stats, wallClock, ticketSeed });
  }

  #openLogs(): AccessLogs {
    return new AccessLogs({
      random: this.#options.random,
      runtime: this.#runtime,
      flushSizeBytes: this.#options.start.logFlushSizeBytes,
      publish: (batch) => this.#send({ kind: 'logs', batch }),
      publishEntries: (batch) => this.#send({ kind: 'log-entries', batch }),
      onEntries: (withinMs) => this.#scheduleEntries(withinMs),
    });
  }

  /** Runs until the main thread says stop. */
  run(onStopped: () => void): void {
    this.#reactor.timers.schedule(this.#housekeeping, housekeepingMs);
    this.#reactor.timers.schedule(this.#logFlush, this.#options.start.logFlushIntervalMs);
    this.#reactor.start(onStopped);
    this.#send({ kind: 'started', wakeUpDescriptor: this.#reactor.wakeUpFd });
    this.#reactor.wakeUp();
  }

  #send(message: FromWorker): void {
    this.#options.port.postMessage(message);
  }

  // Together at the end of the turn: the first request to a cluster has eight blocks made, of which each message took 25 us of
  // CPU here, and woke the main thread.
  #announce(announcement: BlockAnnouncement): void {
    if (this.#announcements.push(announcement) === 1) this.#reactor.defer(this.#announcing);
  }

  #sendAnnouncements(): void {
    const announcements = this.#announcements;
    if (announcements.length === 0) return;
    this.#announcements = [];
    this.#send({ kind: 'stats', announcements });
  }

  // Records leave without being copied: the buffer of a batch is its own.
  #sendTracing(message: TracingMessage): void {
    if (message.kind === 'spans') this.#options.port.postMessage(message, [message.bytes.buffer]);
    else this.#send(message);
  }

  #receive(): void {
    // In Node's loop, which is visited after each wake-up, the file is read.
    if (this.#isLoading) this.#reactor.wakeUp();
    while (!this.#isLoading) {
      // Before the next message, which may change the same clusters once more.
      if (this.#clusters.takeIn()) {
        this.#reactor.wakeUp();
        return;
      }
      this.#dropSecrets();
      const received = receiveMessageOnPort(this.#options.port);
      if (received === undefined) return;
      const message = received.message as ToWorker;
      this.#onMessage(message);
      // The next one in the next turn: requests come in between.
      if (message.kind === 'snapshot-part' || message.kind === 'route-part') {
        this.#reactor.wakeUp();
        return;
      }
    }
  }

  #onMessage(message: ToWorker): void {
    switch (message.kind) {
      case 'snapshot-part':
        this.#clusters.prepare(new ClusterPack(message.part));
        return;
      case 'route-part':
        this.#receivedRoutes.add(message.part);
        return;
      case 'snapshot':
        this.#apply(message);
        return;
      case 'identify':
        this.#tracing.identify(message.node);
        this.#istio.identify(message.node);
        return;
      case 'limit-connections':
        this.#context.globalLimit = new LimitedConnections(message.limit);
        return;
      case 'shortcut':
        void this.#loadShortcut(message.maps);
        return;
      case 'drain':
        this.#drain(message.inboundOnly, message.stopAccepting);
        return;
      case 'hand-over':
        this.#listeners.handOver();
        this.#isLeaving = true;
        this.#reportDrained();
        return;
      case 'fail-health-check':
        this.#listeners.setFailsHealthCheck(message.fails);
        return;
      case 'flush-logs':
        this.#logs.flush();
        this.#tracing.flush();
        return;
      case 'sampling':
        this.#tracing.set(message.settings);
        return;
      case 'demand-refused':
        this.#context.http.onDemand.refuse(message.name, message.why);
        this.#context.http.output.flush();
        return;
      case 'spans-taken':
        this.#tracing.onTaken();
        return;
      case 'stop':
        this.#options.downstream?.close();
        this.#logs.flush();
        this.#tracing.finish();
        this.#reactor.stop();
    }
  }

  /** The one part of a worker that calls libbpf. Listeners that are told of behind it open when it is there. */
  async #loadShortcut(maps: ShortcutMaps): Promise<void> {
    this.#isLoading = true;
    this.#reactor.wakeUp();
    const { ShortcutExit } = await import('../reactor/shortcut-exit.ts');
    this.#reactor.useShortcut(new ShortcutExit(maps));
    this.#isLoading = false;
    this.#reactor.wakeUp();
  }

  // Make before break: secrets are there before what uses them, clusters before the routes that name them, and these before
  // their listeners.
  #apply({ delta, routes, placements }: Extract<ToWorker, { kind: 'snapshot' }>): void {
    const { generation } = delta;
    if (delta.runtime !== undefined) {
      this.#runtime.clear();
      for (const [key, value] of delta.runtime) this.#runtime.set(key, value);
    }
    this.#tls.apply({ set: delta.secrets.set, removed: [] });
    this.#leavingSecrets = delta.secrets.removed;
    this.#clusters.apply(delta);
    this.#routeTables.apply(this.#receivedRoutes.join(routes));
    this.#listeners.apply(delta.listeners, new Map(placements));
    this.#context.http.onDemand.lookAgain();
    this.#context.http.output.flush();
    this.#generations.apply(this.#options.start.workerIndex, generation);
    if (generation !== this.#generations.published) return;
    this.#sendAnnouncements();
    this.#send({ kind: 'applied', generation });
  }

  #dropSecrets(): void {
    if (this.#leavingSecrets.length === 0) return;
    this.#tls.apply({ set: [], removed: this.#leavingSecrets });
    this.#leavingSecrets = [];
  }

  #drain(inboundOnly: boolean, stopAccepting: boolean): void {
    if (!stopAccepting) {
      this.#listeners.drain(inboundOnly);
      return;
    }
    this.#listeners.stop(inboundOnly);
    this.#isLeaving = true;
    this.#reportDrained();
  }

  #reportDrained(): void {
    if (!this.#isLeaving || this.#listeners.hasConnections()) return;
    this.#isLeaving = false;
    this.#send({ kind: 'drained' });
  }

  #keepHouse(): void {
    this.#date.update();
    this.#clusters.cleanUp(this.#reactor.nowMs);
    for (const cluster of this.#clusters.inUse()) {
      for (const endpoint of cluster.eachEndpoint()) (endpoint.pools as Http1EndpointPools | null)?.retireIdle();
    }
    this.#listeners.cleanUp();
    this.#tracing.keepHouse(this.#reactor.nowMs);
    this.#requestMetrics.cleanUp(this.#reactor.nowMs);
    this.#istio.cleanUp(this.#reactor.nowMs);
    this.#heap.keepHouse(this.#reactor.nowMs, this.#reactor.eventCount);
    this.#reactor.timers.schedule(this.#housekeeping, housekeepingMs);
  }

  #flushLogs(): void {
    this.#logs.flush();
    this.#reactor.timers.schedule(this.#logFlush, this.#options.start.logFlushIntervalMs);
  }

  #scheduleEntries(withinMs: number): void {
    if (!this.#entryFlush.isArmed) this.#reactor.timers.schedule(this.#entryFlush, withinMs);
  }

  #reserveDescriptors(): DescriptorReserve {
    const found = fileLimit();
    if (typeof found === 'number') throw new Error(`no limit of descriptors: ${describeErrno(-found)}`);
    const limit = found.soft;
    return new DescriptorReserve({
      reactor: this.#reactor,
      limit,
      onChange: (isShort) => {
        if (isShort) this.#warn(`nearly all of the ${limit} descriptors (ulimit -n) are in use: new connections wait`);
        this.#listeners.setPaused(isShort);
      },
    });
  }

  #warn(text: string): void {
    if (this.#reactor.nowMs - this.#warnedAtMs < warningIntervalMs) return;
    this.#warnedAtMs = this.#reactor.nowMs;
    this.#send({ kind: 'warning', text });
  }
}

/** What listeners can name. Where no second engine is loaded, both names are our own. */
function enginesOf(
  http: HttpContext,
  { makeConnector, downstream }: WorkerOptions,
): ReadonlyMap<EngineName, ChainEngine> {
  const connector = makeConnector?.(http.reactor, http.output) ?? http.connector;
  return new Map<EngineName, ChainEngine>([
    ['reactor', { engine: null, http }],
    ['uws', { engine: downstream ?? null, http: { ...http, connector } }],
  ]);
}

function statsSource(stats: WorkerStats): StatsSource {
  return {
    clusterBlock: (name) => stats.block(clusterStats, name),
    responseBlock: (name, caller) => stats.block(callerResponseStats[caller], name),
    breakerBlock: (name, priority) => stats.block(circuitBreakerStats[priority], name),
    endpointBlock: (name, address) => stats.block(endpointStats, name, address),
    release: (block) => stats.release(block),
  };
}

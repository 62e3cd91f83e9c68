// A filter chain at work in one worker: its terminal filter, made ready when the first connection chooses the chain.

import type { AccessLog } from '../../config/access-log.ts';
import type { TcpMetadataExchange } from '../../config/istio-filter.ts';
import type { EngineName, FilterChain, NetworkFilter } from '../../config/listener.ts';
import { close } from '../../native/socket.ts';
import type { DownstreamEngine } from '../engine/downstream-engine.ts';
import { TcpProxyFilter } from '../filter/tcp-proxy.ts';
import { TcpSession } from '../filter/tcp-session.ts';
import { ConnectionManager, type HttpContext } from '../http/connection-manager.ts';
import { Http1ServerConnection } from '../http/http1/server-connection.ts';
import type { RequestCounter } from '../http/request-counter.ts';
import type { WorkerIstio } from '../istio/worker-istio.ts';
import { adoptDescriptor, adoptTls } from '../reactor/accepted-socket.ts';
import type { ByteStream } from '../reactor/byte-stream.ts';
import { pendingHandler } from '../reactor/pending-handler.ts';
import type { AccessLogger } from '../telemetry/access-log.ts';
import { httpStats, listenerHttpStats } from '../telemetry/http-stats.ts';
import { listenerStats } from '../telemetry/listener-stats.ts';
import type { StatBlock, StatSet } from '../telemetry/stats.ts';
import { tcpStats } from '../telemetry/tcp-stats.ts';
import type { WorkerStats } from '../telemetry/worker-stats.ts';
import type { ServerTls } from '../tls/server-tls.ts';
import type { Carried } from '../tls/spoken-protocols.ts';
import type { TlsContexts } from '../tls/tls-contexts.ts';
import type { WorkerTracing } from '../tracing/worker-tracing.ts';
import type { ListenerConnection } from './listener-connection.ts';
import { TlsHandshake } from './tls-handshake.ts';

export interface FilterChainContext {
  readonly http: HttpContext;
  readonly stats: WorkerStats;
  readonly compileAccessLogs: (logs: readonly AccessLog[]) => readonly AccessLogger[];
  readonly tls: TlsContexts;
  readonly tracing: WorkerTracing;
  readonly istio: WorkerIstio;
  readonly requestCounter: RequestCounter;
  /** Requests are counted by service and route also where nothing is traced. */
  readonly countsAllRequests: boolean;
  /** What serves plain HTTP connections in the place of our own codec; null, or absent, is our own. */
  readonly engine?: DownstreamEngine | null;
  /** The engines that a listener can name; none beside the one above when absent. */
  readonly engines?: ReadonlyMap<EngineName, ChainEngine>;
}

/** What carries requests from end to end. */
export interface ChainEngine {
  readonly engine: DownstreamEngine | null;
  /** With the way upstream. */
  readonly http: HttpContext;
}

/** What a filter chain takes from its listener. */
export interface FilterChainOwner {
  /** The listener's name in stats. */
  readonly statName: string;
  readonly isOutbound: boolean;
  /** The process's choice when undefined. */
  readonly engine?: EngineName | undefined;
}

type TerminalFilter =
  | { readonly kind: 'http'; readonly manager: ConnectionManager }
  | { readonly kind: 'tcp'; readonly filter: TcpProxyFilter };

export class FilterChainRuntime {
  readonly #terminal: TerminalFilter;
  readonly #context: FilterChainContext;
  readonly #engine: ChainEngine;
  /** Null where connections are plain. */
  readonly #tls: ServerTls | null;
  readonly #handshakeTimeoutMs: number;
  /** Of the listener, where the chain lacks a filter; else null. */
  readonly #lacking: StatBlock | null;
  /** Those that are open, in their handshake too. */
  readonly connections = new Set<ListenerConnection>();
  /** What is released at the end. */
  readonly #blocks: StatBlock[] = [];

  constructor(config: FilterChain, owner: FilterChainOwner, context: FilterChainContext) {
    this.#context = context;
    this.#engine = engineFor(owner, context);
    this.#terminal = this.#compile(config.filters[config.filters.length - 1]!, owner);
    this.#tls = config.tls === undefined ? null : context.tls.server(config.tls, owner.statName, this.#carries);
    this.#handshakeTimeoutMs = config.transportSocketConnectTimeoutMs;
    this.#lacking = config.lacksFilter ? this.#block(listenerStats, owner.statName) : null;
  }

  get #carries(): Carried {
    if (this.#terminal.kind === 'http') return 'http';
    const exchange = this.#terminal.filter.config.metadataExchange;
    return exchange === undefined ? 'bytes' : { bytesBehind: exchange.protocol };
  }

  #compile(filter: NetworkFilter, { statName, isOutbound }: FilterChainOwner): TerminalFilter {
    const { statPrefix, accessLogs } = filter.config;
    const shared = { context: this.#engine.http, accessLoggers: this.#context.compileAccessLogs(accessLogs) };
    if (filter.kind === 'tcp-proxy') {
      const stats = this.#block(tcpStats, statPrefix);
      const { istio, http } = this.#context;
      const istioStats = istio.compileTcpStats(filter.config, isOutbound);
      const exchange = (config: TcpMetadataExchange) => istio.exchange(config, http.reactor);
      const options = { config: filter.config, stats, istioStats, exchange, ...shared };
      return { kind: 'tcp', filter: new TcpProxyFilter(options) };
    }
    const stats = this.#block(httpStats, statPrefix);
    const ofListener = this.#block(listenerHttpStats, statName, statPrefix);
    const { tracing, istio, requestCounter, countsAllRequests } = this.#context;
    const tracer = tracing.compile(filter.config, isOutbound);
    const counter = tracer !== null || countsAllRequests ? requestCounter : null;
    const peerMetadata = istio.compilePeerMetadata(filter.config);
    const istioStats = istio.compileRequestStats(filter.config, isOutbound);
    const options = {
      ...{ config: filter.config, stats, listenerStats: ofListener, tracer, counter, peerMetadata, istioStats },
      ...shared,
    };
    return { kind: 'http', manager: new ConnectionManager(options) };
  }

  #block(set: StatSet, ...names: readonly string[]): StatBlock {
    const block = this.#context.stats.block(set, ...names);
    this.#blocks.push(block);
    return block;
  }

  /** Owns the accepted socket from now on. */
  start(descriptor: number, connection: ListenerConnection, maxKeptBytes: number): void {
    connection.chain = this;
    this.connections.add(connection);
    if (this.#lacking !== null) {
      this.#lacking.inc(listenerStats.networkExtensionConfigMissing);
      close(descriptor);
      connection.onConnectionGone();
      return;
    }
    if (this.#tls !== null) {
      this.#shakeHands(descriptor, connection, { tls: this.#tls, maxKeptBytes });
      return;
    }
    const { engine, http } = this.#engine;
    if (engine !== null && this.#terminal.kind === 'http' && engine.carries(this.#terminal.manager)) {
      engine.start(descriptor, this.#terminal.manager, connection, maxKeptBytes);
      return;
    }
    this.#begin(connection, adoptDescriptor(http.reactor, descriptor, pendingHandler, { maxKeptBytes }));
  }

  #shakeHands(
    descriptor: number,
    connection: ListenerConnection,
    { tls, maxKeptBytes }: { readonly tls: ServerTls; readonly maxKeptBytes: number },
  ): void {
    const transport = tls.begin(descriptor);
    if (typeof transport === 'string') {
      close(descriptor);
      connection.onHandshakeFailed(`TLS: ${transport}`);
      return;
    }
    const handshake = new TlsHandshake(transport, connection, () => this.#begin(connection, stream));
    const options = { maxKeptBytes, handshakeTimeoutMs: this.#handshakeTimeoutMs };
    const stream = adoptTls(this.#context.http.reactor, transport, handshake, options);
    connection.stream = stream;
  }

  // Data can flow.
  #begin(connection: ListenerConnection, stream: ByteStream): void {
    connection.stream = stream;
    const { facts } = connection;
    if (this.#terminal.kind === 'http') {
      stream.handler = new Http1ServerConnection(stream, this.#terminal.manager, facts, connection);
      return;
    }
    const session = new TcpSession(this.#terminal.filter, stream, facts, connection);
    if (connection.early === null) session.connect();
    else session.take(connection.early);
  }

  /** The filter that has plain bytes without any condition; null where there is TLS or HTTP to be spoken first. */
  get plainTcp(): TcpProxyFilter | null {
    const isPlain = this.#tls === null && this.#lacking === null;
    return isPlain && this.#terminal.kind === 'tcp' ? this.#terminal.filter : null;
  }

  /**
   * Idle HTTP connections close, busy ones after their response. TCP connections run until the drain time is over, and a
   * handshake goes on: who began it has a request to send, which a close would lose.
   */
  drain(): void {
    if (this.#terminal.kind === 'http') this.#terminal.manager.drain();
  }

  /** As `drain`, for each HTTP connection that is open now with this probability. */
  drainSome(probability: number): void {
    if (this.#terminal.kind !== 'http') return;
    const { random } = this.#context.http;
    for (const connection of [...this.#terminal.manager.connections]) if (random() < probability) connection.drain();
  }

  /** Whether every response asks the client to leave; idle connections stay. */
  setClosesAfterResponse(closes: boolean): void {
    if (this.#terminal.kind === 'http') this.#terminal.manager.isDraining = closes;
  }

  get openConnections(): number {
    return this.connections.size;
  }

  /** The drain time is over. What an HTTP connection still carries by now is a response. */
  closeConnections(): void {
    for (const connection of this.connections) connection.cut(this.#terminal.kind === 'http');
  }

  /** The last connection is gone and none comes: its stats may disappear. */
  release(): void {
    if (this.#terminal.kind === 'http') this.#terminal.manager.release();
    this.#tls?.release();
    for (const block of this.#blocks) this.#context.stats.release(block);
  }
}

function engineFor(owner: FilterChainOwner, { engines, engine = null, http }: FilterChainContext): ChainEngine {
  const named = owner.engine === undefined ? undefined : engines?.get(owner.engine);
  return named ?? { engine, http };
}

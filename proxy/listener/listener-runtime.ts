// A listener at work in one worker: its sockets, its limits, the choice of a filter chain for each connection, and its
// own counters and access log. https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/listeners

import { type Address, formatAddress } from '../../config/address.ts';
import type { FilterChain, Listener } from '../../config/listener.ts';
import { filterChainsOf } from '../../config/references.ts';
import { describeErrno } from '../../native/errno.ts';
import { close, localAddress } from '../../native/socket.ts';
import type { ConnectionFacts } from '../http/connection-facts.ts';
import { ResponseFlag } from '../http/stream-info.ts';
import { ListeningSocket } from '../reactor/listening-socket.ts';
import type { AccessLogger } from '../telemetry/access-log.ts';
import { listenerStatName, listenerStats, listenerWorkerStats } from '../telemetry/listener-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import { type ConnectionOrigin, criteriaOf, ipOf, originOf } from './connection-origin.ts';
import type { DescriptorReserve } from './descriptor-reserve.ts';
import { type ChainMatcher, compileFilterChainMatch } from './filter-chain-match.ts';
import { type FilterChainContext, FilterChainRuntime } from './filter-chain-runtime.ts';
import type { KeptFilterChain } from './listener-change.ts';
import { type ConnectionOwner, ListenerConnection } from './listener-connection.ts';
import { nothingFound } from './listener-filter.ts';
import { compileListenerFilters, type InspectedConnection, type ListenerFilters } from './listener-filters.ts';
import type { ServerFirstVerdicts } from './server-first-verdicts.ts';
import { LimitedConnections, type SharedLimit } from './shared-limit.ts';
import { type Prospect, Speculation } from './speculation.ts';
import type { WaitingConnection } from './waiting-connection.ts';

export interface ListenerContext extends FilterChainContext {
  readonly workerIndex: number;
  readonly reserve: DescriptorReserve;
  /** Where a connection was headed before it was redirected; undefined when it was not. */
  readonly originalDestination: (descriptor: number) => Address | undefined;
  /** The listener bound to this address, for `use_original_dst`. */
  readonly findListener: (address: Address) => ListenerRuntime | null;
  /** Accepting failed for want of descriptors or memory. */
  readonly onAcceptError: (listener: string, errno: number) => void;
  /** The last open connection of a listener is gone. */
  readonly onIdle: () => void;
  /** `Bootstrap.maxDownstreamConnections`, null without. */
  globalLimit: LimitedConnections | null;
  readonly serverFirst: ServerFirstVerdicts;
  nextConnectionId: number;
}

/** What the main thread prepared for a listener. */
export interface ListenerSockets {
  /** Listening sockets, owned by the listener from now on. */
  readonly descriptors: readonly number[];
  /** Of `Listener.connectionLimit`, the same for all workers; absent without one. */
  readonly limit?: SharedLimit;
}

export class ListenerRuntime implements ConnectionOwner {
  config: Listener;
  readonly #context: ListenerContext;
  readonly #statName: string;
  readonly #stats: StatBlock;
  readonly #workerStats: StatBlock;
  #matcher: ChainMatcher;
  readonly #accessLoggers: readonly AccessLogger[];
  #chains = new Map<FilterChain, FilterChainRuntime>();
  readonly #limit: LimitedConnections | null;
  readonly #globalLimit: LimitedConnections | null;
  #maxKeptBytes: number;
  /** Without such a chain no server is to speak first. */
  #hasPlainTcp: boolean;
  readonly #wantsOriginal: boolean;
  /** Null when no filter waits for bytes: a connection begins at once. */
  readonly #filters: ListenerFilters | null;
  #sockets: ListeningSocket[] = [];
  #open = 0;
  #isDraining = false;
  #closesAfterResponse = false;

  /** Begins to accept. Throws when the kernel refuses an event for a socket that listens already. */
  constructor(config: Listener, sockets: ListenerSockets, context: ListenerContext) {
    this.config = config;
    this.#context = context;
    const { stats } = context;
    this.#statName = listenerStatName(config);
    this.#stats = stats.block(listenerStats, this.#statName);
    this.#workerStats = stats.block(listenerWorkerStats, this.#statName, String(context.workerIndex));
    this.#matcher = compileFilterChainMatch(config.filterChains, config.defaultFilterChain);
    this.#accessLoggers = context.compileAccessLogs(config.accessLogs);
    this.#limit = sockets.limit === undefined ? null : new LimitedConnections(sockets.limit);
    this.#globalLimit = config.ignoreGlobalConnectionLimit ? null : context.globalLimit;
    this.#maxKeptBytes = keptBytesFor(config);
    this.#hasPlainTcp = filterChainsOf(config).some(isPlainTcp);
    this.#wantsOriginal = config.useOriginalDst || config.listenerFilters.some(({ kind }) => kind === 'original-dst');
    this.#filters = compileListenerFilters(config, {
      reactor: context.http.reactor,
      stats,
      listenerStats: this.#stats,
      onInspected: (connection) => this.#begin(connection),
      speculate: (connection) => (this.#hasPlainTcp ? this.#speculate(connection) : null),
      onDropped: (connection) => this.#onDropped(connection),
    });
    for (const descriptor of sockets.descriptors) this.#listen(descriptor);
  }

  #listen(descriptor: number): void {
    const options = { maxAcceptsPerTurn: this.config.maxConnectionsToAcceptPerTurn };
    const socket = ListeningSocket.adopt(this.#context.http.reactor, descriptor, options, this);
    if (typeof socket === 'number') throw new Error(`listener ${this.config.name}: ${describeErrno(-socket)}`);
    if (this.#context.reserve.isShort) socket.pause();
    this.#sockets.push(socket);
  }

  /** A connection arrived at one of our sockets. */
  onAccept(descriptor: number): void {
    this.#context.reserve.onAccepted(descriptor);
    this.accept(descriptor);
  }

  onAccepted(count: number): void {
    this.#stats.record(listenerStats.connectionsAcceptedPerSocketEvent, count);
  }

  onAcceptError(errno: number): void {
    this.#context.onAcceptError(this.config.name, errno);
  }

  /** Original destination, and the hand-over to the listener that is bound to it, whose filters then look at it. */
  accept(descriptor: number): void {
    const original = this.#wantsOriginal ? this.#context.originalDestination(descriptor) : undefined;
    const other = this.config.useOriginalDst && original !== undefined ? this.#context.findListener(original) : null;
    (other ?? this).admit(descriptor, original);
  }

  /** Limits, listener filters, filter chain match, terminal filter. */
  admit(descriptor: number, original: Address | undefined): void {
    if (!this.#isWithinLimits()) {
      close(descriptor);
      return;
    }
    this.#open++;
    if (this.#filters === null) this.#begin({ descriptor, original, found: nothingFound, speculation: null });
    else this.#filters.inspect(descriptor, original);
  }

  // As Envoy: the process's limit is asked first, and a rejected connection is closed without a word.
  #isWithinLimits(): boolean {
    if (this.#globalLimit !== null && !this.#globalLimit.tryAdd()) {
      this.#stats.inc(listenerStats.downstreamGlobalCxOverflow);
      return false;
    }
    if (this.#limit === null || this.#limit.tryAdd()) return true;
    this.#globalLimit?.remove();
    this.#stats.inc(listenerStats.downstreamCxOverflow);
    return false;
  }

  #begin({ descriptor, original, found, speculation }: InspectedConnection): void {
    this.#stats.inc(listenerStats.downstreamCxTotal);
    this.#stats.inc(listenerStats.downstreamCxActive);
    this.#workerStats.inc(listenerWorkerStats.downstreamCxTotal);
    this.#workerStats.inc(listenerWorkerStats.downstreamCxActive);
    const origin = originOf(descriptor, original, found);
    const chain = this.#matcher.match(criteriaOf(origin));
    const facts = this.#factsOf(origin, chain);
    const connection = new ListenerConnection(this, facts, this.#context.http.reactor.nowMs);
    if (chain !== null) {
      const runtime = this.#chain(chain);
      connection.early = speculation?.claim(runtime.plainTcp) ?? null;
      runtime.start(descriptor, connection, this.#maxKeptBytes);
      return;
    }
    speculation?.claim(null);
    this.#stats.inc(listenerStats.noFilterChainMatch);
    close(descriptor);
    this.#end(connection, ResponseFlag.noRouteFound);
  }

  #speculate(waiting: WaitingConnection): Speculation {
    return new Speculation({
      reactor: this.#context.http.reactor,
      verdicts: this.#context.serverFirst,
      prospect: () => this.#prospectOf(waiting),
      onServerSpoke: () => waiting.onServerSpoke(),
    });
  }

  /** By the configuration of now. */
  #prospectOf({ descriptor, original, found }: WaitingConnection): Prospect | null {
    const origin = originOf(descriptor, original, found);
    const chain = this.#matcher.match(criteriaOf(origin));
    if (chain === null || !isPlainTcp(chain)) return null;
    const filter = this.#chain(chain).plainTcp;
    if (filter === null || origin.local === undefined) return null;
    return {
      filter,
      originalDestination: original === undefined ? '' : formatAddress(original),
      client: ipOf(origin.remote),
      destination: formatAddress(origin.local),
    };
  }

  #factsOf({ remote, peer, local, original, found }: ConnectionOrigin, chain: FilterChain | null): ConnectionFacts {
    const remoteIp = ipOf(remote);
    return {
      connectionId: this.#context.nextConnectionId++,
      remoteAddress: remote === undefined ? '' : formatAddress(remote),
      directRemoteAddress: peer === undefined ? '' : formatAddress(peer),
      remoteIp,
      isLoopbackPeer: remoteIp.startsWith('127.') || remoteIp === '::1',
      localAddress: local === undefined ? '' : formatAddress(local),
      localPort: local?.kind === 'ip' ? local.port : 0,
      listenerName: this.config.name,
      filterChainName: chain?.name ?? '',
      listenerMetadata: this.config.metadata,
      filterChainMetadata: chain?.metadata,
      bufferLimitBytes: this.config.perConnectionBufferLimitBytes,
      originalDestination: original === undefined ? undefined : formatAddress(original),
      requestedServerName: found.serverName,
      tls: undefined,
    };
  }

  /** It ended before a filter chain was chosen, and was no connection yet to the counters. */
  #onDropped({ descriptor, original, found, startedAtMs }: WaitingConnection): void {
    if (this.#accessLoggers.length > 0) {
      const local = original ?? localAddress(descriptor, true);
      const facts = this.#factsOf({ ...originOf(descriptor, original, found), local }, null);
      this.#log(new ListenerConnection(this, facts, startedAtMs), 0);
    }
    this.#leave();
  }

  #chain(config: FilterChain): FilterChainRuntime {
    let chain = this.#chains.get(config);
    if (chain === undefined) {
      const { trafficDirection, engine } = this.config;
      const owner = { statName: this.#statName, isOutbound: trafficDirection === 'outbound', engine };
      chain = new FilterChainRuntime(config, owner, this.#context);
      if (this.#isDraining) chain.drain();
      else if (this.#closesAfterResponse) chain.setClosesAfterResponse(true);
      this.#chains.set(config, chain);
    }
    return chain;
  }

  onConnectionEnd(connection: ListenerConnection): void {
    this.#end(connection, 0);
  }

  onHandshakeTimeout(): void {
    this.#stats.inc(listenerStats.downstreamCxTransportSocketConnectTimeout);
  }

  #end(connection: ListenerConnection, responseFlags: number): void {
    this.#stats.dec(listenerStats.downstreamCxActive);
    this.#stats.inc(listenerStats.downstreamCxDestroy);
    this.#stats.record(listenerStats.downstreamCxLengthMs, this.#context.http.reactor.nowMs - connection.startedAtMs);
    this.#workerStats.dec(listenerWorkerStats.downstreamCxActive);
    if (this.#accessLoggers.length > 0) this.#log(connection, responseFlags);
    this.#leave();
  }

  #log(connection: ListenerConnection, responseFlags: number): void {
    const { http } = this.#context;
    const info = connection.describe(http.reactor.nowMs, http.wallOffsetMs);
    info.responseFlags = responseFlags;
    for (const logger of this.#accessLoggers) {
      logger.log({ info, request: null, response: null, responseTrailers: null, localReplyBody: '' });
    }
  }

  /** One connection less, whatever became of it. */
  #leave(): void {
    this.#globalLimit?.remove();
    this.#limit?.remove();
    this.#open--;
    if (this.#open === 0) this.#context.onIdle();
  }

  /** Those that wait for listener filters included. */
  get openConnections(): number {
    return this.#open;
  }

  /** Leaves new connections in the kernel's queue. */
  pause(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  resume(): void {
    for (const socket of this.#sockets) socket.resume();
  }

  /** Accepts in the place of `before`, from its sockets: no connection is refused meanwhile. */
  takeSockets(before: ListenerRuntime): void {
    const { backlog, maxConnectionsToAcceptPerTurn } = this.config;
    const options = { backlog, maxAcceptsPerTurn: maxConnectionsToAcceptPerTurn };
    this.#sockets = before.#sockets;
    before.#sockets = [];
    for (const socket of this.#sockets) socket.handOver(this, options);
  }

  /**
   * For a configuration that differs in filter chains only. Those that are kept go on with their connections; returns
   * the others, whose connections are to be drained.
   */
  updateFilterChains(config: Listener, kept: readonly KeptFilterChain[]): readonly FilterChainRuntime[] {
    const [before, after] = [filterChainsOf(this.config), filterChainsOf(config)];
    const chains = new Map<FilterChain, FilterChainRuntime>();
    for (const { index, earlierIndex } of kept) {
      const earlier = before[earlierIndex]!;
      const chain = this.#chains.get(earlier);
      if (chain !== undefined) chains.set(after[index]!, chain);
      this.#chains.delete(earlier);
    }
    const others = [...this.#chains.values()];
    this.#chains = chains;
    this.config = config;
    this.#matcher = compileFilterChainMatch(config.filterChains, config.defaultFilterChain);
    this.#maxKeptBytes = keptBytesFor(config);
    this.#hasPlainTcp = filterChainsOf(config).some(isPlainTcp);
    return others;
  }

  /** No new connections. */
  stopAccepting(): void {
    for (const socket of this.#sockets) socket.close();
    this.#sockets = [];
  }

  /** Idle HTTP connections close, busy ones after their response. TCP connections run until the drain time is over. */
  drain(): void {
    this.#isDraining = true;
    this.#filters?.drain();
    for (const chain of this.#chains.values()) chain.drain();
  }

  /** As `drain`, for each HTTP connection that is open now with this probability. */
  drainSome(probability: number): void {
    for (const chain of this.#chains.values()) chain.drainSome(probability);
  }

  /** `/healthcheck/fail`: clients leave after their response, for another instance. A listener may not care. */
  setFailsHealthCheck(fails: boolean): void {
    if (this.config.drainType === 'modify-only' || this.#isDraining) return;
    this.#setClosesAfterResponse(fails);
  }

  /** Clients leave after their next response, whatever `drain_type` says: the process is replaced. Idle ones stay. */
  askToLeave(): void {
    if (!this.#isDraining) this.#setClosesAfterResponse(true);
  }

  #setClosesAfterResponse(closes: boolean): void {
    this.#closesAfterResponse = closes;
    for (const chain of this.#chains.values()) chain.setClosesAfterResponse(closes);
  }

  /** The drain time is over. */
  closeConnections(): void {
    this.#filters?.close();
    for (const chain of this.#chains.values()) chain.closeConnections();
  }

  /** Nothing is accepted any more and the last connection is gone: its stats may disappear. */
  release(): void {
    for (const chain of this.#chains.values()) chain.release();
    this.#filters?.release();
    this.#context.stats.release(this.#workerStats);
    this.#context.stats.release(this.#stats);
  }
}

/** Whoever connects is let through, unseen: no TLS, and no filter that might refuse. */
function isPlainTcp({ tls, filters }: FilterChain): boolean {
  return tls === undefined && filters.length === 1 && filters[0]!.kind === 'tcp-proxy';
}

// A request head may be larger than what is kept by default; it is parsed whole.
function keptBytesFor(config: Listener): number {
  let largest = 0;
  for (const chain of filterChainsOf(config)) {
    for (const filter of chain.filters) {
      if (filter.kind === 'http-connection-manager')
        largest = Math.max(largest, filter.config.maxRequestHeadersKb * 1024);
    }
  }
  return 128 * 1024 + largest;
}

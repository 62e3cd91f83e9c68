// The connections of one worker to one endpoint, for one routing priority.
//
// The keep-alive race that users see as 503 UC is met three times: the pool learns after how long this endpoint closes
// idle connections and retires its own before that, a request that may not be repeated looks at the socket before it
// uses it, and what still fails is replayed once (upstream-request.ts).

import type { UpstreamConnection } from '../http/upstream-connection.ts';
import type { CloseReason } from '../reactor/byte-stream.ts';
import { localAddressText } from '../reactor/local-address.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { clusterStats } from '../telemetry/cluster-stats.ts';
import { endpointStats } from '../telemetry/endpoint-stats.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';
import type { ClusterRuntime } from './cluster-runtime.ts';
import { nextConnectionNumber } from './connection-number.ts';
import type { EndpointRuntime } from './endpoint-runtime.ts';
import { IdleConnections } from './idle-connections.ts';
import type { ConnectionOwner, PooledConnection, UpstreamConnector } from './pooled-connection.ts';
import { connectFailure, overflowFailure, type UpstreamFailure } from './upstream-failure.ts';
import type { ConnectionVariant } from './upstream-transport.ts';

/** Retire an idle connection at this share of the idle time after which the endpoint was seen to close one. */
const retireShare = 0.8;

/** A request that waits for a connection. Exactly one of the two is called, once, unless it is cancelled. */
export interface PoolWaiter {
  onConnectionReady(connection: UpstreamConnection): void;
  onConnectionFailed(failure: UpstreamFailure): void;
}

/** What a pool's requests have in common. */
export interface PoolTerms {
  readonly breaker: CircuitBreaker;
  /** Null where all connections to the endpoint are alike. */
  readonly variant: ConnectionVariant | null;
}

export interface PoolContext {
  readonly reactor: Reactor;
  /** Opens connections: the engine's choice. */
  readonly connector: UpstreamConnector;
}

export class EndpointPool implements ConnectionOwner {
  readonly #context: PoolContext;
  readonly #cluster: ClusterRuntime;
  readonly #endpoint: EndpointRuntime;
  readonly variant: ConnectionVariant | null;
  readonly #breaker: CircuitBreaker;
  readonly #idle = new IdleConnections();
  readonly #waiting: PoolWaiter[] = [];
  #connecting = 0;
  #open = 0;
  #isDraining = false;
  /** Idle time after which the endpoint closes; infinite until it is learnt. */
  #learntIdleMs = Number.POSITIVE_INFINITY;

  constructor(context: PoolContext, cluster: ClusterRuntime, endpoint: EndpointRuntime, terms: PoolTerms) {
    this.#context = context;
    this.#cluster = cluster;
    this.#endpoint = endpoint;
    this.#breaker = terms.breaker;
    this.variant = terms.variant;
  }

  get connector(): UpstreamConnector {
    return this.#context.connector;
  }

  get connectionCount(): number {
    return this.#open;
  }

  /** Nobody has or waits for a connection of it. */
  get isUnused(): boolean {
    return this.#open === 0 && this.#waiting.length === 0;
  }

  /** What the endpoint was seen to do with idle connections, for messages and admin; infinite when unknown. */
  get learntIdleMs(): number {
    return this.#learntIdleMs;
  }

  get turn(): number {
    return this.#context.reactor.turn;
  }

  /**
   * Finds a connection for a request: an idle one at once, else a new one when it is there. `fresh` refuses idle
   * connections (a replay); `mustNotRepeat` looks at the socket of an idle one first.
   */
  acquire(waiter: PoolWaiter, fresh: boolean, mustNotRepeat: boolean): void {
    if (!fresh) {
      const connection = this.#takeIdle(mustNotRepeat);
      if (connection !== null) {
        waiter.onConnectionReady(connection);
        return;
      }
    }
    if (!this.#breaker.tryAcquirePendingRequest()) {
      this.#cluster.stats.inc(clusterStats.upstreamRqPendingOverflow);
      waiter.onConnectionFailed(overflowFailure);
      return;
    }
    this.#cluster.stats.inc(clusterStats.upstreamRqPendingTotal);
    this.#cluster.stats.inc(clusterStats.upstreamRqPendingActive);
    this.#endpoint.stats.inc(endpointStats.rqPendingActive);
    this.#waiting.push(waiter);
    if (this.#connecting < this.#waiting.length) this.#connect();
  }

  /** A waiting request went away. */
  cancel(waiter: PoolWaiter): void {
    const index = this.#waiting.indexOf(waiter);
    if (index < 0) return;
    this.#waiting.splice(index, 1);
    this.#releasePending();
    this.#cluster.stats.inc(clusterStats.upstreamRqCancelled);
  }

  /** The endpoint left the cluster: idle connections close now, busy ones after their exchange. */
  drain(): void {
    this.#isDraining = true;
    for (const connection of this.#idle.takeEach(() => true)) connection.close();
  }

  /** Closes connections that have been idle, or open, for too long; called now and then. */
  retireIdle(): void {
    if (this.#cluster.config.upstreamHttp.maxConnectionDurationMs > 0) {
      for (const connection of this.#idle.takeEach((one) => this.#isTooOld(one))) connection.close();
    }
    const bound = this.#context.reactor.nowMs - this.#retireAfterMs();
    for (const connection of this.#idle.takeWhile(this.turn, ({ notes }) => notes.idleSinceMs <= bound)) {
      this.#cluster.stats.inc(clusterStats.upstreamCxIdleTimeout);
      connection.close();
    }
  }

  /** `max_connection_duration` is over: the connection finishes what it carries and takes nothing more. */
  #isTooOld(connection: PooledConnection): boolean {
    const longestMs = this.#cluster.config.upstreamHttp.maxConnectionDurationMs;
    if (longestMs === 0 || this.#context.reactor.nowMs - connection.notes.connectStartedAtMs < longestMs) return false;
    this.#cluster.stats.inc(clusterStats.upstreamCxMaxDurationReached);
    return true;
  }

  #takeIdle(mustNotRepeat: boolean): PooledConnection | null {
    const now = this.#context.reactor.nowMs;
    for (;;) {
      const connection = this.#idle.pop(this.turn);
      if (connection === null) return null;
      const { notes } = connection;
      const idleMs = now - notes.idleSinceMs;
      if (idleMs >= this.#retireAfterMs()) {
        this.#cluster.stats.inc(clusterStats.upstreamCxIdleTimeout);
        connection.close();
        continue;
      }
      const mustLook = mustNotRepeat || notes.idleSinceTurn === this.turn;
      if (this.#isTooOld(connection) || (mustLook && connection.hasInput())) {
        connection.close();
        continue;
      }
      notes.idleBeforeMs = idleMs;
      return connection;
    }
  }

  #retireAfterMs(): number {
    const configured = this.#cluster.config.upstreamHttp.idleTimeoutMs;
    const learnt = this.#learntIdleMs * retireShare;
    return configured === 0 ? learnt : Math.min(configured, learnt);
  }

  #connect(): void {
    const { stats } = this.#cluster;
    // Envoy's rule: a pool that has no connection at all may open one above the limit, or it could never serve.
    if (!this.#breaker.tryAcquireConnection()) {
      stats.inc(clusterStats.upstreamCxOverflow);
      if (this.#open > 0) return;
      this.#breaker.acquireConnection();
    }
    this.#connecting++;
    this.#open++;
    this.#endpoint.activeConnections++;
    stats.inc(clusterStats.upstreamCxTotal);
    stats.inc(clusterStats.upstreamCxActive);
    if (this.connector.isRaw !== true) stats.inc(clusterStats.upstreamCxHttp1Total);
    this.#endpoint.stats.inc(endpointStats.cxTotal);
    this.#endpoint.stats.inc(endpointStats.cxActive);
    const { notes } = this.#context.connector.connect(this, this.#cluster, this.#endpoint);
    notes.connectStartedAtMs = this.#context.reactor.nowMs;
    notes.connectionNumber = nextConnectionNumber();
  }

  onConnectionEstablished(connection: PooledConnection): void {
    const { notes, stream } = connection;
    this.#connecting--;
    notes.idleSinceMs = this.#context.reactor.nowMs;
    notes.localAddressText = localAddressText(stream);
    this.#cluster.stats.record(clusterStats.upstreamCxConnectMs, notes.idleSinceMs - notes.connectStartedAtMs);
    this.#offer(connection);
  }

  onConnectionIdle(connection: PooledConnection): void {
    this.#countBytes(connection);
    connection.notes.countedReceivedBytes = connection.stream.bytesReceived;
    connection.notes.countedSentBytes = connection.stream.bytesSent;
    const { maxRequestsPerConnection } = this.#cluster.config.upstreamHttp;
    const isSpent = maxRequestsPerConnection > 0 && connection.exchangeCount >= maxRequestsPerConnection;
    if (isSpent) this.#cluster.stats.inc(clusterStats.upstreamCxMaxRequests);
    if (isSpent || this.#isDraining || this.#isTooOld(connection)) {
      connection.close();
      return;
    }
    if (connection.keepAliveTimeoutMs > 0) this.#learn(connection.keepAliveTimeoutMs);
    connection.notes.idleSinceMs = this.#context.reactor.nowMs;
    this.#offer(connection);
  }

  #offer(connection: PooledConnection): void {
    if (this.#waiting.length === 0) {
      this.#idle.push(connection, this.turn);
      return;
    }
    const waiter = this.#waiting.shift()!;
    // No turn passes between the last response and the next request in which bytes behind it would be noticed.
    if (connection.exchangeCount > 0 && connection.hasInput()) {
      this.#waiting.unshift(waiter);
      connection.close();
      return;
    }
    this.#releasePending();
    connection.notes.idleBeforeMs = connection.exchangeCount === 0 ? -1 : 0;
    waiter.onConnectionReady(connection);
  }

  #releasePending(): void {
    this.#breaker.releasePendingRequest();
    this.#cluster.stats.dec(clusterStats.upstreamRqPendingActive);
    this.#endpoint.stats.dec(endpointStats.rqPendingActive);
  }

  onConnectionClosed(connection: PooledConnection, reason: CloseReason, wasIdle: boolean): void {
    const { stats } = this.#cluster;
    const wasConnecting = connection.exchangeCount === 0 && connection.notes.idleSinceMs === 0;
    this.#countBytes(connection);
    this.#open--;
    this.#endpoint.activeConnections--;
    this.#breaker.releaseConnection();
    stats.dec(clusterStats.upstreamCxActive);
    stats.inc(clusterStats.upstreamCxDestroy);
    stats.record(clusterStats.upstreamCxLengthMs, this.#context.reactor.nowMs - connection.notes.connectStartedAtMs);
    this.#endpoint.stats.dec(endpointStats.cxActive);
    if (wasConnecting) {
      const isRefused = reason.kind === 'error';
      stats.inc(isRefused ? clusterStats.upstreamCxDestroyRemote : clusterStats.upstreamCxDestroyLocal);
      this.#connecting--;
      this.#failWaiting(reason);
      return;
    }
    stats.record(clusterStats.upstreamRqPerCx, connection.exchangeCount);
    const isRemote = reason.kind !== 'local' || connection.hasPeerEnded;
    stats.inc(isRemote ? clusterStats.upstreamCxDestroyRemote : clusterStats.upstreamCxDestroyLocal);
    if (!wasIdle) {
      const { upstreamCxDestroyRemoteWithActiveRq, upstreamCxDestroyLocalWithActiveRq } = clusterStats;
      stats.inc(clusterStats.upstreamCxDestroyWithActiveRq);
      stats.inc(isRemote ? upstreamCxDestroyRemoteWithActiveRq : upstreamCxDestroyLocalWithActiveRq);
    }
    if (wasIdle) this.#forgetIdle(connection, isRemote);
    if (this.#waiting.length > this.#connecting) this.#connect();
  }

  // After each exchange instead of with each read and write: as exact, and done once. What is counted is noted by those who
  // go on: of a connection that was cut the exchange is over later, and its log asks for what it has moved.
  #countBytes({ stream, notes }: PooledConnection): void {
    const { stats } = this.#cluster;
    const { bytesReceived, bytesSent } = stream;
    stats.add(clusterStats.upstreamCxRxBytesTotal, bytesReceived - notes.countedReceivedBytes);
    stats.add(clusterStats.upstreamCxTxBytesTotal, bytesSent - notes.countedSentBytes);
  }

  #forgetIdle(connection: PooledConnection, isRemote: boolean): void {
    if (!this.#idle.delete(connection)) return;
    if (isRemote) this.#learn(this.#context.reactor.nowMs - connection.notes.idleSinceMs);
  }

  #learn(idleMs: number): void {
    // Below a tenth of a second it is a restart or a refusal, not an idle timeout.
    if (idleMs >= 100 && idleMs < this.#learntIdleMs) this.#learntIdleMs = idleMs;
  }

  // As Envoy: an endpoint that refuses one connection fails all that wait for it, so that they can try another.
  #failWaiting(reason: CloseReason): void {
    const { stats } = this.#cluster;
    // To Envoy a timeout is a failure too.
    stats.inc(clusterStats.upstreamCxConnectFail);
    if (reason.kind === 'connect-timeout') stats.inc(clusterStats.upstreamCxConnectTimeout);
    this.#endpoint.stats.inc(endpointStats.cxConnectFail);
    const failure = connectFailure(reason);
    for (const waiter of this.#waiting.splice(0)) {
      this.#releasePending();
      stats.inc(clusterStats.upstreamRqPendingFailureEject);
      waiter.onConnectionFailed(failure);
    }
  }
}

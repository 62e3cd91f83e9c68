// What an attempt of a request holds: its place in the circuit breaker, its endpoint, the connection that it waits for or
// has, and what is counted of each. It is taken by `tryBegin`, `connect` and `onConnected`, in this order and as far as it
// comes, and given back by `end`. What an attempt comes to is decided in `upstream-request.ts`; one object serves all
// attempts of a request, since they follow each other.

import type { CircuitBreaker } from '../cluster/circuit-breaker.ts';
import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import type { EndpointPool, PoolWaiter } from '../cluster/endpoint-pool.ts';
import type { EndpointRuntime } from '../cluster/endpoint-runtime.ts';
import type { RequestTrace } from '../tracing/request-trace.ts';
import { countAttempt, countAttemptEnd, FlowCounts } from './attempt-counts.ts';
import { choosePool } from './endpoint-choice.ts';
import { isIdempotent } from './message.ts';
import type { Stream } from './stream.ts';
import { noteConnection, noteEndpoint, noteExchange } from './stream-notes.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

export class UpstreamAttempt {
  /** Set from `tryBegin` to `end`. */
  endpoint: EndpointRuntime | null = null;
  /** Set from `onConnected` until its exchange is over. */
  connection: UpstreamConnection | null = null;
  startedAtMs = 0;
  readonly #stream: Stream;
  readonly #cluster: ClusterRuntime;
  readonly #priority: 'default' | 'high';
  /** Whom the request is for in every attempt: `auto_host_rewrite` puts the name of the endpoint before in the head. */
  readonly #authority: string;
  /** Set while it waits for a connection, and until `end` once it has one. */
  #pool: EndpointPool | null = null;
  /** By `countAttempt`. */
  #isCounted = false;
  /** Null as long as neither side waits for the other. */
  #flow: FlowCounts | null = null;

  constructor(stream: Stream, cluster: ClusterRuntime, priority: 'default' | 'high') {
    this.#stream = stream;
    this.#cluster = cluster;
    this.#priority = priority;
    this.#authority = stream.head.authority;
  }

  get breaker(): CircuitBreaker {
    return this.#priority === 'high' ? this.#cluster.breakers.high : this.#cluster.breakers.default;
  }

  /** False when the circuit breaker of requests is open. */
  tryBegin(endpoint: EndpointRuntime): boolean {
    if (!this.breaker.tryAcquireRequest()) return false;
    const stream = this.#stream;
    this.endpoint = endpoint;
    endpoint.activeRequests++;
    this.startedAtMs = stream.nowMs;
    noteEndpoint(stream.info, endpoint);
    stream.trace?.beginAttempt(endpoint, stream.head.headers, stream.nowMs);
    return true;
  }

  /**
   * Asks for a connection, which `waiter` may be given or refused before this returns. False when the endpoint has too many
   * kinds of connections. `fresh` takes none that was used before.
   */
  connect(waiter: PoolWaiter, fresh: boolean): boolean {
    const stream = this.#stream;
    const place = { cluster: this.#cluster, endpoint: this.endpoint!, authority: this.#authority };
    const pool = choosePool(stream, place, this.#priority);
    this.#pool = pool;
    if (pool === null) return false;
    pool.acquire(waiter, fresh, !isIdempotent(stream.head.method));
    return true;
  }

  /** What it waited for is there: from here on it counts as a request of the endpoint's. */
  onConnected(connection: UpstreamConnection): void {
    const { info, nowMs } = this.#stream;
    this.connection = connection;
    this.#isCounted = true;
    countAttempt(this.#cluster, this.endpoint!);
    info.upstreamRequestStartAtMs = nowMs;
    noteConnection(info, connection, nowMs - this.startedAtMs);
  }

  /** It will get no response, or no more of it. */
  fail(reason: string): void {
    this.#trace?.attemptFailed(reason);
  }

  /** It got a response in place of which another attempt is made. */
  answeredInVain(status: number): void {
    this.#trace?.attemptAnswered(status);
  }

  /** A trace that tells of attempts: of one that ends well there is nothing to tell. */
  get #trace(): RequestTrace | null {
    const stream = this.#stream;
    const { tracer } = stream.manager;
    return tracer === null ? null : tracer.attemptOf(stream, this.endpoint, this.startedAtMs);
  }

  /** There will be no connection. */
  onRefused(): void {
    this.#pool = null;
    this.#stream.info.upstreamWaitMs = this.#stream.nowMs - this.startedAtMs;
  }

  /** The exchange with the endpoint is over, and the connection no longer ours. */
  closeExchange(): void {
    const { connection } = this;
    if (connection === null) return;
    // Of the last attempt, as in Envoy.
    noteExchange(this.#stream.info, connection);
    this.connection = null;
  }

  get flow(): FlowCounts {
    this.#flow ??= new FlowCounts(this.#cluster.stats, this.#stream.manager.stats);
    return this.#flow;
  }

  onRequestDrained(): void {
    this.#flow?.resumeRequest();
  }

  resumeResponse(): void {
    this.#flow?.resumeResponse();
    this.connection?.resumeResponse();
  }

  /** Ends it with whatever is open. */
  abandon(waiter: PoolWaiter): void {
    const { connection } = this;
    this.closeExchange();
    if (connection !== null) connection.abort();
    else if (this.#pool !== null) this.#pool.cancel(waiter);
    this.end();
  }

  /** Gives back what it holds, once: nothing is held after it. */
  end(): void {
    const { endpoint } = this;
    if (endpoint === null) return;
    endpoint.activeRequests--;
    this.#stream.trace?.endAttempt(this.#stream.nowMs);
    this.endpoint = null;
    this.#pool = null;
    // The next attempt has waits of its own.
    this.#flow?.resumeRequest();
    this.breaker.releaseRequest();
    if (!this.#isCounted) return;
    this.#isCounted = false;
    countAttemptEnd(this.#cluster, endpoint);
  }
}

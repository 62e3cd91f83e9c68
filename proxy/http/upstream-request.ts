// The upstream side of one request: attempts, retries, timeouts.
//
// An attempt chooses an endpoint, waits for a connection, sends the request and receives the response. Whatever goes
// wrong arrives in `#failed`, the one place that decides between retry and reply; only the keep-alive race is decided
// before it, in `onResponseReset`. What an attempt holds is in `upstream-attempt.ts`, what it sends in `request-body.ts`.

import type { NativeBuffer } from '../../native/native-buffer.ts';
import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import type { PoolWaiter } from '../cluster/endpoint-pool.ts';
import { overflowFailure, type UpstreamFailure } from '../cluster/upstream-failure.ts';
import type { ByteStream } from '../reactor/byte-stream.ts';
import type { CompiledForward, CompiledRoute } from '../route/compiled-route.ts';
import type { CompiledRetryPolicy } from '../route/retry-policy.ts';
import { type RequestTimeouts, renewExpectedTimeout } from '../route/timeouts.ts';
import { clusterStats, countUpstreamResponse, routeStats } from '../telemetry/cluster-stats.ts';
import { endpointStats } from '../telemetry/endpoint-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import { countAnswer, countTimeout, routeStatsOf } from './attempt-counts.ts';
import { chooseEndpoint } from './endpoint-choice.ts';
import { failureReply, resetKind, transportFailureReason } from './failure-reply.ts';
import { headerName } from './header-name.ts';
import type { HeaderTable } from './header-table.ts';
import { endPass, readdress } from './internal-redirect.ts';
import { LocalReplies, type LocalReply } from './local-reply.ts';
import { hasBody, isIdempotent, type ResponseHead } from './message.ts';
import { RequestBody } from './request-body.ts';
import { StreamDeadline } from './response-sender.ts';
import { RetryState } from './retry-state.ts';
import type { Stream } from './stream.ts';
import { UpstreamAttempt } from './upstream-attempt.ts';
import type { ResponseReceiver, UpstreamConnection } from './upstream-connection.ts';

const attemptCountName = headerName('x-envoy-attempt-count');

const State = { choosing: 0, waiting: 1, sending: 2, receiving: 3, backoff: 4, done: 5 } as const;
type State = (typeof State)[keyof typeof State];

/** What one request will do upstream. */
export interface UpstreamPlan {
  readonly route: CompiledRoute;
  readonly forward: CompiledForward;
  readonly cluster: ClusterRuntime;
  /** Null when nothing is retried. */
  readonly retry: CompiledRetryPolicy | null;
  readonly timeouts: RequestTimeouts;
  /** What was kept of the pass before an internal redirect; null where the request has its own body, or none. */
  readonly body: RequestBody | null;
}

export class UpstreamRequest implements PoolWaiter, ResponseReceiver {
  readonly #stream: Stream;
  readonly #route: CompiledRoute;
  readonly #forward: CompiledForward;
  readonly #cluster: ClusterRuntime;
  readonly #retry: CompiledRetryPolicy | null;
  readonly #timeouts: RequestTimeouts;
  readonly #attempt: UpstreamAttempt;
  /** Null when there is none to follow. */
  readonly #body: RequestBody | null;
  /** Null when the route has no `stat_prefix`. */
  readonly #routeStats: StatBlock | null;
  /** Null until an attempt fails. */
  #retryState: RetryState | null = null;
  #state: State = State.choosing;
  #wasReplayed = false;
  #isTunnel = false;

  constructor(stream: Stream, plan: UpstreamPlan) {
    this.#stream = stream;
    this.#route = plan.route;
    this.#forward = plan.forward;
    this.#cluster = plan.cluster;
    this.#retry = plan.retry;
    this.#timeouts = plan.timeouts;
    this.#attempt = new UpstreamAttempt(stream, plan.cluster, plan.forward.config.priority);
    this.#routeStats = routeStatsOf(plan.route, stream.manager.context);
    const isKept = plan.retry !== null || this.#isIdempotent || plan.forward.internalRedirect !== null;
    this.#body = hasBody(stream.head) ? (plan.body ?? new RequestBody(isKept, stream.facts.bufferLimitBytes)) : null;
  }

  /** `enable_trailers` of the cluster; that of the connection manager is the stream's to ask. Both must be set. */
  get #passesTrailers(): boolean {
    return this.#cluster.config.upstreamHttp.enableTrailers;
  }

  get #isIdempotent(): boolean {
    return isIdempotent(this.#stream.head.method);
  }

  /** Starts the first attempt. */
  start(): void {
    this.#routeStats?.inc(routeStats.upstreamRqTotal);
    this.#try(false);
  }

  #try(fresh: boolean): void {
    this.#state = State.choosing;
    const stream = this.#stream;
    const cluster = this.#cluster;
    stream.info.attemptCount++;
    const endpoint = chooseEndpoint(stream, cluster, this.#retryState);
    if (endpoint === null) {
      cluster.stats.inc(clusterStats.upstreamCxNoneHealthy);
      this.#giveUp(LocalReplies.noHealthyUpstream, `cluster ${cluster.name} has no healthy endpoint`);
      return;
    }
    if (!this.#attempt.tryBegin(endpoint)) {
      cluster.stats.inc(clusterStats.upstreamRqActiveOverflow);
      this.#failed(overflowFailure);
      return;
    }
    this.#state = State.waiting;
    if (!this.#attempt.connect(this, fresh)) this.#failed(overflowFailure);
  }

  onConnectionReady(connection: UpstreamConnection): void {
    const stream = this.#stream;
    const { info, head } = stream;
    const attempt = this.#attempt;
    this.#state = State.sending;
    attempt.onConnected(connection);
    this.#forward.rewriteHostForEndpoint(head, attempt.endpoint!.hostname, info.attemptCount === 1);
    if (this.#route.virtualHost.config.includeRequestAttemptCount) {
      head.headers.set(attemptCountName, String(info.attemptCount));
    }
    if (info.attemptCount > 1) renewExpectedTimeout(head, this.#timeouts, stream.nowMs - info.requestHeadAtMs);
    stream.trace?.attemptConnected(connection.tls ?? null, head.headers);
    connection.sendHead(head, this);
    const body = this.#body;
    if (body === null) {
      this.#onRequestSent();
      return;
    }
    body.sendTo(connection);
    if (body.hasEnded) {
      connection.sendEnd(this.#passesTrailers ? body.trailers : null);
      this.#onRequestSent();
    } else stream.sender.resumeRequest();
  }

  onConnectionFailed(failure: UpstreamFailure): void {
    this.#attempt.onRefused();
    this.#failed(failure);
  }

  /** False while there is no connection to take body bytes or the endpoint is slow. */
  get acceptsRequestBody(): boolean {
    const { connection } = this.#attempt;
    return connection !== null && !connection.isRequestBlocked;
  }

  sendData(buffer: NativeBuffer, start: number, end: number): void {
    // A tunnel has no body: what is in it is not sent again.
    if (this.#body?.add(buffer, start, end) === false) this.#cluster.stats.inc(clusterStats.retryOrShadowAbandoned);
    this.#attempt.connection?.sendData(buffer, start, end);
  }

  sendEnd(trailers: HeaderTable | null): void {
    const { connection } = this.#attempt;
    // All of them: behind an internal redirect they may be another cluster's to get.
    this.#body?.end(trailers);
    if (connection === null) return;
    connection.sendEnd(this.#passesTrailers ? trailers : null);
    this.#onRequestSent();
  }

  // The time of an attempt runs from here, as in Envoy: neither the wait for a connection nor a slow client counts.
  #onRequestSent(): void {
    const { info, sender, nowMs } = this.#stream;
    info.upstreamRequestEndAtMs = nowMs;
    if (this.#state !== State.sending) return;
    sender.deadlines.set(StreamDeadline.perTry, this.#timeouts.perTryMs);
    sender.deadlines.set(StreamDeadline.perTryIdle, this.#timeouts.perTryIdleMs);
  }

  /** The client's end of a tunnel is over. */
  endTunnelWriting(): void {
    this.#attempt.connection?.endTunnelWriting();
  }

  /** The client is not read any more, since a body is not taken here. */
  onRequestPaused(): void {
    if (this.#attempt.connection?.isRequestBlocked === true) this.#attempt.flow.pauseRequest();
  }

  onRequestDrained(): void {
    this.#attempt.onRequestDrained();
    this.#stream.sender.resumeRequest();
  }

  resumeResponse(): void {
    this.#attempt.resumeResponse();
  }

  get acceptsResponseBody(): boolean {
    return !this.#stream.sender.isResponseBlocked;
  }

  onInterimHead(head: ResponseHead): void {
    if (head.status === 101) {
      this.#startTunnel(head);
      return;
    }
    this.#touch();
    this.#stream.onInterimHead(head);
  }

  onResponseHead(head: ResponseHead, isEnd: boolean): void {
    const { status } = head;
    countAnswer(this.#cluster, this.#attempt.endpoint!, head);
    this.#stream.trace?.attemptAnswered(status);
    if (this.#retry?.shouldRetryResponse(head) && this.#mayRetry()) {
      this.#cluster.countRetriedResponse(status);
      this.#attempt.answeredInVain(status);
      this.#retryState!.heed(head, this.#stream.wallMs);
      // A response without a body leaves its connection fit for others; it is over when this returns.
      if (isEnd) this.#attempt.closeExchange();
      this.#retryLater();
      return;
    }
    const stream = this.#stream;
    if (stream.info.attemptCount > 1 && status < 500) this.#cluster.stats.inc(clusterStats.upstreamRqRetrySuccess);
    if (this.#forward.internalRedirect?.follows(status) && this.#redirects(head, isEnd)) return;
    this.#countResponse(status);
    this.#state = State.receiving;
    if (stream.head.method === 'CONNECT' && status >= 200 && status < 300) {
      this.#startTunnel(head);
      return;
    }
    // From here on nothing is repeated, and what still comes of the body need not be kept.
    this.#body?.forget();
    stream.sender.deadlines.clear(StreamDeadline.perTry);
    this.#touch();
    stream.onResponseHead(head, this.#route);
  }

  // In place of the client, when the request is complete and can be sent to another address. The response is dropped.
  #redirects(head: ResponseHead, isEnd: boolean): boolean {
    const stream = this.#stream;
    const { stats } = this.#cluster;
    const body = this.#body;
    const canGo = (body === null || (body.hasEnded && body.isKept)) && stream.head.upgrade === '';
    if (!canGo || !readdress(stream, this.#forward.internalRedirect!, head)) {
      stats.inc(clusterStats.upstreamInternalRedirectFailedTotal);
      return false;
    }
    stats.inc(clusterStats.upstreamInternalRedirectSucceededTotal);
    // Without a body it leaves its connection fit for others; it is over when this returns.
    if (isEnd) this.#attempt.closeExchange();
    this.cancel();
    endPass(stream, head);
    stream.beginPass(body);
    return true;
  }

  // What the client gets, also when it is a reply of our own.
  #countResponse(status: number): void {
    this.#cluster.countResponse(status, this.#stream.isInternal);
    if (this.#routeStats !== null) countUpstreamResponse(this.#routeStats, routeStats, status);
  }

  // A byte of the response: the attempt is not idle.
  #touch(): void {
    const { perTryIdleMs } = this.#timeouts;
    if (perTryIdleMs > 0) this.#stream.sender.deadlines.set(StreamDeadline.perTryIdle, perTryIdleMs);
  }

  #startTunnel(head: ResponseHead): void {
    this.#isTunnel = true;
    this.#state = State.receiving;
    this.#body?.forget();
    this.#attempt.connection!.startTunnel();
    this.#stream.onTunnelHead(head, this.#route);
  }

  onResponseData(buffer: NativeBuffer, start: number, end: number): void {
    if (!this.#isTunnel) this.#touch();
    this.#stream.onResponseData(buffer, start, end);
    if (!this.acceptsResponseBody) this.#attempt.flow.pauseResponse();
  }

  get responseSink(): ByteStream | null {
    return this.#isTunnel ? null : this.#stream.sender.dataSink;
  }

  onResponseRelayed(length: number): void {
    this.#touch();
    this.#stream.onResponseRelayed(length);
    if (!this.acceptsResponseBody) this.#attempt.flow.pauseResponse();
  }

  onResponseEnd(trailers: HeaderTable | null): void {
    if (this.#state !== State.receiving) return;
    this.#attempt.closeExchange();
    const tookMs = this.#stream.nowMs - this.#attempt.startedAtMs;
    this.#cluster.recordResponseTime(tookMs, this.#stream.isInternal);
    this.#routeStats?.record(routeStats.upstreamRqTime, tookMs);
    this.#release();
    this.#stream.onResponseEnd(this.#passesTrailers ? trailers : null);
  }

  onResponseReset(failure: UpstreamFailure): void {
    const { connection } = this.#attempt;
    const replay =
      failure.kind === 'connection-termination' &&
      this.#state === State.sending &&
      !this.#wasReplayed &&
      connection !== null &&
      connection.notes.idleBeforeMs >= 0 &&
      !connection.sawResponseByte &&
      (connection.isUnsent || (this.#isIdempotent && this.#canRepeat));
    this.#attempt.closeExchange();
    this.#cluster.stats.inc(clusterStats.upstreamRqRxReset);
    if (failure.kind === 'protocol-error') this.#cluster.stats.inc(clusterStats.upstreamCxProtocolError);
    this.#attempt.fail(failure.reason);
    if (replay) {
      // The keep-alive race: the endpoint closed the connection while our request was on its way. It is no failure of
      // the endpoint, so it costs no retry and counts as the same attempt.
      this.#wasReplayed = true;
      this.#attempt.end();
      this.#stream.info.attemptCount--;
      this.#try(true);
      return;
    }
    this.#failed(failure);
  }

  #failed(failure: UpstreamFailure): void {
    if (this.#state === State.done) return;
    this.#attempt.fail(failure.reason);
    if (this.#state === State.receiving) {
      this.#release();
      this.#stream.onResponseAborted(failure);
      return;
    }
    this.#attempt.endpoint?.stats.inc(endpointStats.rqError);
    this.#stream.info.upstreamTransportFailureReason = transportFailureReason(failure);
    const kind = resetKind(failure);
    if (kind !== null && this.#retry?.shouldRetryReset(kind) && this.#mayRetry()) {
      this.#retryLater();
      return;
    }
    this.#giveUp(failureReply(failure, this.#stream.info.attemptCount > 1), this.#describe(failure.reason));
  }

  // With who failed and in which attempt: the sentence of log and reply.
  #describe(reason: string): string {
    const { attemptCount } = this.#stream.info;
    const attempts = attemptCount > 1 ? `, attempt ${attemptCount}` : '';
    return `${this.#cluster.name} at ${this.#attempt.endpoint?.addressText ?? 'no endpoint'}: ${reason}${attempts}`;
  }

  /** Whether the request, as far as it was read, could be sent again; what is still to come follows by itself. */
  get #canRepeat(): boolean {
    return this.#body === null || this.#body.isKept;
  }

  // Called when the policy asks for a retry: takes it, or says that it cannot be.
  #mayRetry(): boolean {
    if (!this.#canRepeat) return false;
    this.#retryState ??= new RetryState(this.#retry!, this.#attempt.breaker, this.#cluster.stats);
    return this.#retryState.take(this.#stream.info);
  }

  #retryLater(): void {
    const retryState = this.#retryState!;
    const { endpoint } = this.#attempt;
    if (endpoint !== null) retryState.leave(endpoint);
    this.#abandonAttempt();
    this.#state = State.backoff;
    this.#stream.sender.deadlines.set(StreamDeadline.backoff, retryState.delayMs(this.#stream.random));
  }

  /** One of the deadlines that are an attempt's or the response's. */
  onDeadline(slot: number): void {
    const { stats } = this.#cluster;
    switch (slot) {
      case StreamDeadline.backoff:
        this.#try(false);
        return;
      case StreamDeadline.perTry:
        stats.inc(clusterStats.upstreamRqPerTryTimeout);
        this.#timedOut(LocalReplies.perTryTimeout, 'no response within per_try_timeout');
        return;
      case StreamDeadline.perTryIdle:
        stats.inc(clusterStats.upstreamRqPerTryIdleTimeout);
        this.#timedOut(LocalReplies.perTryIdleTimeout, 'no byte of the response within per_try_idle_timeout');
        return;
      default: {
        const reason = `no complete response within ${this.#timeouts.timeoutMs} ms`;
        countTimeout(this.#cluster, this.#routeStats, this.#attempt.endpoint);
        this.#attempt.fail(reason);
        this.#giveUp(LocalReplies.upstreamTimeout, this.#describe(reason));
      }
    }
  }

  // An attempt's time is over: retried unless its response has begun.
  #timedOut(reply: LocalReply, reason: string): void {
    this.#attempt.fail(reason);
    this.#attempt.endpoint?.stats.inc(endpointStats.rqTimeout);
    if (this.#state !== State.receiving && this.#retry?.shouldRetryReset('timeout') && this.#mayRetry()) {
      this.#retryLater();
      return;
    }
    this.#giveUp(reply, this.#describe(reason));
  }

  #giveUp(reply: LocalReply, reason: string): void {
    if (this.#state !== State.receiving) this.#countResponse(reply.status);
    this.cancel();
    this.#stream.replyLocally(reply, reason);
  }

  /** The request is over for the client: whatever is open upstream is given up. */
  cancel(): void {
    if (this.#attempt.connection !== null) this.#cluster.stats.inc(clusterStats.upstreamRqTxReset);
    this.#abandonAttempt();
    this.#release();
  }

  #abandonAttempt(): void {
    const { deadlines } = this.#stream.sender;
    deadlines.clear(StreamDeadline.perTry);
    deadlines.clear(StreamDeadline.perTryIdle);
    this.#attempt.abandon(this);
  }

  #release(): void {
    this.#state = State.done;
    this.#attempt.end();
    this.#retryState?.release();
  }
}

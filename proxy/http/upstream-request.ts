// The upstream side of one request: attempts, retries, timeouts.
//
// An attempt chooses an endpoint, waits for a connection, sends the request and receives the response. Whatever goes
// wrong arrives in `#failed`, the one place that decides between replay, retry and reply.

import { NativeBuffer } from '../../native/native-buffer.ts';
import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import type { EndpointPool, PoolWaiter } from '../cluster/endpoint-pool.ts';
import type { EndpointRuntime } from '../cluster/endpoint-runtime.ts';
import type { UpstreamFailure } from '../cluster/upstream-failure.ts';
import type { CompiledForward, CompiledRoute } from '../route/compiled-route.ts';
import type { CompiledRetryPolicy, ResetKind } from '../route/retry-policy.ts';
import { clusterStats } from '../telemetry/cluster-stats.ts';
import { endpointStats } from '../telemetry/endpoint-stats.ts';
import { headerName } from './header-name.ts';
import { encodeLine, type HeaderTable } from './header-table.ts';
import type { Http1ClientConnection, ResponseReceiver } from './http1/client-connection.ts';
import { LocalReplies, type LocalReply } from './local-reply.ts';
import { BodyFraming, hasBody, type ResponseHead } from './message.ts';
import { StreamDeadline } from './response-sender.ts';
import type { Stream } from './stream.ts';
import { ResponseFlag } from './stream-info.ts';

const attemptCountName = headerName('x-envoy-attempt-count');

const State = { choosing: 0, waiting: 1, sending: 2, receiving: 3, backoff: 4, done: 5 } as const;
type State = (typeof State)[keyof typeof State];

/** What one request will do upstream. */
export interface UpstreamPlan {
  readonly route: CompiledRoute;
  readonly forward: CompiledForward;
  readonly cluster: ClusterRuntime;
  readonly retry: CompiledRetryPolicy | null;
}

export class UpstreamRequest implements PoolWaiter, ResponseReceiver {
  readonly #stream: Stream;
  readonly #route: CompiledRoute;
  /** Null when nothing is retried. */
  readonly #retry: CompiledRetryPolicy | null;
  readonly #forward: CompiledForward;
  readonly #cluster: ClusterRuntime;
  #state: State = State.choosing;
  #endpoint: EndpointRuntime | null = null;
  #pool: EndpointPool | null = null;
  #connection: Http1ClientConnection | null = null;
  #retriesLeft: number;
  #holdsRetry = false;
  #holdsRequest = false;
  #wasReplayed = false;
  #tried: EndpointRuntime[] | null = null;
  #requestEnded: boolean;
  #isTunnel = false;
  #attemptStartedAtMs = 0;
  /** Body bytes sent so far, kept for a repeat; null once they are more than may be kept or nothing may repeat. */
  #kept: Buffer[] | null = null;
  #keptBytes = 0;

  constructor(stream: Stream, plan: UpstreamPlan) {
    const { route, forward, cluster, retry } = plan;
    this.#stream = stream;
    this.#route = route;
    this.#forward = forward;
    this.#cluster = cluster;
    this.#retry = retry;
    this.#retriesLeft = retry === null ? 0 : retry.maxRetries;
    this.#requestEnded = !hasBody(stream.head);
    if (!this.#requestEnded && (retry !== null || this.#isIdempotent)) this.#kept = [];
  }

  get #breaker() {
    return this.#forward.config.priority === 'high' ? this.#cluster.breakers.high : this.#cluster.breakers.default;
  }

  get #isIdempotent(): boolean {
    switch (this.#stream.head.method) {
      case 'GET':
      case 'HEAD':
      case 'OPTIONS':
      case 'TRACE':
      case 'PUT':
      case 'DELETE':
        return true;
      default:
        return false;
    }
  }

  // ---- Attempts --------------------------------------------------------------------------------------------------

  /** Starts the first attempt. */
  start(): void {
    const { stats } = this.#cluster;
    if (!this.#breaker.tryAcquireRequest()) {
      stats.inc(clusterStats.upstreamRqPendingOverflow);
      this.#giveUp(LocalReplies.overflow, 'the limit of concurrent requests to the cluster (max_requests) is reached');
      return;
    }
    this.#holdsRequest = true;
    stats.inc(clusterStats.upstreamRqTotal);
    stats.inc(clusterStats.upstreamRqActive);
    this.#attempt(false);
  }

  #attempt(fresh: boolean): void {
    this.#state = State.choosing;
    const stream = this.#stream;
    stream.info.attemptCount++;
    const endpoint = stream.chooseEndpoint(this.#cluster, this.#tried);
    if (endpoint === null) {
      this.#cluster.stats.inc(clusterStats.upstreamCxNoneHealthy);
      this.#giveUp(LocalReplies.noHealthyUpstream, `cluster ${this.#cluster.name} has no healthy endpoint`);
      return;
    }
    this.#endpoint = endpoint;
    endpoint.activeRequests++;
    endpoint.stats.inc(endpointStats.rqTotal);
    endpoint.stats.inc(endpointStats.rqActive);
    this.#state = State.waiting;
    this.#attemptStartedAtMs = stream.nowMs;
    this.#pool = stream.poolOf(this.#cluster, endpoint, this.#forward.config.priority);
    this.#pool.acquire(this, fresh, !this.#isIdempotent);
  }

  onConnectionReady(connection: Http1ClientConnection): void {
    const stream = this.#stream;
    const { info, head } = stream;
    this.#connection = connection;
    this.#state = State.sending;
    info.upstreamRequestStartAtMs = stream.nowMs;
    info.upstreamRemoteAddress = this.#endpoint!.addressText;
    info.upstreamHostname = this.#endpoint!.hostname;
    this.#forward.rewriteHostForEndpoint(head, this.#endpoint!.hostname);
    if (this.#route.virtualHost.config.includeRequestAttemptCount) {
      head.headers.set(attemptCountName, String(info.attemptCount));
    }
    connection.sendHead(head, this);
    if (this.#kept !== null) for (const piece of this.#kept) this.#sendKept(piece);
    if (this.#requestEnded) {
      if (head.framing === BodyFraming.chunked) connection.sendEnd(null);
      this.#onRequestSent();
    } else {
      stream.sender.resumeRequest();
    }
    this.#stream.armPerTry();
  }

  #sendKept(piece: Buffer): void {
    const copy = new NativeBuffer(piece.length);
    piece.copy(copy.bytes);
    this.#connection!.sendData(copy, 0, piece.length);
  }

  onConnectionFailed(failure: UpstreamFailure): void {
    this.#pool = null;
    this.#failed(failure);
  }

  // ---- Request body ----------------------------------------------------------------------------------------------

  /** False while there is no connection to take body bytes or the endpoint is slow. */
  get acceptsRequestBody(): boolean {
    const connection = this.#connection;
    return connection !== null && !connection.isRequestBlocked;
  }

  sendData(buffer: NativeBuffer, start: number, end: number): void {
    if (this.#kept !== null) this.#keep(buffer, start, end);
    this.#connection?.sendData(buffer, start, end);
  }

  #keep(buffer: NativeBuffer, start: number, end: number): void {
    this.#keptBytes += end - start;
    if (this.#keptBytes > this.#stream.bufferLimitBytes) {
      this.#kept = null;
      this.#cluster.stats.inc(clusterStats.retryOrShadowAbandoned);
      return;
    }
    this.#kept!.push(Buffer.from(buffer.bytes.subarray(start, end)));
  }

  sendEnd(trailers: HeaderTable | null): void {
    this.#requestEnded = true;
    this.#connection?.sendEnd(trailers);
    this.#onRequestSent();
  }

  #onRequestSent(): void {
    this.#stream.info.upstreamRequestEndAtMs = this.#stream.nowMs;
  }

  /** The client's end of a tunnel is over. */
  endTunnelWriting(): void {
    this.#connection?.endTunnelWriting();
  }

  onRequestDrained(): void {
    this.#stream.sender.resumeRequest();
  }

  resumeResponse(): void {
    this.#connection?.resumeResponse();
  }

  // ---- Response --------------------------------------------------------------------------------------------------

  get acceptsResponseBody(): boolean {
    return !this.#stream.sender.isResponseBlocked;
  }

  onInterimHead(head: ResponseHead): void {
    if (head.status === 101) this.#startTunnel(head);
    else this.#stream.onInterimHead(head);
  }

  onResponseHead(head: ResponseHead, isEnd: boolean): void {
    const { stats } = this.#cluster;
    const status = head.status;
    this.#countResponse(status);
    if (this.#isRetriable(head)) {
      stats.inc(clusterStats.upstreamRqRetry);
      this.#abandonAttempt();
      this.#retryLater();
      return;
    }
    if (this.#stream.info.attemptCount > 1 && status < 500) stats.inc(clusterStats.upstreamRqRetrySuccess);
    this.#state = State.receiving;
    if (this.#stream.head.method === 'CONNECT' && status >= 200 && status < 300) {
      this.#startTunnel(head);
      return;
    }
    this.#stream.onResponseHead(head, isEnd, this.#route);
  }

  #countResponse(status: number): void {
    this.#cluster.countResponse(status, this.#stream.isInternal);
    if (status >= 500) this.#endpoint!.stats.inc(endpointStats.rqError);
    else this.#endpoint!.stats.inc(endpointStats.rqSuccess);
  }

  #startTunnel(head: ResponseHead): void {
    this.#isTunnel = true;
    this.#state = State.receiving;
    this.#connection!.startTunnel();
    this.#stream.onTunnelHead(head, this.#route);
  }

  onResponseData(buffer: NativeBuffer, start: number, end: number): void {
    this.#stream.onResponseData(buffer, start, end);
  }

  onResponseEnd(trailers: HeaderTable | null): void {
    if (this.#isTunnel) {
      this.#stream.onTunnelEnd();
      return;
    }
    this.#cluster.stats.record(clusterStats.upstreamRqTime, this.#stream.nowMs - this.#attemptStartedAtMs);
    this.#connection = null;
    this.#release();
    this.#stream.onResponseEnd(trailers);
  }

  onResponseReset(failure: UpstreamFailure): void {
    const replay =
      failure.kind === 'connection-termination' &&
      this.#state === State.sending &&
      !this.#wasReplayed &&
      this.#connection !== null &&
      this.#connection.idleBeforeMs >= 0 &&
      !this.#connection.sawResponseByte &&
      this.#isIdempotent &&
      this.#canRepeat;
    this.#connection = null;
    this.#cluster.stats.inc(clusterStats.upstreamRqRxReset);
    if (replay) {
      // The keep-alive race: the endpoint closed the connection while our request was on its way. It is no failure of
      // the endpoint, so it costs no retry and counts as the same attempt.
      this.#wasReplayed = true;
      this.#leaveEndpoint();
      this.#stream.info.attemptCount--;
      this.#attempt(true);
      return;
    }
    this.#failed(failure);
  }

  /** Whether the whole request, as far as it was read, could be sent again. */
  get #canRepeat(): boolean {
    return this.#kept !== null || !hasBody(this.#stream.head);
  }

  // ---- Failure ---------------------------------------------------------------------------------------------------

  #failed(failure: UpstreamFailure): void {
    if (this.#state === State.done) return;
    if (this.#state === State.receiving) {
      this.#release();
      this.#stream.onResponseAborted(failure.reason);
      return;
    }
    this.#endpoint?.stats.inc(endpointStats.rqError);
    const retry = this.#retry;
    if (retry?.shouldRetryReset(resetKind(failure)) && this.#mayRetry()) {
      this.#cluster.stats.inc(clusterStats.upstreamRqRetry);
      this.#abandonAttempt();
      this.#retryLater();
      return;
    }
    this.#giveUp(replyFor(failure), this.#describe(failure.reason));
  }

  #describe(reason: string): string {
    const { attemptCount } = this.#stream.info;
    const attempts = attemptCount > 1 ? `, attempt ${attemptCount}` : '';
    return `${this.#cluster.name} at ${this.#endpoint?.addressText ?? 'no endpoint'}: ${reason}${attempts}`;
  }

  #isRetriable(head: ResponseHead): boolean {
    const retry = this.#retry;
    if (retry === null || !retry.shouldRetryResponse(head)) return false;
    return this.#mayRetry();
  }

  // Takes one retry out of the request's count and the cluster's budget.
  #mayRetry(): boolean {
    const { stats } = this.#cluster;
    if (!this.#canRepeat || !this.#requestEnded) return false;
    if (this.#retriesLeft <= 0) {
      stats.inc(clusterStats.upstreamRqRetryLimitExceeded);
      this.#stream.info.responseFlags |= ResponseFlag.upstreamRetryLimitExceeded;
      return false;
    }
    if (!this.#breaker.tryAcquireRetry()) {
      stats.inc(clusterStats.upstreamRqRetryOverflow);
      return false;
    }
    this.#holdsRetry = true;
    this.#retriesLeft--;
    return true;
  }

  #retryLater(): void {
    this.#state = State.backoff;
    const attempt = this.#stream.info.attemptCount;
    const delayMs = this.#retry!.backoffMs(attempt, this.#stream.random);
    this.#stream.sender.deadlines.set(StreamDeadline.backoff, Math.max(delayMs, 1));
  }

  /** The wait before a retry is over. */
  onBackoffOver(): void {
    this.#breaker.releaseRetry();
    this.#holdsRetry = false;
    this.#attempt(false);
  }

  /** The attempt took longer than it may. */
  onPerTryTimeout(): void {
    this.#cluster.stats.inc(clusterStats.upstreamRqPerTryTimeout);
    const retry = this.#retry;
    if (retry?.shouldRetryReset('timeout') && this.#mayRetry()) {
      this.#cluster.stats.inc(clusterStats.upstreamRqRetry);
      this.#abandonAttempt();
      this.#retryLater();
      return;
    }
    this.#giveUp(LocalReplies.perTryTimeout, this.#describe('no complete response within per_try_timeout'));
  }

  onResponseTimeout(): void {
    this.#cluster.stats.inc(clusterStats.upstreamRqTimeout);
    this.#endpoint?.stats.inc(endpointStats.rqTimeout);
    this.#giveUp(
      LocalReplies.upstreamTimeout,
      this.#describe(`no complete response within ${this.#stream.timeoutMs} ms`),
    );
  }

  #giveUp(reply: LocalReply, reason: string): void {
    this.#state = State.done;
    this.cancel();
    this.#stream.replyLocally(reply, reason);
  }

  // ---- Letting go ------------------------------------------------------------------------------------------------

  /** The request is over for the client: whatever is open upstream is given up. */
  cancel(): void {
    if (this.#pool !== null && this.#connection === null) this.#pool.cancel(this);
    if (this.#connection !== null) {
      this.#cluster.stats.inc(clusterStats.upstreamRqTxReset);
      const connection = this.#connection;
      this.#connection = null;
      connection.abort();
    }
    this.#release();
  }

  #abandonAttempt(): void {
    if (this.#retry?.avoidPreviousHosts && this.#endpoint !== null) {
      this.#tried ??= [];
      this.#tried.push(this.#endpoint);
    }
    const connection = this.#connection;
    this.#connection = null;
    connection?.abort();
    this.#leaveEndpoint();
  }

  #leaveEndpoint(): void {
    const endpoint = this.#endpoint;
    if (endpoint === null) return;
    endpoint.activeRequests--;
    endpoint.stats.dec(endpointStats.rqActive);
    this.#endpoint = null;
    this.#pool = null;
  }

  #release(): void {
    this.#state = State.done;
    this.#leaveEndpoint();
    if (this.#holdsRetry) this.#breaker.releaseRetry();
    this.#holdsRetry = false;
    if (!this.#holdsRequest) return;
    this.#holdsRequest = false;
    this.#breaker.releaseRequest();
    this.#cluster.stats.dec(clusterStats.upstreamRqActive);
  }
}

function resetKind(failure: UpstreamFailure): ResetKind {
  switch (failure.kind) {
    case 'connect-failure':
    case 'connect-timeout':
      return 'connect-failure';
    case 'connection-termination':
    case 'protocol-error':
      return 'reset';
    case 'overflow':
      // Envoy retries what a breaker refused under the same conditions as a reset before the request.
      return 'reset-before-request';
  }
}

function replyFor(failure: UpstreamFailure): LocalReply {
  switch (failure.kind) {
    case 'connect-failure':
      return LocalReplies.connectFailure;
    case 'connect-timeout':
      return LocalReplies.connectTimeout;
    case 'connection-termination':
      return LocalReplies.connectionTermination;
    case 'protocol-error':
      return LocalReplies.protocolError;
    case 'overflow':
      return LocalReplies.overflow;
  }
}

/** Constant line that Envoy adds when a breaker refused a request. */
export const overloadedLine = encodeLine('x-envoy-overloaded', 'true');

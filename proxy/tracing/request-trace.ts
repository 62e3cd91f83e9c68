// The trace of one request while it runs: its context, what was decided of it, and its attempts. Objects are pooled by worker and
// refilled, so that a request which is not kept allocates nothing.

import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import type { EndpointRuntime } from '../cluster/endpoint-runtime.ts';
import type { HeaderTable } from '../http/header-table.ts';
import type { LoggedTrace } from '../http/stream-info.ts';
import type { CompiledRoute } from '../route/compiled-route.ts';
import type { TlsFacts } from '../transport/tls-facts.ts';
import { inject, renewAttemptId, renewSpanId, tellChain } from './propagation.ts';
import type { RandomDigits } from './random-digits.ts';
import { SamplingReason } from './sampling-reason.ts';
import { copyThreshold, isAtLeast, readThresholdText } from './threshold-bytes.ts';
import { randomAt, randomLength, spanIdLength, TraceContext } from './trace-context.ts';
import { addTraceLine, propagationFields, readTraceLine } from './trace-line.ts';
import { trustChain, trustedEndsOf } from './trust.ts';

/** One sending of the request to an endpoint. */
export class AttemptTrace {
  readonly spanId = new Uint8Array(spanIdLength);
  endpoint: EndpointRuntime | null = null;
  startedAtMs = 0;
  endedAtMs = -1;
  /** 0 when there was no response head. */
  status = 0;
  /** A plain sentence; empty when it did not fail. */
  failure = '';
  /** Of the connection that carried it; null when that is plain, or there was none. */
  tls: TlsFacts | null = null;
  /** `trust.chain` of its span, once it was asked for. */
  chain = '';

  clear(): void {
    this.endpoint = null;
    this.endedAtMs = -1;
    this.status = 0;
    this.failure = '';
    this.tls = null;
    this.chain = '';
  }
}

/** What a request's trace takes from its connection manager. */
export interface TracePropagation {
  /** Bits of `TraceFormat`. */
  readonly formats: number;
  /** `no_context_propagation`: headers are left as they came. */
  readonly isSilent: boolean;
  /** Each attempt has a span, and an id of it is told. */
  readonly hasAttemptSpans: boolean;
  /** The span of the request is about our call to the endpoint, and not about the call that came to us. */
  readonly isClient: boolean;
  readonly random: RandomDigits;
}

export class RequestTrace implements LoggedTrace {
  /** R, 14 digits, once `takeRandom` has copied it. */
  readonly random = new Uint8Array(randomLength);
  /** What R was compared with, 14 digits; meaningful when `hasThreshold`. */
  readonly threshold = new Uint8Array(randomLength);
  hasThreshold = false;
  /** Chosen before anything was known of the outcome, here or by the caller. */
  isHeadKept = false;
  /** Why it is kept, so far: the outcome may know better. */
  reason: SamplingReason = SamplingReason.none;
  /** The callee keeps the trace and said so. */
  isUpgraded = false;
  /** The span has the id of the caller's, as Zipkin may. */
  sharesSpanId = false;
  keySlot = 0;
  /** Which owner the slot had when the request began: a long one may outlast it. */
  keyEpoch = 0;
  /** Route and cluster are known once the request is recorded. */
  route: CompiledRoute | null = null;
  cluster: ClusterRuntime | null = null;
  /** Name of the span that the other side of the hop gave in `x-envoy-decorator-operation`; empty when it gave none. */
  givenOperation = '';
  /** -1 where the request is not gRPC's, or its status is not known. */
  grpcStatus = -1;
  /** Of the connection that the span of the request is about; null when it is plain. */
  tls: TlsFacts | null = null;
  attemptCount = 0;
  /** The first `attemptCount` are those of this request. */
  readonly attempts: AttemptTrace[] = [];
  readonly #context = new TraceContext();
  // Headers with the line of a trace of which nothing else is known. Null once the context is filled, and between requests.
  #lineIn: HeaderTable | null = null;
  #lineAt = 0;
  #propagation: TracePropagation | null = null;
  // The last of `attempts` while it runs. Held by itself: what it is asked for comes when its object has left the CPU's caches,
  // and each step on the way to it was a miss (0.2 us of a request, `--cpu-prof` by line).
  #open: AttemptTrace | null = null;
  #chain = '';

  get context(): TraceContext {
    if (this.#lineIn !== null) this.#fill(this.#lineIn);
    return this.#context;
  }

  get traceIdText(): string {
    return this.context.traceId;
  }

  get spanIdText(): string {
    return this.context.spanId;
  }

  /** The context is filled by whoever takes the object. */
  begin(propagation: TracePropagation): void {
    this.#propagation = propagation;
  }

  /**
   * Of the trace only the line at `at` was written. For propagation that is not silent, writes W3C alone and has no spans of
   * attempts.
   */
  beginInLine(headers: HeaderTable, at: number, propagation: TracePropagation): void {
    this.#propagation = propagation;
    this.#lineIn = headers;
    this.#lineAt = at;
  }

  #fill(headers: HeaderTable): void {
    this.#lineIn = null;
    readTraceLine(headers, this.#lineAt, this.#context);
  }

  /** Whether R reaches the threshold at `at`. Asked of every request, so R is compared where it lies. */
  reaches(threshold: Uint8Array, at: number): boolean {
    const { line, randomValue } = this.context;
    if (randomValue === '') return isAtLeast(line.bytes, randomAt, threshold, at);
    this.takeRandom();
    return isAtLeast(this.random, 0, threshold, at);
  }

  /** R, from where the context has it. */
  takeRandom(): void {
    const { line, randomValue } = this.context;
    if (randomValue !== '') readThresholdText(this.random, randomValue);
    else copyThreshold(this.random, line.bytes, randomAt);
  }

  /** The other side of the hop tells what it calls the operation. */
  nameSpan(operation: string): void {
    this.givenOperation = operation;
  }

  /** Tells the next hop, after all other changes to the headers. */
  inject(headers: HeaderTable): void {
    if (this.#lineIn !== null && !headers.mayHave(propagationFields)) {
      addTraceLine(headers, this.#lineAt);
      return;
    }
    const { isSilent, formats } = this.#propagation!;
    if (!isSilent) inject(this.context, headers, formats);
  }

  /** An endpoint was chosen. Its headers are told the id of this attempt where attempts are spans. */
  beginAttempt(endpoint: EndpointRuntime, headers: HeaderTable, nowMs: number): void {
    const attempt = this.attempts[this.attemptCount] ?? this.#anotherAttempt();
    this.attemptCount++;
    this.#open = attempt;
    attempt.endpoint = endpoint;
    attempt.startedAtMs = nowMs;
    if (this.#lineIn !== null) return;
    const { hasAttemptSpans, isSilent, random } = this.#propagation!;
    if (!hasAttemptSpans) return;
    if (isSilent) renewAttemptId(this.context, random);
    else renewSpanId(this.context, headers, random);
    attempt.spanId.set(this.context.attemptSpanId);
  }

  #anotherAttempt(): AttemptTrace {
    const attempt = new AttemptTrace();
    this.attempts.push(attempt);
    return attempt;
  }

  /**
   * The request came over this connection. Its chain is told on where the span of the request is the last that the next hop
   * hears of.
   */
  cameOver(tls: TlsFacts | null): void {
    const { isClient, hasAttemptSpans, isSilent } = this.#propagation!;
    if (isClient || tls === null) return;
    this.tls = tls;
    if (this.isHeadKept && !hasAttemptSpans && !isSilent) this.context.sentChain = this.chain();
  }

  /** After `beginAttempt`: it has a connection, whose other end is told of the chain of the span that is about it. */
  attemptConnected(tls: TlsFacts | null, headers: HeaderTable): void {
    const { isClient, hasAttemptSpans, isSilent } = this.#propagation!;
    if (!isClient && !hasAttemptSpans) return;
    if (isClient && tls !== this.tls) {
      this.tls = tls;
      this.#chain = '';
    }
    // Not chosen, a trace in its line has nothing to tell of either.
    if (this.#lineIn !== null) return;
    const attempt = this.attempts[this.attemptCount - 1]!;
    attempt.tls = tls;
    if (!this.isHeadKept || isSilent) return;
    const chain = hasAttemptSpans ? this.attemptChain(attempt) : this.chain();
    if (chain !== this.context.sentChain) tellChain(this.context, headers, chain);
  }

  /** `trust.chain` of the span of the request; empty over a connection that proves nothing. */
  chain(): string {
    if (this.#chain !== '') return this.#chain;
    const ends = trustedEndsOf(this.tls);
    if (ends === null) return '';
    const { receivedChain, traceId, spanId, hasParent, parentSpanId } = this.context;
    const { ownId, peer } = ends;
    const parent = hasParent && !this.sharesSpanId ? hexText(parentSpanId) : '';
    this.#chain = trustChain({ received: receivedChain, traceId, parentSpanId: parent, spanId, ownId, peer });
    return this.#chain;
  }

  /** As `chain`, of the span of an attempt. */
  attemptChain(attempt: AttemptTrace): string {
    if (attempt.chain !== '') return attempt.chain;
    const ends = trustedEndsOf(attempt.tls);
    if (ends === null) return '';
    const { traceId, spanId } = this.context;
    const { ownId, peer } = ends;
    const received = this.chain();
    const own = hexText(attempt.spanId);
    attempt.chain = trustChain({ received, traceId, parentSpanId: spanId, spanId: own, ownId, peer });
    return attempt.chain;
  }

  /** The head of a response arrived. */
  attemptAnswered(status: number): void {
    if (this.#open !== null) this.#open.status = status;
  }

  /** The attempt will get no response, or no more of it. The first reason counts. */
  attemptFailed(reason: string): void {
    const attempt = this.#open;
    if (attempt !== null && attempt.failure === '') attempt.failure = reason;
  }

  /** The attempt left its endpoint, whatever became of it. */
  endAttempt(nowMs: number): void {
    if (this.#open === null) return;
    this.#open.endedAtMs = nowMs;
    this.#open = null;
  }

  /** Makes it new, and lets go of what outlives requests. */
  clear(): void {
    this.#lineIn = null;
    this.#open = null;
    this.tls = null;
    this.#chain = '';
    for (let index = 0; index < this.attemptCount; index++) this.attempts[index]!.clear();
    this.attemptCount = 0;
    this.#context.reset();
    this.hasThreshold = false;
    this.isHeadKept = false;
    this.reason = SamplingReason.none;
    this.isUpgraded = false;
    this.sharesSpanId = false;
    this.route = null;
    this.cluster = null;
    this.givenOperation = '';
    this.grpcStatus = -1;
  }
}

function hexText(digits: Uint8Array): string {
  return Buffer.from(digits.buffer, digits.byteOffset, digits.length).latin1Slice();
}

const longestPool = 1024;

/** Requests that run at the same time have an object each; those of a burst that is over are not kept. */
export class TracePool {
  readonly #free: RequestTrace[] = [];

  take(): RequestTrace {
    return this.#free.pop() ?? new RequestTrace();
  }

  give(trace: RequestTrace): void {
    trace.clear();
    if (this.#free.length < longestPool) this.#free.push(trace);
  }
}

// Traces of one connection manager: begins them, decides about them, records those that are kept.
//
// A decision is made twice. Before the request is forwarded, by the caller's word or by probability: it is told to the next
// hop. At the end, when the outcome is known: an error, a slow request, a retry is kept though the first decision was
// against it. What is kept in neither way has cost its ids, and no allocation.
//
// Most requests bring no trace, are not chosen and end well. Of such a one there is a line in its headers and nothing else
// (`trace-line.ts`): `stream.trace` stays null, so that all places which tell a trace of attempts pass it by. With an object of
// its own a request took 4.56 us in `bench/micro/forward.ts --traced 0`, without one 4.25 (least of processes in turns).

import type { TraceProvider, Tracing } from '../../config/tracing.ts';
import { otherSlot } from '../../sampler/key-table.ts';
import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import type { EndpointRuntime } from '../cluster/endpoint-runtime.ts';
import type { FormatContext } from '../format/format-context.ts';
import { HeaderId } from '../http/header-name.ts';
import type { HeaderTable } from '../http/header-table.ts';
import type { ResponseHead } from '../http/message.ts';
import type { Stream } from '../http/stream.ts';
import { asksForNothing } from '../http/trace-choice.ts';
import type { CompiledRoute } from '../route/compiled-route.ts';
import { errorSignature } from './error-signatures.ts';
import { receivedGrpcStatus } from './grpc-outcome.ts';
import { HeadDecision } from './head-decision.ts';
import { beginIds, extract } from './propagation.ts';
import type { RequestTrace, TracePropagation } from './request-trace.ts';
import { RouteDecorators } from './route-decorator.ts';
import { ContextCounter, KeyCounter, ReachedStratum, reachedThresholdAt } from './sampling-memory.ts';
import { SamplingReason } from './sampling-reason.ts';
import { isTrustedHop, takeTraceTiming, writeTraceTiming } from './server-timing.ts';
import { hostOf } from './span-attributes.ts';
import { isCutShort, isOwnReply } from './span-error.ts';
import type { RecordFacts } from './span-record.ts';
import type { SpanRecorder } from './span-recorder.ts';
import { alwaysBytes, copyThreshold, isAtLeast, raiseThreshold } from './threshold-bytes.ts';
import { randomLength, spanIdLength, TraceFormat, TraceparentAt } from './trace-context.ts';
import { addTraceLine, LineTrace, propagationFields, writeTraceLine } from './trace-line.ts';
import { trustedEndsOf } from './trust.ts';
import type { TracingParts } from './worker-tracing.ts';

export interface RequestTracerOptions {
  readonly tracing: Tracing;
  /** As `TraceProviders` announced it. */
  readonly provider: TraceProvider;
  /** Of the listener. */
  readonly isOutbound: boolean;
  readonly parts: TracingParts;
  readonly recorder: SpanRecorder;
}

export class RequestTracer {
  readonly #provider: TraceProvider;
  readonly #parts: TracingParts;
  readonly #recorder: SpanRecorder;
  readonly #head: HeadDecision;
  readonly #propagation: TracePropagation;
  /** A request that brings nothing and is not chosen has its trace in the line that it is told on in. */
  readonly #mayStayInLine: boolean;
  readonly #is64Bit: boolean;
  readonly #sharesSpanIds: boolean;
  readonly #withContext: ContextCounter;
  readonly #withoutContext: ContextCounter;
  readonly #decorators: RouteDecorators;
  readonly #facts: RecordFacts;
  /** A copy: what decides and what is reported are the same bytes. */
  readonly #reached = new Uint8Array(randomLength);

  constructor({ tracing, provider, isOutbound, parts, recorder }: RequestTracerOptions) {
    this.#provider = provider;
    this.#parts = parts;
    this.#recorder = recorder;
    this.#head = new HeadDecision(tracing, provider, parts);
    this.#propagation = {
      formats: formatsOf(provider),
      isSilent: tracing.noContextPropagation,
      hasAttemptSpans: tracing.spawnUpstreamSpan,
      isClient: isOutbound && !tracing.spawnUpstreamSpan,
      random: parts.random,
    };
    const { formats, isSilent, hasAttemptSpans } = this.#propagation;
    this.#mayStayInLine = formats === TraceFormat.w3c && !isSilent && !hasAttemptSpans;
    this.#is64Bit = provider.kind === 'zipkin' && !provider.traceId128Bit;
    this.#sharesSpanIds = provider.kind === 'zipkin' && provider.sharedSpanContext && !isOutbound;
    this.#withContext = isOutbound ? ContextCounter.outboundWith : ContextCounter.inboundWith;
    this.#withoutContext = isOutbound ? ContextCounter.outboundWithout : ContextCounter.inboundWithout;
    this.#decorators = new RouteDecorators(isOutbound, tracing.operation !== '');
    this.#facts = { provider: 0, spanCount: 0, signature: 0, isNewSignature: false };
  }

  /** Takes the trace out of the request's headers, or begins one, and decides. Without a cluster nothing is forwarded. */
  begin(stream: Stream, route: CompiledRoute | null, cluster: ClusterRuntime | null): void {
    const { head, info } = stream;
    const { headers } = head;
    const { keys, memory, random } = this.#parts;
    head.traceLine ??= new LineTrace(headers);
    const line = head.traceLine;
    line.keySlot = keys.slotFor(head, route, cluster);
    line.keyEpoch = keys.epochAt(line.keySlot);
    const inLine = this.#mayStayInLine && !headers.mayHave(propagationFields) && asksForNothing(stream);
    if (inLine) {
      memory.countContext(this.#withoutContext);
      line.at = writeTraceLine(headers, random);
      info.trace = line;
    }
    if (inLine && !this.#head.mayChoose(headers, line, route)) memory.count(line.keySlot, KeyCounter.arrivals);
    else this.#decide(stream, route);
    const given = this.#decorators.onRequest(route, headers);
    if (given !== '') this.#fullTrace(stream).nameSpan(given);
  }

  #decide(stream: Stream, route: CompiledRoute | null): void {
    const { downstreamTls } = stream.info;
    const trace = this.#fullTrace(stream);
    this.#head.decide(trace, stream, route);
    if (downstreamTls !== null) trace.cameOver(downstreamTls);
  }

  /** The trace of a request that has begun, made of its line where it was in that alone. */
  #fullTrace(stream: Stream): RequestTrace {
    if (stream.trace !== null) return stream.trace;
    const { head, info } = stream;
    const line = head.traceLine!;
    const trace = this.#parts.pool.take();
    trace.keySlot = line.keySlot;
    trace.keyEpoch = line.keyEpoch;
    if (info.trace === null) this.#extract(trace, head.headers);
    else {
      trace.beginInLine(head.headers, line.at, this.#propagation);
      trace.tls = this.#propagation.isClient ? info.upstreamTls : info.downstreamTls;
    }
    stream.trace = trace;
    info.trace = trace;
    return trace;
  }

  /** Something becomes of an attempt that spans tell of. Null of a request whose trace is over. */
  attemptOf(stream: Stream, endpoint: EndpointRuntime | null, startedAtMs: number): RequestTrace | null {
    if (stream.trace !== null || stream.info.trace === null) return stream.trace;
    const trace = this.#fullTrace(stream);
    if (endpoint !== null) trace.beginAttempt(endpoint, stream.head.headers, startedAtMs);
    return trace;
  }

  /** Tells the next hop, after all other changes to the headers. */
  inject(stream: Stream): void {
    const { head, trace } = stream;
    const { headers } = head;
    if (trace === null && !headers.mayHave(propagationFields)) addTraceLine(headers, head.traceLine!.at);
    else this.#fullTrace(stream).inject(headers);
  }

  #extract(trace: RequestTrace, headers: HeaderTable): void {
    trace.begin(this.#propagation);
    const { context } = trace;
    const { memory, random } = this.#parts;
    extract(headers, context, this.#propagation.formats);
    memory.countContext(context.hasParent ? this.#withContext : this.#withoutContext);
    beginIds(context, random, this.#is64Bit);
    if (this.#sharesSpanIds && context.hasParent) shareSpanId(trace);
  }

  /** The head of the response is ready but for what one hop tells the other in it. */
  onResponseHead(stream: Stream, route: CompiledRoute | null, { headers, status }: ResponseHead): void {
    // A reply of our own to a request that goes nowhere.
    if (stream.info.trace === null) this.begin(stream, route, null);
    const given = this.#decorators.onResponse(route, stream.trace?.givenOperation ?? '', headers);
    if (given !== '') this.#fullTrace(stream).nameSpan(given);
    if (headers.findId(HeaderId.serverTiming) >= 0) this.#takeUpgrade(this.#fullTrace(stream), headers, stream);
    const { trace } = stream;
    if (trace?.isHeadKept === true) return;
    const { settings } = this.#parts;
    // Asked first: who the caller is over mutual TLS stands in a WeakMap, 17 ns a response where this takes 7.5.
    const isError = settings.isError(status, -1, isOwnReply(stream.info.responseCodeDetails));
    if (!isError && trace?.isUpgraded !== true) return;
    const caller = trustedEndsOf(stream.info.downstreamTls)?.peer ?? null;
    if (!isTrustedHop(settings.upgradeFrom, caller, stream.isInternal)) return;
    writeTraceTiming(headers, this.#fullTrace(stream).context);
  }

  // What an endpoint says is never told on; it is believed of one that is trusted, and so often at most.
  #takeUpgrade(trace: RequestTrace, headers: HeaderTable, { info, manager, nowMs }: Stream): void {
    if (!takeTraceTiming(headers, trace.context) || trace.isHeadKept) return;
    const { settings } = this.#parts;
    const isInternal = manager.isInternalAddress(hostOf(info.upstreamRemoteAddress));
    const callee = trustedEndsOf(info.upstreamTls)?.peer ?? null;
    if (isTrustedHop(settings.upgradeFrom, callee, isInternal)) trace.isUpgraded = settings.upgrades.take(nowMs);
  }

  /** The request is over: decides again, and says whether its trace is kept. Reads all of the context but `info`. */
  keeps(stream: Stream, context: FormatContext): boolean {
    // Its client left before there was a response.
    if (stream.info.trace === null) this.begin(stream, stream.route, null);
    const grpcStatus = receivedGrpcStatus(context);
    const reason = this.#outcomeReason(stream, grpcStatus);
    if (reason === SamplingReason.none) return false;
    const trace = this.#fullTrace(stream);
    trace.grpcStatus = grpcStatus;
    trace.reason = reason;
    return true;
  }

  /** Records what is kept. */
  record(stream: Stream, context: FormatContext): void {
    const { info } = context;
    const trace = stream.trace!;
    const { reason, grpcStatus } = trace;
    const { memory, batch, providers, keys } = this.#parts;
    if (keys.epochAt(trace.keySlot) !== trace.keyEpoch) trace.keySlot = otherSlot;
    trace.takeRandom();
    trace.route = stream.route;
    trace.cluster = stream.cluster;
    const isError = reason === SamplingReason.error;
    const signature = isError ? errorSignature(info, grpcStatus) : 0;
    const isNewSignature = isError && this.#parts.signatures.isNew(signature, info.endedAtMs);
    if (!trace.isHeadKept) {
      // What the head decided says nothing of it: what it has passed is said in that place.
      trace.hasThreshold = true;
      copyThreshold(trace.threshold, alwaysBytes, 0);
    }
    if (!isNewSignature && this.#isBelowReached(trace)) {
      memory.count(trace.keySlot, isError ? KeyCounter.errorsSkipped : KeyCounter.headSkipped);
      return;
    }
    if (!batch.hasRoom(isError)) {
      memory.count(trace.keySlot, KeyCounter.recordsDropped);
      return;
    }
    const facts = this.#facts;
    facts.provider = providers.numberOf(this.#provider, facts.provider);
    facts.signature = signature;
    facts.isNewSignature = isNewSignature;
    this.#recorder.write(trace, context, facts);
    batch.onWritten(reason === SamplingReason.head || reason === SamplingReason.parent);
  }

  /** Nobody reads the trace any more. */
  release(stream: Stream): void {
    const { trace, info } = stream;
    info.trace = null;
    if (trace === null) return;
    stream.trace = null;
    this.#parts.pool.give(trace);
  }

  // The outcome comes before the first decision: its stratum keeps all of its kind, the chosen among them, so that none
  // stands for more than itself.
  #outcomeReason({ info, head, trace }: Stream, grpcStatus: number): SamplingReason {
    const { settings } = this.#parts;
    const { responseCode, attemptCount } = info;
    if (settings.isError(responseCode, grpcStatus, isCutShort(info))) return SamplingReason.error;
    const chosen = trace === null ? SamplingReason.none : trace.reason;
    if (chosen === SamplingReason.debug) return SamplingReason.debug;
    // A tunnel lasts as long as its ends like.
    const isTunnel = responseCode === 101 || head.method === 'CONNECT';
    if (info.endedAtMs - info.startedAtMs > settings.slowOverMs && !isTunnel) return SamplingReason.slow;
    if (attemptCount > 1 && settings.keepsRetries) return SamplingReason.retry;
    if (chosen !== SamplingReason.none) return chosen;
    return trace?.isUpgraded === true ? SamplingReason.upgrade : SamplingReason.none;
  }

  // What stage 2 would not keep need not be written. What passes has passed a threshold, and says so: the window in which its
  // record arrives may be another one, with a lower threshold. An outcome that was chosen before is weighed with the
  // chosen ones too.
  #isBelowReached(trace: RequestTrace): boolean {
    const stratum = reachedStratumOf(trace.reason);
    if (stratum === null || (stratum !== ReachedStratum.head && trace.isHeadKept)) return false;
    const reached = this.#reached;
    copyThreshold(reached, this.#parts.memory.thresholds, reachedThresholdAt(stratum));
    if (!isAtLeast(trace.random, 0, reached, 0)) return true;
    raiseThreshold(trace.threshold, reached);
    return false;
  }
}

/** Null for reasons that are few by other means. */
function reachedStratumOf(reason: SamplingReason): ReachedStratum | null {
  switch (reason) {
    case SamplingReason.head:
    case SamplingReason.parent:
      return ReachedStratum.head;
    case SamplingReason.error:
      return ReachedStratum.error;
    case SamplingReason.slow:
      return ReachedStratum.slow;
    case SamplingReason.retry:
      return ReachedStratum.retry;
    default:
      return null;
  }
}

/** Formats that are written whatever arrived. Zipkin's tracer writes fields of their own, as in Envoy. */
function formatsOf(provider: TraceProvider): number {
  if (provider.kind === 'opentelemetry') return TraceFormat.w3c;
  return provider.alsoW3c ? TraceFormat.b3Multi | TraceFormat.w3c : TraceFormat.b3Multi;
}

function shareSpanId(trace: RequestTrace): void {
  const { line, parentSpanId } = trace.context;
  trace.sharesSpanId = true;
  for (let index = 0; index < spanIdLength; index++) line.bytes[TraceparentAt.spanId + index] = parentSpanId[index]!;
}

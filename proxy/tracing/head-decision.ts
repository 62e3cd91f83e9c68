// The decision before a request is forwarded. The caller's word counts where there is one; otherwise the trace's random value R is
// compared with a threshold, so that every hop that compares it with a lower one keeps the trace too.
//
// Without a sampling file the threshold says Envoy's percentages; with one it is that of the request's key, which the main
// thread renews, and `overall_sampling` remains a ceiling.

import type { TraceProvider, TraceSampling, Tracing } from '../../config/tracing.ts';
import type { HeaderTable } from '../http/header-table.ts';
import type { Stream } from '../http/stream.ts';
import { markTraceReason, overallShare, randomShare, requestedReason, TraceReason } from '../http/trace-choice.ts';
import type { CompiledRoute } from '../route/compiled-route.ts';
import type { RequestTrace } from './request-trace.ts';
import { KeyCounter, thresholdAt } from './sampling-memory.ts';
import { SamplingReason } from './sampling-reason.ts';
import {
  alwaysBytes,
  copyThreshold,
  isAtLeast,
  percentageThreshold,
  raiseThreshold,
  readThresholdText,
  thresholdText,
} from './threshold-bytes.ts';
import { ParentDecision, randomAt } from './trace-context.ts';
import type { LineTrace } from './trace-line.ts';
import type { TracingParts } from './worker-tracing.ts';

/** Of a connection manager, or of a route in its place. */
interface Percentages {
  readonly random: Uint8Array;
  readonly overall: Uint8Array;
}

export class HeadDecision {
  readonly #sampling: TraceSampling;
  readonly #parts: TracingParts;
  readonly #own: Percentages;
  readonly #byRoute = new WeakMap<CompiledRoute, Percentages>();
  /** A sampler of the provider decides in place of all others; null without one. */
  readonly #sampler: Uint8Array | null;
  readonly #followsParent: boolean;

  constructor({ sampling }: Tracing, provider: TraceProvider, parts: TracingParts) {
    this.#sampling = sampling;
    this.#parts = parts;
    this.#own = percentages(sampling, undefined);
    const sampler = provider.kind === 'opentelemetry' ? provider.sampler : undefined;
    this.#sampler = sampler === undefined ? null : percentageThreshold(sampler.probability);
    this.#followsParent = sampler === undefined || sampler.followsParent;
  }

  /**
   * Whether a request of which nobody has decided, and that asks for nothing, may be chosen: `decide` has the last word. Its
   * trace is in its line.
   */
  mayChoose({ bytes }: HeaderTable, line: LineTrace, route: CompiledRoute | null): boolean {
    const source = this.#thresholdFor(TraceReason.none, this.#sharesOf(route));
    const at = source === this.#parts.memory.thresholds ? thresholdAt(line.keySlot) : 0;
    return isAtLeast(bytes, line.at + randomAt, source, at);
  }

  /** Fills the trace, and says the choice in its context and in the request id. Counts the request for its key. */
  decide(trace: RequestTrace, stream: Stream, route: CompiledRoute | null): void {
    const { memory } = this.#parts;
    const { context } = trace;
    const asked = requestedReason(stream, route);
    // Debug is kept beside the budget: from outside of the mesh it says no more than that the caller keeps the trace.
    if (stream.isExternal && context.parentDecision === ParentDecision.debug) {
      context.parentDecision = ParentDecision.sampled;
    }
    const parent = this.#followsParent ? parentOf(trace, asked) : ParentDecision.absent;
    if (parent === ParentDecision.absent) {
      memory.count(trace.keySlot, KeyCounter.arrivals);
      this.#choose(trace, asked, this.#sharesOf(route));
    } else {
      memory.count(trace.keySlot, KeyCounter.withParent);
      follow(trace, parent);
    }
    context.isSampled = trace.isHeadKept;
    context.sentThreshold = trace.isHeadKept && trace.hasThreshold ? thresholdText(trace.threshold) : '';
    if (this.#sampling.usesRequestId) markTraceReason(stream, markOf(trace, asked));
  }

  #choose(trace: RequestTrace, asked: TraceReason, shares: Percentages): void {
    const { threshold } = trace;
    const { memory } = this.#parts;
    const source = this.#thresholdFor(asked, shares);
    const at = source === memory.thresholds ? thresholdAt(trace.keySlot) : 0;
    // Most are not chosen, which the first digits tell where they lie.
    if (!trace.reaches(source, at)) return;
    copyThreshold(threshold, source, at);
    if (this.#sampler === null && this.#sampling.usesRequestId) raiseThreshold(threshold, shares.overall);
    // Once more, with what is reported: a threshold in shared memory may have changed, or been read half old, half new.
    if (!trace.reaches(threshold, 0)) return;
    trace.hasThreshold = true;
    trace.isHeadKept = true;
    trace.reason = isForced(asked) ? SamplingReason.debug : SamplingReason.head;
  }

  /** What R is compared with: digits of its own, or all thresholds of the keys. */
  #thresholdFor(asked: TraceReason, shares: Percentages): Uint8Array {
    if (this.#sampler !== null) return this.#sampler;
    const { settings, memory } = this.#parts;
    if (isForced(asked)) return alwaysBytes;
    if (settings.followsKeys) return memory.thresholds;
    // Without ids that decide Envoy leaves the choice to its tracer, which has no other reason to refuse.
    return this.#sampling.usesRequestId ? shares.random : alwaysBytes;
  }

  #sharesOf(route: CompiledRoute | null): Percentages {
    if (route === null || route.config.tracing === undefined) return this.#own;
    let shares = this.#byRoute.get(route);
    if (shares === undefined) {
      shares = percentages(this.#sampling, route);
      this.#byRoute.set(route, shares);
    }
    return shares;
  }
}

function isForced(asked: TraceReason): boolean {
  return asked === TraceReason.forced || asked === TraceReason.client;
}

function percentages(sampling: TraceSampling, route: CompiledRoute | undefined): Percentages {
  const tracing = route?.config.tracing;
  return {
    random: percentageThreshold(randomShare(sampling, tracing) / 10_000),
    overall: percentageThreshold(overallShare(sampling, tracing) / 10_000),
  };
}

// Trace headers have the first word. A choice in the request id is a caller's too: of hops that know no other way.
function parentOf({ context }: RequestTrace, asked: TraceReason): ParentDecision {
  if (context.parentDecision !== ParentDecision.absent) return context.parentDecision;
  return asked === TraceReason.sampled ? ParentDecision.sampled : ParentDecision.absent;
}

function follow(trace: RequestTrace, parent: ParentDecision): void {
  const { context } = trace;
  if (parent === ParentDecision.notSampled) return;
  trace.isHeadKept = true;
  if (parent === ParentDecision.debug) {
    trace.reason = SamplingReason.debug;
    trace.hasThreshold = true;
    copyThreshold(trace.threshold, alwaysBytes, 0);
    return;
  }
  trace.reason = SamplingReason.parent;
  trace.hasThreshold = context.threshold !== '';
  if (trace.hasThreshold) readThresholdText(trace.threshold, context.threshold);
}

/** What other hops read in the request id. */
function markOf({ isHeadKept, reason }: RequestTrace, asked: TraceReason): TraceReason {
  if (!isHeadKept) return TraceReason.none;
  if (reason === SamplingReason.debug) return asked === TraceReason.client ? TraceReason.client : TraceReason.forced;
  return TraceReason.sampled;
}

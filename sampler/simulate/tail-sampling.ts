// Sampling in a collector, as OpenTelemetry's `tail_sampling` does it: all spans of all traces are sent there, held for some
// seconds, and a trace is kept when it has an error, or is slow, or by chance.
// https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/processor/tailsamplingprocessor
//
// Its spans do not say with which probability they were kept. The estimates here are those of somebody who has the name
// of the policy on every span, and knows its percentage.

import { shareOf } from './head-sampling.ts';
import { isError, type SimulatedRequest, type SimulatedTrace } from './simulated-request.ts';
import type { Keep, Strategy } from './strategy.ts';

const probability = 0.01;
/** The processor's defaults. */
const decisionWaitMs = 30_000;
const mostTraces = 50_000;
/** A span with its attributes, in the collector's memory. */
export const heldSpanBytes = 1_000;

interface HeldTrace {
  readonly spans: SimulatedRequest[];
  readonly decideAtMs: number;
}

export interface TailSamplingOptions {
  /** Requests that take longer make their trace slow. */
  readonly slowMs: number;
}

export class TailSampling implements Strategy {
  mostHeld = 0;
  spansSent = 0;
  readonly #options: TailSamplingOptions;
  readonly #keep: Keep;
  /** In the order of their first spans, and so of their decisions. */
  readonly #held = new Map<SimulatedTrace, HeldTrace>();
  #heldSpans = 0;

  constructor(options: TailSamplingOptions, keep: Keep) {
    this.#options = options;
    this.#keep = keep;
  }

  onArrival(): void {}

  onEnd(request: SimulatedRequest): void {
    const { trace, atMs, durationMs } = request;
    this.spansSent++;
    let held = this.#held.get(trace);
    if (held === undefined) {
      if (this.#held.size === mostTraces) this.#dropOldest();
      held = { spans: [], decideAtMs: atMs + durationMs + decisionWaitMs };
      this.#held.set(trace, held);
    }
    held.spans.push(request);
    this.mostHeld = Math.max(this.mostHeld, ++this.#heldSpans);
  }

  onTick(nowMs: number): void {
    for (const [trace, held] of this.#held) {
      if (held.decideAtMs > nowMs) return;
      this.#forget(trace, held);
      this.#decide(trace, held);
    }
  }

  onClose(): void {
    this.onTick(Number.POSITIVE_INFINITY);
  }

  #decide(trace: SimulatedTrace, { spans, decideAtMs }: HeldTrace): void {
    const isKept = spans.some((span) => isError(span) || span.durationMs > this.#options.slowMs);
    if (!isKept && !isLucky(trace)) return;
    const weight = isKept ? 1 : 1 / probability;
    for (const request of spans) this.#keep({ request, atMs: decideAtMs, weight });
  }

  /** More traces than it has room for: the oldest goes undecided. */
  #dropOldest(): void {
    const [trace, held] = this.#held.entries().next().value!;
    this.#forget(trace, held);
  }

  #forget(trace: SimulatedTrace, { spans }: HeldTrace): void {
    this.#held.delete(trace);
    this.#heldSpans -= spans.length;
  }
}

/** By a number of its own, as the collector's hash is: other traces than head sampling keeps. */
function isLucky(trace: SimulatedTrace): boolean {
  return Math.abs(shareOf(trace) - 0.5) < probability / 2;
}

// What "rate limiting sampling" usually means: where traces begin, the first so many of each second are kept, and the other
// sidecars follow.
//
// Nobody knows afterwards with which probability a trace was kept: it depends on what else came in its second, and its spans
// say nothing of it. All that a reader of spans can do is to scale them by the share that is kept of all requests; who has
// counters by service, and could do better, does not need an estimate.

import type { SimulatedRequest, SimulatedTrace } from './simulated-request.ts';
import type { Keep, Strategy } from './strategy.ts';

interface Bucket {
  tokens: number;
  atMs: number;
}

export class TokenBucket implements Strategy {
  readonly mostHeld = 0;
  readonly #tracesPerSecond: number;
  readonly #keep: Keep;
  /** One for each service, as each has its sidecar. */
  readonly #buckets = new Map<string, Bucket>();
  readonly #chosen = new WeakMap<SimulatedTrace, boolean>();
  readonly #kept: SimulatedRequest[] = [];
  #seen = 0;

  constructor(tracesPerSecond: number, keep: Keep) {
    this.#tracesPerSecond = tracesPerSecond;
    this.#keep = keep;
  }

  get spansSent(): number {
    return this.#kept.length;
  }

  onArrival({ trace, service, atMs }: SimulatedRequest): void {
    if (!this.#chosen.has(trace)) this.#chosen.set(trace, this.#take(service, atMs));
  }

  onEnd(request: SimulatedRequest): void {
    this.#seen++;
    if (this.#chosen.get(request.trace)) this.#kept.push(request);
  }

  onTick(): void {}

  onClose(): void {
    const weight = this.#seen / this.#kept.length;
    for (const request of this.#kept) {
      this.#keep({ request, atMs: request.atMs + request.durationMs, weight });
    }
  }

  #take(service: string, atMs: number): boolean {
    let bucket = this.#buckets.get(service);
    if (bucket === undefined) {
      bucket = { tokens: this.#tracesPerSecond, atMs };
      this.#buckets.set(service, bucket);
    }
    const earned = ((atMs - bucket.atMs) / 1000) * this.#tracesPerSecond;
    bucket.tokens = Math.min(this.#tracesPerSecond, bucket.tokens + earned);
    bucket.atMs = atMs;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}

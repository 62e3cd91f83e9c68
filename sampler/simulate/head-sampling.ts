// The usual way: where a trace begins, a fixed part of all is chosen, and the other sidecars follow that choice.

import type { SimulatedRequest, SimulatedTrace } from './simulated-request.ts';
import type { Keep, Strategy } from './strategy.ts';

/** Of traces. What other tracers ship as a sensible setting. */
const probability = 0.01;

export class HeadSampling implements Strategy {
  readonly mostHeld = 0;
  spansSent = 0;
  readonly #keep: Keep;
  readonly #chosen = new WeakMap<SimulatedTrace, boolean>();

  constructor(keep: Keep) {
    this.#keep = keep;
  }

  onArrival({ trace }: SimulatedRequest): void {
    // The random part of a trace's id is as good as any other chance.
    if (!this.#chosen.has(trace)) this.#chosen.set(trace, shareOf(trace) < probability);
  }

  onEnd(request: SimulatedRequest): void {
    if (!this.#chosen.get(request.trace)) return;
    this.spansSent++;
    this.#keep({ request, atMs: request.atMs + request.durationMs, weight: 1 / probability });
  }

  onTick(): void {}

  onClose(): void {}
}

/** Where the trace's random number stands between 0 and 1. */
export function shareOf({ random }: SimulatedTrace): number {
  return Number.parseInt(random, 16) / 16 ** random.length;
}

// Slow start: an endpoint that has just joined gets its share of the traffic little by little, so that caches fill and code
// is compiled before the full load comes. Its weight is scaled by max(min_weight_percent, (age / window) ^ (1 / aggression)).
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/slow_start
//
// Envoy computes a weight when its endpoint is picked, and stays with the weighted schedule until members change. Here all
// weights change at once and in steps, also for the turn that an endpoint waits for, so that shares follow the formula when
// requests are few; and once nobody warms up any more the choice is the plain one again.

import type { LoadBalancer, SlowStart } from '../../config/cluster.ts';
import type { Balancer, ChooseContext } from './balancer.ts';
import { Availability, type EndpointRuntime } from './endpoint-runtime.ts';

/** Of the policies that know it; undefined without. */
export function slowStartOf({ policy }: LoadBalancer): SlowStart | undefined {
  return policy.kind === 'round-robin' || policy.kind === 'least-request' ? policy.slowStart : undefined;
}

/** Chooses by weights that may change. */
export interface WeightedBalancer extends Balancer {
  /** Takes the place of all weights, in the order of the endpoints. */
  reweigh(weights: Float64Array): void;
}

export interface SlowStartOptions {
  readonly slowStart: SlowStart;
  /** Monotonic, ms; the one that `healthySinceMs` of the endpoints was read from. */
  readonly clock: () => number;
  /** While an endpoint warms up. The weights are copied. */
  readonly weighted: (weights: Float64Array) => WeightedBalancer;
  /** When none does. */
  readonly plain: () => Balancer;
}

/** `endpoints` is not empty. */
export function buildSlowStart(endpoints: readonly EndpointRuntime[], options: SlowStartOptions): Balancer {
  if (endpoints.length === 1) return options.plain();
  const warmUp = new WarmUp(endpoints, options.slowStart);
  return warmUp.scale(options.clock()) ? new SlowStartBalancer(warmUp, options) : options.plain();
}

class SlowStartBalancer implements Balancer {
  readonly #warmUp: WarmUp;
  readonly #options: SlowStartOptions;
  readonly #stepMs: number;
  readonly #weighted: WeightedBalancer;
  #nextStepMs: number;
  /** Takes over when nobody warms up any more. */
  #plain: Balancer | null = null;

  /** `warmUp` has scaled the weights to now. */
  constructor(warmUp: WarmUp, options: SlowStartOptions) {
    this.#warmUp = warmUp;
    this.#options = options;
    this.#stepMs = Math.min(longestStepMs, Math.max(shortestStepMs, options.slowStart.windowMs / stepsOfWindow));
    this.#nextStepMs = options.clock() + this.#stepMs;
    this.#weighted = options.weighted(warmUp.weights);
  }

  choose(context: ChooseContext): EndpointRuntime | null {
    if (this.#plain === null) this.#stepWhenDue();
    return (this.#plain ?? this.#weighted).choose(context);
  }

  #stepWhenDue(): void {
    const nowMs = this.#options.clock();
    if (nowMs < this.#nextStepMs) return;
    this.#nextStepMs = nowMs + this.#stepMs;
    if (this.#warmUp.scale(nowMs)) this.#weighted.reweigh(this.#warmUp.weights);
    else this.#plain = this.#options.plain();
  }
}

// A step costs a sort of the endpoints.
const stepsOfWindow = 100;
const shortestStepMs = 10;
const longestStepMs = 1000;

/** Weights of endpoints at one time after another. */
class WarmUp {
  readonly weights: Float64Array;
  readonly #slowStart: SlowStart;
  // Copies: endpoints change while the next set is built.
  readonly #fullWeights: Float64Array;
  /** Those that get their full weight are there for ever: only what is healthy warms up, as in Envoy. */
  readonly #sinceMs: Float64Array;

  constructor(endpoints: readonly EndpointRuntime[], slowStart: SlowStart) {
    this.#slowStart = slowStart;
    this.#fullWeights = Float64Array.from(endpoints, ({ weight }) => weight);
    this.#sinceMs = Float64Array.from(endpoints, ({ availability, healthySinceMs }) =>
      availability === Availability.healthy ? healthySinceMs : Number.NEGATIVE_INFINITY,
    );
    this.weights = this.#fullWeights.slice();
  }

  /** Sets the weights of now; false when all of them are full. */
  scale(nowMs: number): boolean {
    let isWarming = false;
    for (let index = 0; index < this.weights.length; index++) {
      const ageMs = nowMs - this.#sinceMs[index]!;
      isWarming ||= ageMs < this.#slowStart.windowMs;
      this.weights[index] = this.#fullWeights[index]! * slowStartFactor(ageMs, this.#slowStart);
    }
    return isWarming;
  }
}

/** The share of its weight that an endpoint has, up to 1. */
export function slowStartFactor(ageMs: number, { windowMs, aggression, minWeightPercent }: SlowStart): number {
  if (ageMs >= windowMs) return 1;
  const time = Math.max(1, ageMs) / windowMs;
  // Above 0 whatever the configuration says: the wait for the next turn is one divided by it.
  return Math.min(1, Math.max(time ** (1 / aggression), minWeightPercent / 100, 1e-6));
}

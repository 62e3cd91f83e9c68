// The least busy of a few endpoints drawn at random. Two choices are nearly as good as knowing all, and do not send
// everybody to the same endpoint. With weights, a schedule by weight / (active requests + 1) ^ bias.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/load_balancers#weighted-least-request

import type { Random } from '../../config/random.ts';
import type { Balancer, ChooseContext } from './balancer.ts';
import type { EndpointRuntime } from './endpoint-runtime.ts';
import type { WeightedBalancer } from './slow-start.ts';
import { unevenWeights, WeightedSchedule } from './weighted-schedule.ts';

export interface LeastRequestOptions {
  /** At least 2. */
  readonly choiceCount: number;
  /** How strongly active requests count against a weight; 0 ignores them. */
  readonly activeRequestBias: number;
  readonly random: Random;
}

/** `endpoints` is not empty. */
export function buildLeastRequest(endpoints: readonly EndpointRuntime[], options: LeastRequestOptions): Balancer {
  const weights = unevenWeights(endpoints);
  if (weights === null) return new LeastRequest(endpoints, options.choiceCount);
  return new WeightedLeastRequest(endpoints, weights, options);
}

/** As `buildLeastRequest`, with weights that are not those of the endpoints; they are copied. */
export function buildWeightedLeastRequest(
  endpoints: readonly EndpointRuntime[],
  weights: Float64Array,
  options: LeastRequestOptions,
): WeightedBalancer {
  return new WeightedLeastRequest(endpoints, weights.slice(), options);
}

class LeastRequest implements Balancer {
  readonly #endpoints: readonly EndpointRuntime[];
  readonly #choiceCount: number;

  constructor(endpoints: readonly EndpointRuntime[], choiceCount: number) {
    this.#endpoints = endpoints;
    this.#choiceCount = choiceCount;
  }

  choose(context: ChooseContext): EndpointRuntime {
    const endpoints = this.#endpoints;
    const length = endpoints.length;
    if (length === 1) return endpoints[0]!;
    let best = endpoints[Math.floor(context.random() * length)]!;
    for (let choice = 1; choice < this.#choiceCount; choice++) {
      const candidate = endpoints[Math.floor(context.random() * length)]!;
      if (candidate.activeRequests < best.activeRequests) best = candidate;
    }
    return best;
  }
}

class WeightedLeastRequest implements WeightedBalancer {
  readonly #endpoints: readonly EndpointRuntime[];
  readonly #weights: Float64Array;
  readonly #bias: number;
  readonly #schedule: WeightedSchedule;

  /** `weights` become its own. */
  constructor(endpoints: readonly EndpointRuntime[], weights: Float64Array, options: LeastRequestOptions) {
    this.#endpoints = endpoints;
    this.#weights = weights;
    this.#bias = options.activeRequestBias;
    this.#schedule = new WeightedSchedule(weights);
    const start = Math.floor(options.random() * endpoints.length);
    for (let skipped = 0; skipped < start; skipped++) this.choose();
  }

  choose(): EndpointRuntime {
    const next = this.#schedule.next;
    const endpoint = this.#endpoints[next]!;
    this.#schedule.reschedule(this.#effectiveWeight(this.#weights[next]!, endpoint.activeRequests));
    return endpoint;
  }

  reweigh(weights: Float64Array): void {
    this.#schedule.rescale(this.#weights, weights);
    this.#weights.set(weights);
  }

  #effectiveWeight(weight: number, activeRequests: number): number {
    // Math.pow costs ten times a division, and 1 is the default.
    if (this.#bias === 1) return weight / (activeRequests + 1);
    return this.#bias === 0 ? weight : weight / (activeRequests + 1) ** this.#bias;
  }
}

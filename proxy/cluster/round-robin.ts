// Each endpoint in turn; with weights, as often as its weight says.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/load_balancers#weighted-round-robin

import type { Random } from '../../config/random.ts';
import type { Balancer } from './balancer.ts';
import type { EndpointRuntime } from './endpoint-runtime.ts';
import type { WeightedBalancer } from './slow-start.ts';
import { unevenWeights, WeightedSchedule } from './weighted-schedule.ts';

/**
 * `endpoints` is not empty. The turn begins at a random endpoint: workers and sidecars that get the same assignment at
 * the same moment must not all begin with the first one.
 */
export function buildRoundRobin(endpoints: readonly EndpointRuntime[], random: Random): Balancer {
  const start = Math.floor(random() * endpoints.length);
  const weights = unevenWeights(endpoints);
  return weights === null ? new RoundRobin(endpoints, start) : new WeightedRoundRobin(endpoints, weights, start);
}

/** As `buildRoundRobin`, with weights that are not those of the endpoints; they are copied. */
export function buildWeightedRoundRobin(
  endpoints: readonly EndpointRuntime[],
  weights: Float64Array,
  random: Random,
): WeightedBalancer {
  return new WeightedRoundRobin(endpoints, weights.slice(), Math.floor(random() * endpoints.length));
}

class RoundRobin implements Balancer {
  readonly #endpoints: readonly EndpointRuntime[];
  #cursor: number;

  constructor(endpoints: readonly EndpointRuntime[], start: number) {
    this.#endpoints = endpoints;
    this.#cursor = start;
  }

  choose(): EndpointRuntime {
    const endpoint = this.#endpoints[this.#cursor]!;
    // Compare and reset: a remainder is a division.
    this.#cursor = this.#cursor + 1 === this.#endpoints.length ? 0 : this.#cursor + 1;
    return endpoint;
  }
}

class WeightedRoundRobin implements WeightedBalancer {
  readonly #endpoints: readonly EndpointRuntime[];
  readonly #weights: Float64Array;
  readonly #schedule: WeightedSchedule;

  /** `weights` become its own. */
  constructor(endpoints: readonly EndpointRuntime[], weights: Float64Array, start: number) {
    this.#endpoints = endpoints;
    this.#weights = weights;
    this.#schedule = new WeightedSchedule(weights);
    for (let skipped = 0; skipped < start; skipped++) this.choose();
  }

  choose(): EndpointRuntime {
    const next = this.#schedule.next;
    this.#schedule.reschedule(this.#weights[next]!);
    return this.#endpoints[next]!;
  }

  reweigh(weights: Float64Array): void {
    this.#schedule.rescale(this.#weights, weights);
    this.#weights.set(weights);
  }
}

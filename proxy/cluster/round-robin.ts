// Each endpoint in turn; with weights, as often as its weight says.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/load_balancers#weighted-round-robin

import type { Random } from '../../config/random.ts';
import type { Balancer } from './balancer.ts';
import type { EndpointRuntime } from './endpoint-runtime.ts';
import { WeightedSchedule } from './weighted-schedule.ts';

/**
 * `endpoints` is not empty. The turn begins at a random endpoint: workers and sidecars that get the same assignment at
 * the same moment must not all begin with the first one.
 */
export function buildRoundRobin(endpoints: readonly EndpointRuntime[], random: Random): Balancer {
  const start = Math.floor(random() * endpoints.length);
  const firstWeight = endpoints[0]!.weight;
  if (endpoints.every((endpoint) => endpoint.weight === firstWeight)) return new RoundRobin(endpoints, start);
  return new WeightedRoundRobin(endpoints, start);
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

class WeightedRoundRobin implements Balancer {
  readonly #endpoints: readonly EndpointRuntime[];
  readonly #weights: Float64Array;
  readonly #schedule: WeightedSchedule;

  constructor(endpoints: readonly EndpointRuntime[], start: number) {
    this.#endpoints = endpoints;
    // A copy: an endpoint's weight changes while the next set is built, and a schedule must not change under way.
    this.#weights = Float64Array.from(endpoints, (endpoint) => endpoint.weight);
    this.#schedule = new WeightedSchedule(this.#weights);
    for (let skipped = 0; skipped < start; skipped++) this.choose();
  }

  choose(): EndpointRuntime {
    const next = this.#schedule.next;
    this.#schedule.reschedule(this.#weights[next]!);
    return this.#endpoints[next]!;
  }
}

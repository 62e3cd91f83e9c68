// Any endpoint, by chance; weights do not count, as in Envoy.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/load_balancers#random

import type { Balancer, ChooseContext } from './balancer.ts';
import type { EndpointRuntime } from './endpoint-runtime.ts';

export class RandomChoice implements Balancer {
  readonly #endpoints: readonly EndpointRuntime[];

  /** `endpoints` is not empty. */
  constructor(endpoints: readonly EndpointRuntime[]) {
    this.#endpoints = endpoints;
  }

  choose(context: ChooseContext): EndpointRuntime {
    return this.#endpoints[Math.floor(context.random() * this.#endpoints.length)]!;
  }
}

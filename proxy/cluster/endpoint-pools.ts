// The pools of one endpoint, made when first asked for: one for each routing priority, and for each engine that opens
// connections in this worker (nearly always one).

import type { ClusterRuntime } from './cluster-runtime.ts';
import { EndpointPool, type PoolContext } from './endpoint-pool.ts';
import type { EndpointPools, EndpointRuntime } from './endpoint-runtime.ts';

export class Http1EndpointPools implements EndpointPools {
  readonly #cluster: ClusterRuntime;
  readonly #endpoint: EndpointRuntime;
  readonly #default: EndpointPool[] = [];
  readonly #high: EndpointPool[] = [];

  constructor(cluster: ClusterRuntime, endpoint: EndpointRuntime) {
    this.#cluster = cluster;
    this.#endpoint = endpoint;
  }

  get(context: PoolContext, priority: 'default' | 'high'): EndpointPool {
    const pools = priority === 'high' ? this.#high : this.#default;
    for (let index = 0; index < pools.length; index++) {
      const pool = pools[index]!;
      if (pool.connector === context.connector) return pool;
    }
    const pool = new EndpointPool(context, this.#cluster, this.#endpoint, this.#cluster.breakers[priority]);
    pools.push(pool);
    return pool;
  }

  drain(): void {
    for (const pool of this.#default) pool.drain();
    for (const pool of this.#high) pool.drain();
  }

  /** Closes connections that have been idle for too long. */
  retireIdle(): void {
    for (const pool of this.#default) pool.retireIdle();
    for (const pool of this.#high) pool.retireIdle();
  }
}

/** The pool of an endpoint for a priority, with connections of the context's engine. */
export function poolOf(
  context: PoolContext,
  choice: { readonly cluster: ClusterRuntime; readonly endpoint: EndpointRuntime },
  priority: 'default' | 'high',
): EndpointPool {
  const { endpoint } = choice;
  endpoint.pools ??= new Http1EndpointPools(choice.cluster, endpoint);
  return (endpoint.pools as Http1EndpointPools).get(context, priority);
}

// The pools of one endpoint, one for each routing priority, made when first asked for.

import type { ClusterRuntime } from './cluster-runtime.ts';
import { EndpointPool, type PoolContext } from './endpoint-pool.ts';
import type { EndpointPools, EndpointRuntime } from './endpoint-runtime.ts';

export class Http1EndpointPools implements EndpointPools {
  readonly #context: PoolContext;
  readonly #cluster: ClusterRuntime;
  readonly #endpoint: EndpointRuntime;
  #default: EndpointPool | null = null;
  #high: EndpointPool | null = null;

  constructor(context: PoolContext, cluster: ClusterRuntime, endpoint: EndpointRuntime) {
    this.#context = context;
    this.#cluster = cluster;
    this.#endpoint = endpoint;
  }

  get(priority: 'default' | 'high'): EndpointPool {
    if (priority === 'high') {
      this.#high ??= this.#make('high');
      return this.#high;
    }
    this.#default ??= this.#make('default');
    return this.#default;
  }

  #make(priority: 'default' | 'high'): EndpointPool {
    return new EndpointPool(this.#context, this.#cluster, this.#endpoint, this.#cluster.breakers[priority]);
  }

  drain(): void {
    this.#default?.drain();
    this.#high?.drain();
  }

  /** Closes connections that have been idle for too long. */
  retireIdle(): void {
    this.#default?.retireIdle();
    this.#high?.retireIdle();
  }
}

/** The pool of an endpoint for a priority. */
export function poolOf(
  context: PoolContext,
  choice: { readonly cluster: ClusterRuntime; readonly endpoint: EndpointRuntime },
  priority: 'default' | 'high',
): EndpointPool {
  const { endpoint } = choice;
  endpoint.pools ??= new Http1EndpointPools(context, choice.cluster, endpoint);
  return (endpoint.pools as Http1EndpointPools).get(priority);
}

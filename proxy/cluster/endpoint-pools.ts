// The pools of one endpoint, made when first asked for: one for each routing priority, and for each engine that opens
// connections in this worker (nearly always one). Where connections differ by what a request names, each kind has pools of its
// own, which go when nobody uses them.

import type { ClusterRuntime } from './cluster-runtime.ts';
import { EndpointPool, type PoolContext } from './endpoint-pool.ts';
import type { EndpointPools, EndpointRuntime } from './endpoint-runtime.ts';
import type { UpstreamConnector } from './pooled-connection.ts';
import type { ConnectionVariant } from './upstream-transport.ts';

/** Pools of variants that an endpoint has at a time: a client that names ever new hosts must not grow memory without end. */
export const maxVariantPools = 1024;

export class Http1EndpointPools implements EndpointPools {
  readonly #cluster: ClusterRuntime;
  readonly #endpoint: EndpointRuntime;
  readonly #default: EndpointPool[] = [];
  readonly #high: EndpointPool[] = [];
  /** By priority and variant. */
  readonly #variants = new Map<string, EndpointPool[]>();

  constructor(cluster: ClusterRuntime, endpoint: EndpointRuntime) {
    this.#cluster = cluster;
    this.#endpoint = endpoint;
  }

  /** `variant` is null where all connections to the endpoint are alike. Null when there are too many variants. */
  get(
    context: PoolContext,
    priority: 'default' | 'high',
    { variant = null, connector = context.connector }: Pick<PoolChoice, 'variant' | 'connector'>,
  ): EndpointPool | null {
    const alike = priority === 'high' ? this.#high : this.#default;
    const pools = variant === null ? alike : this.#variantPools(`${priority}\n${variant.key}`);
    if (pools === null) return null;
    for (let index = 0; index < pools.length; index++) {
      const pool = pools[index]!;
      if (pool.connector === connector) return pool;
    }
    const terms = { breaker: this.#cluster.breakers[priority], variant };
    const pool = new EndpointPool({ reactor: context.reactor, connector }, this.#cluster, this.#endpoint, terms);
    pools.push(pool);
    return pool;
  }

  #variantPools(key: string): EndpointPool[] | null {
    let pools = this.#variants.get(key);
    if (pools !== undefined) return pools;
    if (this.#variants.size >= maxVariantPools) this.#dropUnused();
    if (this.#variants.size >= maxVariantPools) return null;
    pools = [];
    this.#variants.set(key, pools);
    return pools;
  }

  #dropUnused(): void {
    for (const [key, pools] of this.#variants) {
      if (pools.every(({ isUnused }) => isUnused)) this.#variants.delete(key);
    }
  }

  drain(): void {
    for (const pool of this.#all()) pool.drain();
  }

  /** Closes connections that have been idle for too long. */
  retireIdle(): void {
    for (const pool of this.#all()) pool.retireIdle();
    this.#dropUnused();
  }

  *#all(): Generator<EndpointPool> {
    yield* this.#default;
    yield* this.#high;
    for (const pools of this.#variants.values()) yield* pools;
  }
}

/** For whom a connection is. */
export interface PoolChoice {
  readonly cluster: ClusterRuntime;
  readonly endpoint: EndpointRuntime;
  readonly variant?: ConnectionVariant | null;
  /** Who opens it; that of the context when left out. */
  readonly connector?: UpstreamConnector;
}

/** The pool of an endpoint for a priority, with connections of the context's engine; null when it has too many variants. */
export function poolOf(context: PoolContext, choice: PoolChoice, priority: 'default' | 'high'): EndpointPool | null {
  const { cluster, endpoint } = choice;
  endpoint.pools ??= new Http1EndpointPools(cluster, endpoint);
  return (endpoint.pools as Http1EndpointPools).get(context, priority, choice);
}

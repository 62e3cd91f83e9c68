// The choice among the clusters of a weighted route. Weights may be overridden by runtime values `prefix.cluster`.

import type { ForwardTarget } from '../../config/route.ts';
import type { CompiledRoute } from './compiled-route.ts';
import type { MatchContext } from './route-match.ts';

type WeightedTarget = Extract<ForwardTarget, { kind: 'weighted' }>;

export class WeightedRoutes {
  /** One for each cluster of the target, in order. */
  readonly #routes: readonly CompiledRoute[];
  readonly #weights: readonly number[];
  /** Runtime keys of the weights; null without a prefix. */
  readonly #keys: readonly string[] | null;
  readonly #total: number;

  constructor(target: WeightedTarget, routes: readonly CompiledRoute[]) {
    const { clusters, runtimeKeyPrefix } = target;
    this.#routes = routes;
    this.#weights = clusters.map((cluster) => cluster.weight);
    this.#total = this.#weights.reduce((sum, weight) => sum + weight, 0);
    this.#keys =
      runtimeKeyPrefix === ''
        ? null
        : clusters.map(
            (cluster) => `${runtimeKeyPrefix}.${cluster.target.kind === 'cluster' ? cluster.target.name : ''}`,
          );
  }

  /** One route by weight; null when every weight is 0. */
  choose(context: MatchContext): CompiledRoute | null {
    const total = this.#keys === null ? this.#total : this.#overriddenTotal(context);
    let left = context.random() * total;
    for (let index = 0; index < this.#routes.length; index++) {
      const weight = this.#weight(index, context);
      if (left < weight) return this.#routes[index]!;
      left -= weight;
    }
    return null;
  }

  #overriddenTotal(context: MatchContext): number {
    let total = 0;
    for (let index = 0; index < this.#weights.length; index++) total += this.#weight(index, context);
    return total;
  }

  #weight(index: number, context: MatchContext): number {
    const override = this.#keys === null ? undefined : context.runtime.get(this.#keys[index]!);
    return typeof override === 'number' && override >= 0 ? override : this.#weights[index]!;
  }
}

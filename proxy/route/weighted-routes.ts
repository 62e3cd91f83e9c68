// The choice among the clusters of a weighted route. Weights may be overridden by runtime values `prefix.cluster`.

import type { ForwardTarget } from '../../config/route.ts';
import { type HeaderName, headerName } from '../http/header-name.ts';
import type { RequestHead } from '../http/message.ts';
import type { CompiledRoute } from './compiled-route.ts';
import { remainderOf } from './header-number.ts';
import type { MatchContext } from './route-match.ts';

type WeightedTarget = Extract<ForwardTarget, { kind: 'weighted' }>;

export class WeightedRoutes {
  /** One for each cluster of the target, in order. */
  readonly #routes: readonly CompiledRoute[];
  readonly #weights: readonly number[];
  /** Runtime keys of the weights; null without a prefix. */
  readonly #keys: readonly string[] | null;
  readonly #total: number;
  /** Null where the choice is random. */
  readonly #randomValueHeader: HeaderName | null;

  constructor(target: WeightedTarget, routes: readonly CompiledRoute[]) {
    const { clusters, runtimeKeyPrefix, randomValueHeader } = target;
    this.#randomValueHeader = randomValueHeader === undefined ? null : headerName(randomValueHeader);
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
  choose(head: RequestHead, context: MatchContext): CompiledRoute | null {
    const total = this.#keys === null ? this.#total : this.#overriddenTotal(context);
    let left = this.#randomValueHeader === null ? -1 : givenValue(head, this.#randomValueHeader, total);
    if (left < 0) left = context.random() * total;
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

/** -1 when the header gives no number. Of several lines none is believed, as in Envoy: each hop might take another. */
function givenValue({ headers }: RequestHead, name: HeaderName, total: number): number {
  const row = headers.find(name);
  if (row < 0 || headers.find(name, row + 1) >= 0) return -1;
  return remainderOf(headers.value(row), total);
}

import t from 'tap';
import type { ForwardTarget } from '../../../config/route.ts';
import type { CompiledRoute } from '../../../proxy/route/compiled-route.ts';
import { WeightedRoutes } from '../../../proxy/route/weighted-routes.ts';
import { seededRandom } from '../../support/cluster-fixtures.ts';
import { noMutations, request } from '../../support/route-fixtures.ts';

type Weighted = Extract<ForwardTarget, { kind: 'weighted' }>;

function weightedRoutes(weights: readonly number[], runtimeKeyPrefix = '', more: Partial<Weighted> = {}) {
  const target: Weighted = {
    kind: 'weighted',
    clusters: weights.map((weight, index) => ({
      target: { kind: 'cluster', name: `c${index}` },
      weight,
      headers: noMutations,
      perFilterConfig: {},
    })),
    totalWeight: weights.reduce((sum, weight) => sum + weight, 0),
    runtimeKeyPrefix,
    ...more,
  };
  const routes = weights.map((_, index) => ({ name: `c${index}` }) as CompiledRoute);
  return new WeightedRoutes(target, routes);
}

const plain = request();
const none: ReadonlyMap<string, number> = new Map();

t.test('each cluster gets its share of the range of random numbers', async (t) => {
  const routes = weightedRoutes([1, 0, 3]);
  const at = (random: number) => routes.choose(plain, { random: () => random, runtime: none })?.name;
  t.equal(at(0), 'c0');
  t.equal(at(0.249), 'c0');
  t.equal(at(0.25), 'c2', 'a cluster of weight 0 gets nothing');
  t.equal(at(0.999_999_999), 'c2');
});

t.test('over many requests the shares are the weights', async (t) => {
  const routes = weightedRoutes([10, 20, 70]);
  const random = seededRandom(7);
  const counts = new Map<string, number>();
  for (let index = 0; index < 20_000; index++) {
    const { name } = routes.choose(plain, { random, runtime: none })!;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  for (const [name, share] of [
    ['c0', 0.1],
    ['c1', 0.2],
    ['c2', 0.7],
  ] as const) {
    t.ok(Math.abs(counts.get(name)! / 20_000 - share) < 0.02, `${name}: ${counts.get(name)}`);
  }
});

t.test('without any weight nothing is chosen', async (t) => {
  t.equal(weightedRoutes([0, 0]).choose(plain, { random: () => 0.5, runtime: none }), null);
});

t.test('runtime values take the place of weights, and follow their changes', async (t) => {
  const routes = weightedRoutes([100, 0], 'split');
  const runtime = new Map<string, number>();
  const chosen = () => routes.choose(plain, { random: () => 0.5, runtime })?.name;
  t.equal(chosen(), 'c0');
  runtime.set('split.c0', 0).set('split.c1', 5);
  t.equal(chosen(), 'c1');
  runtime.set('split.c1', -1);
  t.equal(chosen(), undefined, 'a negative weight is no weight: the configured 0 stands');
});

t.test('a number in a header of the request takes the place of chance', async (t) => {
  const routes = weightedRoutes([1, 0, 3], '', { randomValueHeader: 'X-Sticky' });
  const at = (...values: string[]) => {
    const headers = values.map((value) => ['x-sticky', value] as const);
    return routes.choose(request({ headers }), { random: () => 0.9, runtime: none })?.name;
  };
  t.equal(at('0'), 'c0');
  t.equal(at('1'), 'c2');
  t.equal(at('8'), 'c0', 'of a number only what is left when it is divided by the sum of weights');
  t.equal(at('18446744073709551612'), 'c0');
  for (const values of [[], [''], ['a'], ['-4'], ['1.5'], ['0', '0'], ['18446744073709551616']]) {
    t.equal(at(...values), 'c2', `by chance with ${JSON.stringify(values)}`);
  }
});

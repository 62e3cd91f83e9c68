import fc from 'fast-check';
import t from 'tap';
import type { Endpoint } from '../../../config/endpoint.ts';
import type { Balancer } from '../../../proxy/cluster/balancer.ts';
import { EndpointRuntime, type ResolvedEndpoint } from '../../../proxy/cluster/endpoint-runtime.ts';
import { buildRoundRobin, buildWeightedRoundRobin } from '../../../proxy/cluster/round-robin.ts';
import { makeContext, makeEndpoint, makeOwner, seededRandom } from '../../support/cluster-fixtures.ts';

const weighing = (...weights: readonly number[]) =>
  weights.map((weight, at) => makeEndpoint(`10.0.0.${at + 1}`, { weight }));

function endpointsOf(configs: readonly Endpoint[]): EndpointRuntime[] {
  const place = { locality: { region: '', zone: '', subZone: '' }, priority: 0 };
  const owner = makeOwner();
  return configs.map((config, at) => new EndpointRuntime(`${at + 1}`, config as ResolvedEndpoint, { place, owner }));
}

/** How often each of `endpoints` was chosen. */
function count(balancer: Balancer, endpoints: readonly EndpointRuntime[], choices: number): number[] {
  const chosen = Array.from({ length: choices }, () => balancer.choose(makeContext()));
  return endpoints.map((endpoint) => chosen.filter((each) => each === endpoint).length);
}

t.test('every endpoint comes once a turn', (t) => {
  const endpoints = endpointsOf(weighing(1, 1, 1, 1, 1));
  t.same(count(buildRoundRobin(endpoints, seededRandom(7)), endpoints, 20), [4, 4, 4, 4, 4]);
  t.end();
});

t.test('weighted it serves exactly by weight in every window, in any order of weights', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 5 }),
      (weights, rounds) => {
        const endpoints = endpointsOf(weighing(...weights));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const counts = count(buildRoundRobin(endpoints, seededRandom(7)), endpoints, total * rounds);
        return weights.every((weight, at) => Math.abs(counts[at]! - weight * rounds) <= 1);
      },
    ),
  );
  t.end();
});

t.test('weighted it spreads the heavy endpoint out', (t) => {
  const balancer = buildRoundRobin(endpointsOf(weighing(2, 1, 1)), seededRandom(7));
  const order = Array.from({ length: 40 }, () => balancer.choose(makeContext())!.key).join('');
  t.match(order, /^.{0,3}(2311)+.{0,3}$/);
  t.end();
});

t.test('turns begin at different endpoints', (t) => {
  const endpoints = endpointsOf(weighing(1, 1, 1, 1));
  const firsts = new Set<EndpointRuntime | null>();
  for (let seed = 0; seed < 40; seed++) {
    firsts.add(buildRoundRobin(endpoints, seededRandom(seed)).choose(makeContext()));
  }
  t.equal(firsts.size, 4);
  t.end();
});

t.test('weights that are given take the place of those of the endpoints, until others are given', (t) => {
  const endpoints = endpointsOf(weighing(1, 1, 1));
  const weights = Float64Array.of(0.5, 1, 0.5);
  const balancer = buildWeightedRoundRobin(endpoints, weights, seededRandom(7));
  weights.fill(9);
  t.same(count(balancer, endpoints, 80), [20, 40, 20], 'a copy of them');
  balancer.reweigh(Float64Array.of(1, 1, 2));
  const counts = count(balancer, endpoints, 80);
  for (const [at, expected] of [20, 20, 40].entries()) t.ok(Math.abs(counts[at]! - expected) <= 1, `${counts}`);
  t.end();
});

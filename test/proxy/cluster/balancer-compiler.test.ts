import t from 'tap';
import type { LoadBalancer } from '../../../config/cluster.ts';
import type { LocalityEndpoints } from '../../../config/endpoint.ts';
import type { Balancer } from '../../../proxy/cluster/balancer.ts';
import { compileBalancer } from '../../../proxy/cluster/balancer-compiler.ts';
import { buildEndpointSet } from '../../../proxy/cluster/endpoint-set.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import {
  makeAssignment,
  makeContext,
  makeEndpoint,
  makeLocality,
  makeOwner,
  seededRandom,
} from '../../support/cluster-fixtures.ts';

type Policy = LoadBalancer['policy'];
const roundRobin: Policy = { kind: 'round-robin' };
const leastRequest: Policy = { kind: 'least-request', choiceCount: 2, activeRequestBias: 1 };
const random: Policy = { kind: 'random' };

function compile(localities: readonly LocalityEndpoints[], policy: Policy, given: { localityWeighted?: boolean } = {}) {
  const owner = makeOwner();
  const set = buildEndpointSet(makeAssignment(localities), {
    owner,
    previous: [],
    isKeyedByName: false,
    panicThresholdPercent: 50,
    localityWeighted: given.localityWeighted ?? false,
  });
  return { set, owner, balancer: compileBalancer(set, { policy, random: seededRandom(7), clock: () => 0, owner }) };
}

/** How often each endpoint was chosen, by key. */
function count(balancer: Balancer, choices: number): Map<string, number> {
  const context = makeContext();
  const counts = new Map<string, number>();
  for (let choice = 0; choice < choices; choice++) {
    const { key } = balancer.choose(context)!;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

const addresses = (n: number) => Array.from({ length: n }, (_, i) => makeEndpoint(`10.0.0.${i + 1}`));

t.test('a cluster without endpoints has no choice', (t) => {
  for (const policy of [roundRobin, leastRequest, random]) {
    t.equal(compile([], policy).balancer.choose(makeContext()), null);
    t.equal(compile([makeLocality([])], policy).balancer.choose(makeContext()), null);
  }
  t.equal(compile([makeLocality(addresses(2))], { kind: 'cluster-provided' }).balancer.choose(makeContext()), null);
  t.end();
});

t.test('least request is compiled with the numbers of the policy', (t) => {
  const { balancer, set } = compile([makeLocality(addresses(2))], { ...leastRequest, choiceCount: 30 });
  set.endpoints[0]!.activeRequests = 1;
  t.same([...count(balancer, 50).keys()], ['10.0.0.2:80'], 'of thirty draws one meets the idle endpoint');
  t.end();
});

t.test('random takes every endpoint about equally often, whatever its weight', (t) => {
  const endpoints = [makeEndpoint('10.0.0.1', { weight: 100 }), makeEndpoint('10.0.0.2'), makeEndpoint('10.0.0.3')];
  const { balancer } = compile([makeLocality(endpoints)], random);
  for (const times of count(balancer, 9000).values()) t.ok(Math.abs(times - 3000) < 200, `${times}`);
  t.end();
});

t.test('localities are taken by weight, endpoints within them by policy', (t) => {
  const { balancer } = compile(
    [
      makeLocality([makeEndpoint('10.0.0.1'), makeEndpoint('10.0.0.2')], { weight: 3 }),
      makeLocality([makeEndpoint('10.0.1.1')], { weight: 1 }),
    ],
    roundRobin,
    { localityWeighted: true },
  );
  const counts = count(balancer, 800);
  t.same([counts.get('10.0.0.1:80'), counts.get('10.0.0.2:80'), counts.get('10.0.1.1:80')], [300, 300, 200]);
  t.end();
});

t.test('priorities are taken by their load', (t) => {
  const failing = Array.from({ length: 4 }, (_, i) =>
    makeEndpoint(`10.0.0.${i + 1}`, { health: i < 2 ? 'healthy' : 'unhealthy' }),
  );
  const { balancer } = compile(
    [makeLocality(failing), makeLocality([makeEndpoint('10.1.0.1')], { priority: 1 })],
    roundRobin,
  );
  const spilled = count(balancer, 10_000).get('10.1.0.1:80')!;
  t.ok(Math.abs(spilled - 3000) < 200, `${spilled} of 10000 spilled over`);
  t.end();
});

t.test('every choice in panic is counted', (t) => {
  const { balancer, owner } = compile([makeLocality([makeEndpoint('10.0.0.1', { health: 'unhealthy' })])], random);
  count(balancer, 3);
  t.equal(owner.stats.get(clusterStats.lbHealthyPanic), 3);
  t.end();
});

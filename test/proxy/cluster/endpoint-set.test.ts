import t from 'tap';
import type { LoadAssignment } from '../../../config/endpoint.ts';
import { buildEndpointSet, type EndpointSet, type EndpointSetOptions } from '../../../proxy/cluster/endpoint-set.ts';
import { makeAssignment, makeEndpoint, makeLocality, makeOwner } from '../../support/cluster-fixtures.ts';

const build = (assignment: LoadAssignment, given: Partial<EndpointSetOptions> = {}) =>
  buildEndpointSet(assignment, {
    owner: makeOwner(),
    previous: [],
    isKeyedByName: false,
    panicThresholdPercent: 50,
    localityWeighted: false,
    ...given,
  });

const keys = (endpoints: EndpointSet['endpoints']) => endpoints.map((endpoint) => endpoint.key);

t.test('groups endpoints by priority and health', (t) => {
  const set = build(
    makeAssignment([
      makeLocality([
        makeEndpoint('10.0.0.1'),
        makeEndpoint('10.0.0.2', { health: 'healthy' }),
        makeEndpoint('10.0.0.3', { health: 'unhealthy' }),
        makeEndpoint('10.0.0.4', { health: 'degraded' }),
      ]),
      makeLocality([makeEndpoint('10.0.2.1')], { priority: 2 }),
      makeLocality([makeEndpoint('10.0.0.5', { health: 'draining' }), makeEndpoint('10.0.0.6', { health: 'timeout' })]),
    ]),
  );
  t.equal(set.endpoints.length, 7);
  t.equal(set.priorities.length, 3, 'the priority that was left out is there, and empty');
  t.same(keys(set.priorities[0]!.healthy), ['10.0.0.1:80', '10.0.0.2:80']);
  t.same(keys(set.priorities[0]!.degraded), ['10.0.0.4:80']);
  t.equal(set.priorities[0]!.all.length, 6);
  t.same(set.priorities[1]!.all, []);
  t.same(keys(set.priorities[2]!.healthy), ['10.0.2.1:80']);
  t.same(
    set.shares.map((share) => [share.percent, keys(share.endpoints)]),
    [
      [46, ['10.0.0.1:80', '10.0.0.2:80']],
      [54, ['10.0.2.1:80']],
    ],
  );
  t.end();
});

t.test('in panic all endpoints of a priority take the load', (t) => {
  const [share, ...others] = build(
    makeAssignment([
      makeLocality([
        makeEndpoint('10.0.0.1', { health: 'unhealthy' }),
        makeEndpoint('10.0.0.2', { health: 'timeout' }),
      ]),
    ]),
  ).shares;
  t.same(others, []);
  t.match(share, { percent: 100, isInPanic: true, localities: null });
  t.same(keys(share!.endpoints), ['10.0.0.1:80', '10.0.0.2:80']);
  t.end();
});

t.test('weights of localities follow their availability', (t) => {
  const assignment = makeAssignment([
    makeLocality([makeEndpoint('10.0.0.1'), makeEndpoint('10.0.0.2', { health: 'unhealthy' })], { weight: 100 }),
    makeLocality([makeEndpoint('10.0.1.1')], { weight: 30 }),
    makeLocality([makeEndpoint('10.0.2.1')], { weight: 0 }),
    makeLocality([makeEndpoint('10.0.3.1', { health: 'unhealthy' })], { weight: 1000 }),
    makeLocality([], { weight: 1000 }),
  ]);
  const weigh = (localityWeighted: boolean) =>
    build(assignment, { localityWeighted }).shares.map(({ localities }) =>
      localities === null ? null : localities.map(({ weight, endpoints }) => [weight, keys(endpoints)]),
    );
  t.same(weigh(true), [
    [
      [70, ['10.0.0.1:80']],
      [30, ['10.0.1.1:80']],
    ],
  ]);
  t.same(weigh(false), [null]);
  t.end();
});

t.test('without any locality weight the endpoints are one list', (t) => {
  const [share] = build(makeAssignment([makeLocality([makeEndpoint('10.0.0.1')])]), { localityWeighted: true }).shares;
  t.equal(share!.localities, null);
  t.equal(share!.endpoints.length, 1);
  t.end();
});

t.test('an address that is listed twice counts once, at its first place', (t) => {
  const set = build(
    makeAssignment([
      makeLocality([makeEndpoint('10.0.0.1', { weight: 5 }), makeEndpoint('10.0.0.1', { weight: 7 })]),
      makeLocality([makeEndpoint('10.0.0.1')], { priority: 1 }),
    ]),
  );
  t.same(
    set.endpoints.map((endpoint) => [endpoint.key, endpoint.weight, endpoint.priority]),
    [['10.0.0.1:80', 5, 0]],
  );
  t.end();
});

t.test('endpoints that stay are the same objects with the new facts; those that go are told', (t) => {
  const first = build(makeAssignment([makeLocality([makeEndpoint('10.0.0.1'), makeEndpoint('10.0.0.2')])]));
  const [staying, going] = first.endpoints;
  staying!.activeRequests = 3;
  let drained = 0;
  const pools = { drain: () => drained++ };
  staying!.pools = pools;
  going!.pools = pools;
  const moved = makeLocality([makeEndpoint('10.0.0.1', { weight: 9, health: 'degraded' }), makeEndpoint('10.0.0.3')], {
    zone: 'b',
    priority: 1,
  });
  const second = build(makeAssignment([moved]), { previous: first.endpoints });
  t.equal(second.endpoints[0], staying);
  t.match(staying, { weight: 9, health: 'degraded', priority: 1, locality: { zone: 'b' }, activeRequests: 3, pools });
  t.equal(staying!.isRemoved, false);
  t.equal(going!.isRemoved, true);
  t.equal(going!.pools, null);
  t.equal(drained, 1);
  t.end();
});

t.test('an endpoint keyed by name keeps its pools when its address changes', (t) => {
  const named = (ip: string) => makeAssignment([makeLocality([{ ...makeEndpoint(ip), hostname: 'fruit.test' }])]);
  const first = build(named('10.0.0.1'), { isKeyedByName: true });
  const pools = { drain: () => t.fail('drained') };
  first.endpoints[0]!.pools = pools;
  const second = build(named('10.0.0.2'), { isKeyedByName: true, previous: first.endpoints });
  t.equal(second.endpoints[0], first.endpoints[0]);
  t.match(second.endpoints[0], { key: 'fruit.test:80', addressText: '10.0.0.2:80', pools });
  t.end();
});

t.test('names that discovery has not resolved are no endpoints', (t) => {
  const host = { ...makeEndpoint('0.0.0.0'), address: { kind: 'host', hostname: 'fruit.test', port: 80 } as const };
  t.same(build(makeAssignment([makeLocality([host])])).endpoints, []);
  t.end();
});

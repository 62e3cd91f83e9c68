import t from 'tap';
import type { Cluster } from '../../../config/cluster.ts';
import { emptySnapshot } from '../../../config/snapshot.ts';
import { explainCluster } from '../../../proxy/admin/explained-cluster.ts';
import { makeAssignment, makeCluster, makeEndpoint, makeLocality } from '../../support/cluster-fixtures.ts';

function snapshotOf(...clusters: Cluster[]) {
  return { ...emptySnapshot, clusters: new Map(clusters.map((cluster) => [cluster.name, cluster])) };
}

t.test('endpoints have their health, and those that take requests are counted', (t) => {
  const endpoints = [
    makeEndpoint('10.0.0.1', { port: 80, health: 'unknown' }),
    makeEndpoint('10.0.0.2', { port: 80, health: 'unhealthy', weight: 3 }),
    makeEndpoint('10.0.0.3', { port: 80, health: 'degraded' }),
  ];
  const assignment = makeAssignment([makeLocality(endpoints, { weight: 1, priority: 1 })]);
  const cluster = makeCluster({ name: 'a', discovery: { kind: 'static', assignment } });
  const explained = explainCluster(snapshotOf(cluster), { name: 'a', weight: 5 });
  t.match(explained, { name: 'a', weight: 5, isKnown: true, endpointCount: 3, usableCount: 2 });
  t.same(
    explained.endpoints.map(({ isUsable }) => isUsable),
    [true, false, true],
  );
  t.same(explained.words, [
    'cluster "a" (weight 5): 2 of 3 endpoints are usable',
    '  10.0.0.1:80 healthy, weight 1, priority 1',
    '  10.0.0.2:80 unhealthy, weight 3, priority 1',
    '  10.0.0.3:80 degraded, weight 1, priority 1',
  ]);
  t.end();
});

t.test('of many endpoints some are listed', (t) => {
  const endpoints = Array.from({ length: 60 }, (_, index) => makeEndpoint(`10.0.0.${index}`, { port: 80 }));
  const discovery = { kind: 'static', assignment: makeAssignment([makeLocality(endpoints, { weight: 1 })]) } as const;
  const {
    endpointCount,
    endpoints: listed,
    words,
  } = explainCluster(snapshotOf(makeCluster({ name: 'a', discovery })), { name: 'a' });
  t.same([endpointCount, listed.length, words.at(-1)], [60, 50, '  and 10 more']);
  t.end();
});

t.test('a cluster without endpoints, one that is not there, and one without a name say what is answered', (t) => {
  const empty = makeCluster({ name: 'a', discovery: { kind: 'static', assignment: makeAssignment([]) } });
  const words = (name: string, missingStatus?: number) =>
    explainCluster(snapshotOf(empty), { name, ...(missingStatus !== undefined && { missingStatus }) }).words;
  t.same(words('a'), ['cluster "a": 0 of 0 endpoints are usable: the answer is 503 (UH)']);
  t.same(words('b', 404), ['cluster "b" is not there: the answer is 404 (NC)']);
  t.same(words('b'), ['cluster "b" is not there: the connection is closed']);
  t.same(words('', 503), ['no cluster: the header that names it is missing: the answer is 503 (NC)']);
  t.end();
});

import t from 'tap';
import type { Cluster } from '../../../config/cluster.ts';
import { circuitBreakerStats, clusterDiscoveryStats, clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import type { SeriesGroup } from '../../../proxy/telemetry/stat-group.ts';
import type { StatPredicate } from '../../../proxy/telemetry/stats-matcher.ts';
import { everyStat, type StatsQuery } from '../../../proxy/telemetry/stats-query.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { statsJson, statsText } from '../../../proxy/telemetry/stats-text.ts';
import {
  type ConfiguredClusters,
  groupsWithUncalled,
  uncalledMembers,
} from '../../../proxy/telemetry/uncalled-clusters.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { makeAssignment, makeCluster, makeEndpoint, makeLocality } from '../../support/cluster-fixtures.ts';

const members = makeAssignment([
  makeLocality([makeEndpoint('10.0.0.1'), makeEndpoint('10.0.0.2', { health: 'draining' })]),
  makeLocality([makeEndpoint('10.0.0.3', { health: 'degraded' }), makeEndpoint('10.0.0.4', { health: 'healthy' })]),
]);

function configured(clusters: readonly Cluster[], resolved = clusters): ConfiguredClusters {
  return {
    clusters: new Map(clusters.map((cluster) => [cluster.name, cluster])),
    assignments: new Map(resolved.map(({ name }) => [name, members])),
  };
}

function storeWith(predicate: StatPredicate | null = null) {
  const store = new StatsStore(predicate);
  return { store, worker: new WorkerStats((message) => store.accept(0, message)) };
}

function lines(store: StatsStore, clusters: ConfiguredClusters | null, query: StatsQuery = everyStat): string[] {
  const source = { texts: () => store.texts(), groups: groupsWithUncalled(store, clusters) };
  return [...statsText(source, query)].join('').trimEnd().split('\n');
}

const usedOnly = { ...everyStat, usedOnly: true };

t.test('a cluster that nobody has called has its members, and zeros', (t) => {
  const { store } = storeWith();
  const text = lines(store, configured([makeCluster({ name: 'a' })]));
  for (const line of [
    'cluster.a.membership_total: 4',
    'cluster.a.membership_healthy: 2',
    'cluster.a.membership_degraded: 1',
    'cluster.a.upstream_rq_total: 0',
    'cluster.a.upstream_cx_active: 0',
    'cluster.a.circuit_breakers.default.rq_open: 0',
    'cluster.a.circuit_breakers.high.cx_open: 0',
    'cluster.a.upstream_cx_connect_ms: No recorded values',
  ]) {
    t.ok(text.includes(line), line);
  }
  const names = text.map((line) => line.replace(/: .*/, ''));
  for (const name of ['upstream_rq_2xx', 'upstream_rq_time', 'circuit_breakers.default.remaining_cx']) {
    t.notOk(names.includes(`cluster.a.${name}`), `${name} comes with what it tells of`);
  }
  t.same(lines(store, configured([makeCluster({ name: 'a' })]), usedOnly), [
    'cluster.a.membership_degraded: 1',
    'cluster.a.membership_healthy: 2',
    'cluster.a.membership_total: 4',
  ]);
  t.end();
});

t.test('members that are not known yet are no used statistics', (t) => {
  const { store } = storeWith();
  t.same(lines(store, configured([makeCluster({ name: 'a' })], []), usedOnly), ['']);
  t.same(lines(store, null), [''], 'before there is a configuration');
  t.end();
});

t.test('what remains of circuit breakers is said where it is asked for', (t) => {
  const { store } = storeWith();
  const breaker = {
    maxConnections: 7,
    maxPendingRequests: 8,
    maxRequests: 9,
    maxRetries: 3,
    trackRemaining: true,
  };
  const cluster = makeCluster({
    name: 'a',
    circuitBreakers: { default: breaker, high: { ...breaker, retryBudget: { percent: 20, minConcurrency: 3 } } },
  });
  t.same(lines(store, configured([cluster], []), usedOnly), [
    'cluster.a.circuit_breakers.default.remaining_cx: 7',
    'cluster.a.circuit_breakers.default.remaining_pending: 8',
    'cluster.a.circuit_breakers.default.remaining_retries: 3',
    'cluster.a.circuit_breakers.default.remaining_rq: 9',
    'cluster.a.circuit_breakers.high.remaining_cx: 7',
    'cluster.a.circuit_breakers.high.remaining_pending: 8',
    'cluster.a.circuit_breakers.high.remaining_retries: 0',
    'cluster.a.circuit_breakers.high.remaining_rq: 9',
  ]);
  t.end();
});

t.test('each name is there once: what a thread counts is in place of what is configured', (t) => {
  const { store, worker } = storeWith();
  worker.block(clusterStats, 'b').set(clusterStats.membershipTotal, 1);
  worker.block(circuitBreakerStats.default, 'b');
  worker.block(clusterDiscoveryStats, 'a').inc(clusterDiscoveryStats.updateSuccess);
  const clusters = ['c', 'b', 'a', 'shared'].map((name) => makeCluster({ name }));
  const all = configured([...clusters, makeCluster({ name: 'alias', statName: 'shared' })]);
  const names = lines(store, all).map((line) => line.replace(/: .*/, ''));
  t.equal(new Set(names).size, names.length);
  const totals = lines(store, all, usedOnly).filter((line) => /membership_total|update_success/.test(line));
  t.same(totals, [
    'cluster.a.membership_total: 4',
    'cluster.a.update_success: 1',
    'cluster.b.membership_total: 1',
    'cluster.c.membership_total: 4',
    'cluster.shared.membership_total: 4',
  ]);
  t.end();
});

t.test('names that are equal once they are written are there once, and what discovery counts is in order', (t) => {
  const { store, worker } = storeWith();
  worker.block(clusterStats, 'a_b');
  worker.block(clusterDiscoveryStats, 'd');
  const all = configured(['a:b', 'a_b', 'd'].map((name) => makeCluster({ name })));
  const names = lines(store, all)
    .filter((line) => !line.endsWith('No recorded values'))
    .map((line) => line.replace(/: .*/, ''));
  t.equal(new Set(names).size, names.length);
  const own = names.filter((name) => /^cluster\.d\.[^.]+$/.test(name));
  t.ok(own.includes('cluster.d.update_attempt') && own.includes('cluster.d.upstream_rq_total'));
  t.same(own, own.toSorted());
  t.ok(names.includes('cluster.d.circuit_breakers.high.cx_open'));
  t.end();
});

t.test('one that is called while an answer is written is there once, and so is one of the same name', (t) => {
  const { store, worker } = storeWith();
  const clusters = ['d', 'b', 'a:x', 'a_x', 'c'].map((name) => makeCluster({ name }));
  const groups = groupsWithUncalled(store, configured(clusters));
  const whole = (walk: Iterable<SeriesGroup>) =>
    [...walk].filter(({ scope }) => scope.template === clusterStats.scope.template);
  const prefixes = (walk: readonly SeriesGroup[]) => walk.map(({ prefix }) => prefix);
  const all = ['cluster.a_x.', 'cluster.b.', 'cluster.c.', 'cluster.d.'];
  t.same(prefixes(whole(groups())), all);
  const called = [worker.block(clusterStats, 'b'), worker.block(clusterStats, 'a_x')];
  const second = whole(groups());
  t.same(prefixes(second), all);
  t.equal(second[0], store.get(clusterStats, 'a_x'), 'what it counts, not zeros');
  t.equal(second[1], store.get(clusterStats, 'b'));
  for (const block of called) worker.release(block);
  t.same(prefixes(whole(groups())), all, 'and again uncalled');
  t.end();
});

t.test('clusters are put in order once an answer', (t) => {
  const { store } = storeWith();
  const clusters = configured(['b', 'a'].map((name) => makeCluster({ name })));
  let walks = 0;
  const counted = {
    ...clusters,
    get clusters() {
      walks++;
      return clusters.clusters;
    },
  };
  const source = { texts: () => store.texts(), groups: groupsWithUncalled(store, counted) };
  const text = [...statsText(source, everyStat)].join('');
  t.match(text, /cluster\.a\.upstream_rq_total: 0\n(.|\n)*cluster\.a\.upstream_cx_connect_ms: No/);
  t.equal(walks, 1);
  t.end();
});

t.test('a stats_matcher and a filter choose among them', (t) => {
  const matched = storeWith((_, name) => !name.includes('membership_healthy'));
  const filtered = { ...usedOnly, accepts: (name: string) => name.includes('membership_') };
  t.same(lines(matched.store, configured([makeCluster({ name: 'a' })]), filtered), [
    'cluster.a.membership_degraded: 1',
    'cluster.a.membership_total: 4',
  ]);
  const { store } = storeWith();
  const source = {
    texts: () => store.texts(),
    groups: groupsWithUncalled(store, configured([makeCluster({ name: 'a' })])),
  };
  t.strictSame(JSON.parse([...statsJson(source, usedOnly)].join('')).stats, [
    { name: 'cluster.a.membership_degraded', value: 1 },
    { name: 'cluster.a.membership_healthy', value: 2 },
    { name: 'cluster.a.membership_total', value: 4 },
  ]);
  t.end();
});

t.test('members alone are told of as many clusters as there is room for', (t) => {
  const { store, worker } = storeWith();
  worker.block(clusterStats, 'c1');
  const clusters = configured(['c3', 'c1', 'c4', 'c2'].map((name) => makeCluster({ name })));
  const told = (groups: readonly SeriesGroup[]) =>
    groups.map((group) => [
      group.labels,
      group.scope.stats.filter((_, index) => group.isShown(index)).map(({ name }) => name),
    ]);
  const gauges = ['membership_total', 'membership_healthy', 'membership_degraded'];
  t.same(told(uncalledMembers(store, clusters, 6)), [
    ['envoy_cluster_name="c2"', gauges],
    ['envoy_cluster_name="c3"', gauges],
  ]);
  t.equal(uncalledMembers(store, clusters, 1000).length, 3);
  t.same(uncalledMembers(store, clusters, 2), []);
  t.same(uncalledMembers(store, clusters, -5), [], 'the budget is used up');
  t.end();
});

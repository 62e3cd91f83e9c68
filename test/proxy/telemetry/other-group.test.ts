import t from 'tap';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { OtherGroup, ReturnedGroup } from '../../../proxy/telemetry/other-group.ts';
import type { StatGroup } from '../../../proxy/telemetry/stat-group.ts';
import { StatTotals } from '../../../proxy/telemetry/stat-totals.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const { upstreamRqTotal, upstreamRqCode, upstreamRqTime, upstreamCxActive } = clusterStats;

function fixture() {
  const store = new StatsStore();
  const worker = new WorkerStats((message) => store.accept(0, message));
  const block = worker.block(clusterStats, 'a');
  const count = () => {
    block.inc(upstreamRqTotal);
    block.incCode(upstreamRqCode, 200);
    block.record(upstreamRqTime, 5);
    block.inc(upstreamCxActive);
  };
  return { count, group: store.get(clusterStats, 'a')!, other: new OtherGroup(clusterStats.scope, ['other']) };
}

function totalsOf(group: StatGroup): StatTotals {
  const totals = new StatTotals(group.scope);
  totals.add(group);
  return totals;
}

t.test('it is called other in place of its names', (t) => {
  const { other } = fixture();
  t.equal(other.prefix, 'cluster.other.');
  t.equal(other.labels, 'envoy_cluster_name="other"');
  t.end();
});

t.test('what nobody is to see of a member is not in the sum', (t) => {
  const store = new StatsStore((_, name) => !name.startsWith('cluster.secret.'));
  const worker = new WorkerStats((message) => store.accept(0, message));
  const other = new OtherGroup(clusterStats.scope, ['other']);
  for (const [name, requests] of [
    ['secret', 5],
    ['b', 2],
  ] as const) {
    worker.block(clusterStats, name).add(upstreamRqTotal, requests);
    other.add(store.get(clusterStats, name)!, null);
  }
  t.equal(other.value(upstreamRqTotal), 2);
  other.remove(store.get(clusterStats, 'secret')!, new StatTotals(clusterStats.scope));
  t.equal(other.value(upstreamRqTotal), 2, 'nor when it leaves');
  t.end();
});

t.test('of a group that had series it counts what comes, of a new one all', (t) => {
  for (const [hadSeries, expected] of [
    [true, 1],
    [false, 2],
  ] as const) {
    const { count, group, other } = fixture();
    count();
    other.add(group, hadSeries ? totalsOf(group) : null);
    count();
    t.equal(other.value(upstreamRqTotal), expected);
    t.equal(other.codes(upstreamRqCode).get(200), expected);
    t.equal(other.histogram(upstreamRqTime).count, expected);
    t.equal(other.value(upstreamCxActive), 2, 'a gauge is what is now');
    t.equal(other.series, 4);
  }
  t.end();
});

t.test('what a group counted stays when it leaves, and is left out of its own series', (t) => {
  const { count, group, other } = fixture();
  count();
  other.add(group, totalsOf(group));
  count();
  const counted = new StatTotals(group.scope);
  other.remove(group, counted);
  count();
  t.equal(other.value(upstreamRqTotal), 1);
  t.equal(other.codes(upstreamRqCode).get(200), 1);
  t.equal(other.histogram(upstreamRqTime).count, 1);
  t.equal(other.value(upstreamCxActive), 0);
  t.equal(other.series, 4, 'a series that was there does not vanish');
  const returned = new ReturnedGroup(group, counted, group);
  t.equal(returned.value(upstreamRqTotal), 2);
  t.equal(returned.codes(upstreamRqCode).get(200), 2);
  t.equal(returned.histogram(upstreamRqTime).count, 2);
  t.equal(returned.value(upstreamCxActive), 3);
  t.equal(returned.labels, 'envoy_cluster_name="a"');
  t.end();
});

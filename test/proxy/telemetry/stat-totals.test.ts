import t from 'tap';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { StatTotals } from '../../../proxy/telemetry/stat-totals.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const { upstreamRqTotal, upstreamRqCode, upstreamRqTime, upstreamCxActive, upstreamRqTimeout } = clusterStats;

function fixture() {
  const store = new StatsStore();
  const block = new WorkerStats((message) => store.accept(0, message)).block(clusterStats, 'a');
  const count = (amount: number) => {
    block.add(upstreamRqTotal, amount);
    block.incCode(upstreamRqCode, 200);
    block.record(upstreamRqTime, amount);
    block.inc(upstreamCxActive);
  };
  return { count, group: store.get(clusterStats, 'a')! };
}

t.test('totals hold what was counted when they were taken, and nothing of gauges', (t) => {
  const { count, group } = fixture();
  count(3);
  const totals = new StatTotals(clusterStats.scope);
  totals.add(group);
  count(4);
  t.equal(totals.value(upstreamRqTotal), 3);
  t.equal(totals.codes(upstreamRqCode).get(200), 1);
  t.equal(totals.histogram(upstreamRqTime)?.sum, 3);
  t.equal(Math.abs(totals.value(upstreamCxActive)), 0);
  t.ok(totals.isUsed(upstreamRqTime));
  t.notOk(totals.isUsed(upstreamRqTimeout));
  t.equal(totals.histogram(upstreamRqTimeout), undefined);
  t.end();
});

t.test('what had been counted earlier can be left out', (t) => {
  const { count, group } = fixture();
  count(3);
  const earlier = new StatTotals(clusterStats.scope);
  earlier.add(group);
  count(4);
  const totals = new StatTotals(clusterStats.scope);
  totals.add(group, earlier);
  totals.add(group, earlier);
  t.equal(totals.value(upstreamRqTotal), 8);
  t.equal(totals.codes(upstreamRqCode).get(200), 2);
  t.equal(totals.histogram(upstreamRqTime)?.count, 2);
  t.equal(totals.histogram(upstreamRqTime)?.sum, 8);
  t.end();
});

t.test('a reset begins counters and codes again and leaves histograms', (t) => {
  const { count, group } = fixture();
  count(3);
  const totals = new StatTotals(clusterStats.scope);
  totals.add(group);
  totals.resetCounters();
  t.equal(totals.value(upstreamRqTotal), 0);
  t.ok(totals.isUsed(upstreamRqTotal), 'it stays used');
  t.notOk(totals.isUsed(upstreamRqTimeout));
  t.equal(totals.codes(upstreamRqCode).get(200), 0);
  t.equal(totals.histogram(upstreamRqTime)?.count, 1);
  t.end();
});

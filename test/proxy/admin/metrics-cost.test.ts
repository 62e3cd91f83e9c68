import t from 'tap';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { SeriesBudget } from '../../../proxy/telemetry/series-budget.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';

async function adminWithClusters(t: { teardown: (after: () => void) => void }) {
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(0, message));
  for (const name of ['a', 'b', 'c']) stats.block(clusterStats, name).record(clusterStats.upstreamRqTime, 3);
  const budget = new SeriesBudget({ store, stats, maxSeries: 2, clock: () => 0 });
  const admin = await startAdmin({ options: { store, budget } });
  t.teardown(admin.stop);
  return admin;
}

t.test('the text says what the budget did, then which labels and metrics cost most', async (t) => {
  const admin = await adminWithClusters(t);
  const { text } = await admin.get('/metrics/cost');
  t.match(
    text,
    'Of clusters, routes and requests 2 of 2 (--max-stat-series): 1 names have their own, 2 are counted as other',
  );
  t.match(text, /\n {5}2 {7}2 {2}envoy_cluster_name\n/);
  t.match(text, /series samples {2}metric\n {5}2 {6}44 {2}envoy_cluster_upstream_rq_time\n/);
});

t.test('JSON has all of it', async (t) => {
  const admin = await adminWithClusters(t);
  const { text } = await admin.get('/metrics/cost?format=json');
  const cost = JSON.parse(text);
  t.match(cost.budget, { maxSeries: 2, series: 2, names: 1, namesInOther: 2 });
  t.strictSame(cost.metrics[0], { name: 'envoy_cluster_upstream_rq_time', series: 2, samples: 44 });
  t.match(await admin.get('/metrics/cost?format=xml'), { status: 400, text: /^usage: / });
});

t.test('the page leads there', async (t) => {
  const admin = await adminWithClusters(t);
  t.match((await admin.get('/')).text, 'href="metrics/cost"');
});

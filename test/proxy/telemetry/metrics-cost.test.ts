import t from 'tap';
import { clusterStats, countUpstreamResponse } from '../../../proxy/telemetry/cluster-stats.ts';
import { metricsCost } from '../../../proxy/telemetry/metrics-cost.ts';
import { SeriesBudget } from '../../../proxy/telemetry/series-budget.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

function fixture(maxSeries: number) {
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(0, message));
  return { stats, budget: new SeriesBudget({ store, stats, maxSeries, clock: () => 0 }) };
}

t.test('metrics are ranked by what a scrape has of them, labels by the series that have them', (t) => {
  const { stats, budget } = fixture(100);
  for (const name of ['a', 'b"\n']) {
    const cluster = stats.block(clusterStats, name);
    cluster.record(clusterStats.upstreamRqTime, 3);
    countUpstreamResponse(cluster, clusterStats, 200);
  }
  const cost = metricsCost(budget, [{ prefix: 'cluster.a.', bounds: [1, 2] }]);
  t.strictSame(cost.metrics, [
    { name: 'envoy_cluster_upstream_rq_time', series: 2, samples: 5 + 22 },
    { name: 'envoy_cluster_upstream_rq', series: 2, samples: 2 },
    { name: 'envoy_cluster_upstream_rq_completed', series: 2, samples: 2 },
    { name: 'envoy_cluster_upstream_rq_xx', series: 2, samples: 2 },
  ]);
  t.strictSame(cost.labels, [
    { name: 'envoy_cluster_name', values: 2, series: 8 },
    { name: 'envoy_response_code', values: 1, series: 2 },
    { name: 'envoy_response_code_class', values: 1, series: 2 },
  ]);
  t.match(cost, { series: 8, samples: 33, budget: { series: 8, maxSeries: 100, names: 2 } });
  t.end();
});

t.test('what is in other costs its series once', (t) => {
  const { stats, budget } = fixture(3);
  for (const name of ['a', 'b', 'c', 'd']) stats.block(clusterStats, name).inc(clusterStats.upstreamRqTotal);
  const cost = metricsCost(budget, []);
  t.match(cost, { series: 3, budget: { names: 2, namesInOther: 2, seriesOfOther: 1 } });
  t.strictSame(cost.labels, [{ name: 'envoy_cluster_name', values: 3, series: 3 }]);
  t.end();
});

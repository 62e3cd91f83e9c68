import t from 'tap';
import { clusterStats, countUpstreamResponse, externalResponseStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { joinLabels, metricFamilies } from '../../../proxy/telemetry/metric-family.ts';
import { everyStat, type StatsQuery } from '../../../proxy/telemetry/stats-query.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const store = new StatsStore();
const worker = new WorkerStats((message) => store.accept(0, message));
for (const name of ['a', 'b']) {
  const cluster = worker.block(clusterStats, name);
  countUpstreamResponse(cluster, clusterStats, name === 'a' ? 200 : 503);
  cluster.record(clusterStats.upstreamRqTime, 7);
  cluster.set(clusterStats.upstreamCxActive, 3);
}
worker.block(externalResponseStats, 'a').inc(externalResponseStats.upstreamRq2xx);

function found(query: Partial<StatsQuery>) {
  const families = metricFamilies(store, { ...everyStat, usedOnly: true, ...query });
  return families.flatMap(({ name, series }) => [...series].map(({ labels, value }) => `${name}{${labels}} ${value}`));
}

t.test('all series of a metric follow one another: counters, then gauges, then histograms', (t) => {
  t.strictSame(found({}), [
    'envoy_cluster_external_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="a"} 1',
    'envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="a"} 1',
    'envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="b"} 1',
    'envoy_cluster_upstream_rq_completed{envoy_cluster_name="a"} 1',
    'envoy_cluster_upstream_rq_completed{envoy_cluster_name="b"} 1',
    'envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="a"} 1',
    'envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="b"} 1',
    'envoy_cluster_upstream_cx_active{envoy_cluster_name="a"} 3',
    'envoy_cluster_upstream_cx_active{envoy_cluster_name="b"} 3',
    'envoy_cluster_upstream_rq_time{envoy_cluster_name="a"} NaN',
    'envoy_cluster_upstream_rq_time{envoy_cluster_name="b"} NaN',
  ]);
  t.end();
});

t.test('a query chooses by kind, by name and by use', (t) => {
  t.strictSame(found({ type: 'Gauges' }).length, 2);
  t.strictSame(found({ accepts: (name) => name === 'cluster.b.upstream_rq_503' }), [
    'envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="b"} 1',
  ]);
  t.ok(found({ usedOnly: false }).length > 150);
  t.end();
});

t.test('labels are joined where there are some', (t) => {
  t.equal(joinLabels('', ''), '');
  t.equal(joinLabels('a', ''), 'a');
  t.equal(joinLabels('a', 'b'), 'a,b');
  t.end();
});

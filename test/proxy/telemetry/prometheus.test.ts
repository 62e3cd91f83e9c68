import t from 'tap';
import { clusterStats, countUpstreamResponse, externalResponseStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { http1Stats, listenerHttpStats } from '../../../proxy/telemetry/http-stats.ts';
import { listenerWorkerStats } from '../../../proxy/telemetry/listener-stats.ts';
import { prometheusText } from '../../../proxy/telemetry/prometheus.ts';
import { clusterManagerStats } from '../../../proxy/telemetry/server-stats.ts';
import { everyStat } from '../../../proxy/telemetry/stats-query.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const used = { ...everyStat, usedOnly: true, histograms: 'cumulative' } as const;

function fixture() {
  const store = new StatsStore();
  const worker = new WorkerStats((message) => store.accept(0, message));
  return { store, worker };
}

t.test('metrics and labels are those Envoy prints, counters before gauges', (t) => {
  const { store, worker } = fixture();
  for (const name of ['a', 'b']) {
    const cluster = worker.block(clusterStats, name);
    countUpstreamResponse(cluster, clusterStats, 200);
    cluster.inc(clusterStats.upstreamCxActive);
  }
  countUpstreamResponse(worker.block(externalResponseStats, 'a'), externalResponseStats, 404);
  worker.block(listenerHttpStats, '127.0.0.1:80', 'ingress').inc(listenerHttpStats.downstreamRq2xx);
  worker.block(listenerWorkerStats, '127.0.0.1:80', '0').inc(listenerWorkerStats.downstreamCxTotal);
  worker.block(clusterManagerStats).inc(clusterManagerStats.clusterAdded);
  worker.block(http1Stats).inc(http1Stats.responseFlood);
  t.strictSame([...prometheusText(store, used, [])].join('').split('\n'), [
    '# TYPE envoy_cluster_external_upstream_rq counter',
    'envoy_cluster_external_upstream_rq{envoy_response_code="404",envoy_cluster_name="a"} 1',
    '# TYPE envoy_cluster_external_upstream_rq_completed counter',
    'envoy_cluster_external_upstream_rq_completed{envoy_cluster_name="a"} 1',
    '# TYPE envoy_cluster_external_upstream_rq_xx counter',
    'envoy_cluster_external_upstream_rq_xx{envoy_response_code_class="4",envoy_cluster_name="a"} 1',
    '# TYPE envoy_cluster_manager_cluster_added counter',
    'envoy_cluster_manager_cluster_added{} 1',
    '# TYPE envoy_cluster_upstream_rq counter',
    'envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="a"} 1',
    'envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="b"} 1',
    '# TYPE envoy_cluster_upstream_rq_completed counter',
    'envoy_cluster_upstream_rq_completed{envoy_cluster_name="a"} 1',
    'envoy_cluster_upstream_rq_completed{envoy_cluster_name="b"} 1',
    '# TYPE envoy_cluster_upstream_rq_xx counter',
    'envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="a"} 1',
    'envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="b"} 1',
    '# TYPE envoy_http1_response_flood counter',
    'envoy_http1_response_flood{} 1',
    '# TYPE envoy_listener_http_downstream_rq_xx counter',
    'envoy_listener_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="ingress",envoy_listener_address="127.0.0.1_80"} 1',
    '# TYPE envoy_listener_worker_downstream_cx_total counter',
    'envoy_listener_worker_downstream_cx_total{envoy_worker_id="0",envoy_listener_address="127.0.0.1_80"} 1',
    '# TYPE envoy_cluster_upstream_cx_active gauge',
    'envoy_cluster_upstream_cx_active{envoy_cluster_name="a"} 1',
    'envoy_cluster_upstream_cx_active{envoy_cluster_name="b"} 1',
    '',
  ]);
  t.end();
});

t.test('histograms are cumulative buckets with sum and count, in the buckets that are configured', (t) => {
  const { store, worker } = fixture();
  const cluster = worker.block(clusterStats, 'a');
  for (const value of [1, 7, 7000]) cluster.record(clusterStats.upstreamRqTime, value);
  const buckets = [{ prefix: 'cluster.a.', bounds: [1, 10] }];
  t.strictSame([...prometheusText(store, used, buckets)].join('').split('\n'), [
    '# TYPE envoy_cluster_upstream_rq_time histogram',
    'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="a",le="1"} 1',
    'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="a",le="10"} 2',
    'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="a",le="+Inf"} 3',
    'envoy_cluster_upstream_rq_time_sum{envoy_cluster_name="a"} 7008',
    'envoy_cluster_upstream_rq_time_count{envoy_cluster_name="a"} 3',
    '',
  ]);
  const bounds = [...[...prometheusText(store, used, [])].join('').matchAll(/le="([^"]*)"/g)].map(([, bound]) => bound);
  t.equal(
    bounds.join(),
    '0.5,1,5,10,25,50,100,250,500,1000,2500,5000,10000,30000,60000,300000,600000,1800000,3600000,+Inf',
  );
  t.end();
});

t.test('names cannot break out of a label', (t) => {
  const { store, worker } = fixture();
  worker.block(clusterStats, 'a"} 1\n\\').inc(clusterStats.upstreamRqTotal);
  t.equal(
    [...prometheusText(store, used, [])].join(''),
    '# TYPE envoy_cluster_upstream_rq_total counter\n' +
      'envoy_cluster_upstream_rq_total{envoy_cluster_name="a\\"} 1\\n\\\\"} 1\n',
  );
  t.end();
});

t.test('every metric has one TYPE line and its series follow it', (t) => {
  const { store, worker } = fixture();
  for (let number = 0; number < 50; number++) worker.block(clusterStats, `cluster-${number}`);
  const pieces = [...prometheusText(store, everyStat, [])];
  t.ok(pieces.length > 3, 'in pieces');
  const seen = new Set<string>();
  let current = '';
  for (const line of pieces.join('').trimEnd().split('\n')) {
    const type = /^# TYPE (\w+) \w+$/.exec(line);
    if (type !== null) {
      current = type[1]!;
      t.notOk(seen.has(current), current);
      seen.add(current);
    } else {
      t.ok(line.startsWith(current), line);
    }
  }
  t.end();
});

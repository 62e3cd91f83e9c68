import t from 'tap';
import type { StatsTags } from '../../../config/bootstrap.ts';
import { clusterStats, countUpstreamResponse, externalResponseStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { listenerHttpStats } from '../../../proxy/telemetry/http-stats.ts';
import { listenerWorkerStats } from '../../../proxy/telemetry/listener-stats.ts';
import { prometheusText } from '../../../proxy/telemetry/prometheus.ts';
import { serverFirstStats } from '../../../proxy/telemetry/server-first-stats.ts';
import { StatTags } from '../../../proxy/telemetry/stat-tags.ts';
import { everyStat } from '../../../proxy/telemetry/stats-query.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

function linesWith(tags: StatsTags | undefined): readonly string[] {
  const store = new StatsStore();
  const worker = new WorkerStats((message) => store.accept(0, message));
  countUpstreamResponse(worker.block(externalResponseStats, 'outbound|80||a.b;'), externalResponseStats, 200);
  worker.block(clusterStats, 'outbound|80||a.b;').inc(clusterStats.upstreamCxActive);
  worker.block(listenerHttpStats, '127.0.0.1:80', 'ingress').inc(listenerHttpStats.downstreamRq2xx);
  worker.block(listenerWorkerStats, '127.0.0.1:80', '0').inc(listenerWorkerStats.downstreamCxTotal);
  worker.block(serverFirstStats).inc(serverFirstStats.usedTotal);
  const source = { groups: () => store.groups(), tags: tags && new StatTags(tags) };
  const text = [...prometheusText(source, { ...everyStat, usedOnly: true, histograms: 'cumulative' }, [])].join('');
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

const clusterName = { name: 'cluster_name', pattern: /^cluster(\.(.+);)/d };

t.test('default tags find what they always find, and others stand behind them', async (t) => {
  const plain = linesWith(undefined);
  t.same(linesWith({ hasDefaults: true, rules: [] }), plain);
  t.ok(plain.some((line) => line.includes('envoy_response_code_class="2",envoy_http_conn_manager_prefix="ingress"')));
  t.ok(plain.some((line) => line.startsWith('envoy_listener_worker_downstream_cx_total{envoy_worker_id="0"')));
  const zone = linesWith({ hasDefaults: true, rules: [{ name: 'zone.of', value: 'a"b' }] });
  t.ok(
    zone.includes('envoy_cluster_upstream_cx_active{envoy_cluster_name="outbound|80||a.b;",zone_of="a\\"b"} 1'),
    'Envoy’s',
  );
  t.ok(zone.includes('outrigger_server_first_used_total{zone_of="a\\"b"} 1'), 'ours');
});

t.test('without default tags names keep what no pattern takes out', async (t) => {
  const rules = [
    clusterName,
    { name: 'response_code', pattern: /_rq(_(\d{3}))$/d },
    { name: 'response_code_class', pattern: /_rq(_(\dxx))$/d },
    { name: 'whole', pattern: /(external\.)/d },
  ];
  t.same(linesWith({ hasDefaults: false, rules }), [
    'envoy_cluster_upstream_rq{cluster_name="outbound|80||a.b",response_code="200",whole="external."} 1',
    'envoy_cluster_upstream_rq{cluster_name="outbound|80||a.b",response_code_class="2xx",whole="external."} 1',
    'envoy_cluster_upstream_rq_completed{cluster_name="outbound|80||a.b",whole="external."} 1',
    'envoy_listener_127_0_0_1_80_http_ingress_downstream_rq{response_code_class="2xx"} 1',
    'envoy_listener_127_0_0_1_80_worker_0_downstream_cx_total{} 1',
    'outrigger_server_first_used_total{} 1',
    'envoy_cluster_upstream_cx_active{cluster_name="outbound|80||a.b"} 1',
  ]);
});

t.test('parts that two patterns take are taken once', async (t) => {
  const rules = [clusterName, { name: 'port', pattern: /(\|(\d+)\|\|)/d }];
  const lines = linesWith({ hasDefaults: false, rules });
  t.ok(
    lines.includes('envoy_cluster_upstream_cx_active{cluster_name="outbound|80||a.b",port="80"} 1'),
    lines.join('\n'),
  );
});

t.test('letters of any script do not move what is taken out', (t) => {
  const store = new StatsStore();
  const worker = new WorkerStats((message) => store.accept(0, message));
  worker.block(clusterStats, 'a😀b;').inc(clusterStats.upstreamCxActive);
  const tags = new StatTags({ hasDefaults: false, rules: [clusterName] });
  t.same(tags.read(store.groups()[0]!, 'cluster.a😀b;.upstream_cx_active'), {
    name: 'envoy_cluster_upstream_cx_active',
    labels: 'cluster_name="a😀b"',
  });
  t.end();
});

import t from 'tap';
import type { StatsMatcher } from '../../../config/bootstrap.ts';
import { SeriesMemory } from '../../../proxy/export/metrics-points.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { controlPlaneStats } from '../../../proxy/telemetry/discovery-stats.ts';
import { listenerStats } from '../../../proxy/telemetry/listener-stats.ts';
import { metricFamilies } from '../../../proxy/telemetry/metric-family.ts';
import { OtherGroup } from '../../../proxy/telemetry/other-group.ts';
import { openConnections } from '../../../proxy/telemetry/process-stats.ts';
import { requestStats } from '../../../proxy/telemetry/request-stats.ts';
import { SeriesBudget } from '../../../proxy/telemetry/series-budget.ts';
import { StatTotals } from '../../../proxy/telemetry/stat-totals.ts';
import { compileStatsMatcher } from '../../../proxy/telemetry/stats-matcher.ts';
import { everyStat } from '../../../proxy/telemetry/stats-query.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { statsText } from '../../../proxy/telemetry/stats-text.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const identifierPlace = { scope: controlPlaneStats.scope, names: [], name: 'identifier' };

const { upstreamRqTotal, upstreamCxTotal, upstreamRqCode, upstreamRqTime } = clusterStats;
const prefix = (value: string) => ({ kind: 'prefix', value, ignoreCase: false }) as const;

function fixture(matcher: StatsMatcher) {
  const store = new StatsStore(compileStatsMatcher(matcher));
  const stats = new WorkerStats((message) => store.accept(0, message));
  for (const name of ['a', 'b']) {
    const block = stats.block(clusterStats, name);
    block.inc(upstreamRqTotal);
    block.inc(upstreamCxTotal);
    for (const code of [200, 503]) block.incCode(upstreamRqCode, code);
    block.record(upstreamRqTime, 5);
  }
  stats.block(listenerStats, '0.0.0.0_80').inc(listenerStats.downstreamCxActive);
  stats.block(requestStats, ...['service', 'route', 'GET', '2xx', '']).inc(requestStats.requestsTotal);
  store.setText('control_plane.identifier', 'x', identifierPlace);
  return { store, stats };
}

/** Names in the text format, in Prometheus's and in OTLP's. */
function shown(matcher: StatsMatcher) {
  const { store } = fixture(matcher);
  const used = { ...everyStat, usedOnly: true };
  const text = [...statsText(store, used)].join('').split('\n');
  const families = metricFamilies(store, used).flatMap(({ name, series }) =>
    [...series].map(({ labels }) => `${name}{${labels}}`),
  );
  const shape = { countersAsDeltas: false, histogramsAsDeltas: false, buckets: [] };
  const points = new SeriesMemory(shape, 0).take(store.groups(), 1);
  return {
    text: text.map((line) => line.slice(0, line.indexOf(':'))).filter((name) => name !== ''),
    families,
    otlp: points.flatMap(({ scope, index, points }) =>
      points.map(
        ({ group, extra }) => `${group.prefix}${scope.stats[index]!.name}${extra === null ? '' : ` ${extra[1]}`}`,
      ),
    ),
  };
}

t.test('of an inclusion list only what matches is in /stats, Prometheus and OTLP', (t) => {
  const patterns = [
    prefix('cluster.a.upstream_rq'),
    { kind: 'regex', regex: 'cluster\\.b\\..*_503' } as const,
    { kind: 'suffix', value: 'CX_TOTAL', ignoreCase: true } as const,
  ];
  t.same(shown({ kind: 'inclusion', patterns }), {
    text: [
      ...['cluster.a.upstream_cx_total', 'cluster.a.upstream_rq_200', 'cluster.a.upstream_rq_503'],
      ...['cluster.a.upstream_rq_total', 'cluster.b.upstream_cx_total', 'cluster.b.upstream_rq_503'],
      'cluster.a.upstream_rq_time',
    ],
    families: [
      'envoy_cluster_upstream_cx_total{envoy_cluster_name="a"}',
      'envoy_cluster_upstream_cx_total{envoy_cluster_name="b"}',
      'envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="a"}',
      'envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="a"}',
      'envoy_cluster_upstream_rq{envoy_response_code="503",envoy_cluster_name="b"}',
      'envoy_cluster_upstream_rq_total{envoy_cluster_name="a"}',
      'outrigger_requests_total{grpc_status="",status="2xx",method="GET",route="route",service="service"}',
      'envoy_cluster_upstream_rq_time{envoy_cluster_name="a"}',
    ],
    otlp: [
      ...['cluster.a.upstream_cx_total', 'cluster.b.upstream_cx_total', 'cluster.a.upstream_rq_total'],
      ...['cluster.a.upstream_rq 200', 'cluster.a.upstream_rq 503', 'cluster.b.upstream_rq 503'],
      'cluster.a.upstream_rq_time',
      'service.route.GET.2xx..requests_total',
    ],
  });
  t.end();
});

t.test('of an exclusion list what matches is not there, texts included', (t) => {
  const { text } = shown({ kind: 'exclusion', patterns: [prefix('cluster.'), prefix('listener.')] });
  t.same(text, ['control_plane.identifier']);
  const rest = shown({ kind: 'exclusion', patterns: [prefix('cluster.'), prefix('control_plane.')] });
  t.same(rest.text, ['listener.0.0.0.0_80.downstream_cx_active']);
  t.end();
});

t.test('all and nothing', (t) => {
  t.equal(compileStatsMatcher({ kind: 'all' }), null);
  t.same(shown({ kind: 'none' }), { text: [], families: [], otlp: [] }, 'metrics of ours included');
  t.equal(shown({ kind: 'all' }).text.length, 12);
  t.end();
});

t.test('what is not shown is counted: drains wait for connections, and a name answers', (t) => {
  const { store } = fixture({ kind: 'none' });
  t.equal(openConnections(store), 1);
  t.equal(store.get(clusterStats, 'a')!.value(upstreamRqTotal), 1);
  t.end();
});

t.test('what is not shown takes no room in the budget of series', (t) => {
  const { store, stats } = fixture({ kind: 'inclusion', patterns: [prefix('cluster.b.upstream_rq_total')] });
  const budget = new SeriesBudget({ store, stats, maxSeries: 5, clock: () => 0 });
  const names = metricFamilies({ groups: () => budget.groups() }, { ...everyStat, usedOnly: true }).flatMap(
    ({ name, series }) => [...series].map(({ labels }) => `${name}{${labels}}`),
  );
  t.ok(names.includes('envoy_cluster_upstream_rq_total{envoy_cluster_name="b"}'));
  t.notOk(
    names.some((name) => name.includes('other')),
    'nothing was displaced',
  );
  t.end();
});

t.test('other is the sum of what is shown, also of names that are gone', (t) => {
  const { store } = fixture({ kind: 'inclusion', patterns: [prefix('cluster.b.')] });
  const other = new OtherGroup(clusterStats.scope, ['other']);
  const groups = ['a', 'b'].map((name) => store.get(clusterStats, name)!);
  for (const group of groups) other.add(group, null);
  t.equal(other.value(upstreamRqTotal), 1);
  t.equal(other.histogram(upstreamRqTime).count, 1);
  t.same(
    [...other.codes(upstreamRqCode)],
    [
      [200, 1],
      [503, 1],
    ],
  );
  for (const group of groups) other.remove(group, new StatTotals(group.scope));
  t.equal(other.value(upstreamRqTotal), 1);
  t.equal(other.histogram(upstreamRqTime).count, 1);
  t.end();
});

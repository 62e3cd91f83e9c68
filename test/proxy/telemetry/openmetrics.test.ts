import fc from 'fast-check';
import t from 'tap';
import {
  circuitBreakerStats,
  clusterDiscoveryStats,
  clusterStats,
  countUpstreamResponse,
  externalResponseStats,
  routeStats,
} from '../../../proxy/telemetry/cluster-stats.ts';
import { Exemplars } from '../../../proxy/telemetry/exemplars.ts';
import { http1Stats, httpStats, listenerHttpStats, tracingStats } from '../../../proxy/telemetry/http-stats.ts';
import { listenerManagerStats, listenerStats, listenerWorkerStats } from '../../../proxy/telemetry/listener-stats.ts';
import { canonicalNumber, openMetricsText } from '../../../proxy/telemetry/openmetrics.ts';
import { prometheusText } from '../../../proxy/telemetry/prometheus.ts';
import { RequestMetrics } from '../../../proxy/telemetry/request-metrics.ts';
import {
  clusterManagerStats,
  filesystemStats,
  runtimeStats,
  serverStats,
} from '../../../proxy/telemetry/server-stats.ts';
import type { StatSet } from '../../../proxy/telemetry/stats.ts';
import { everyStat, type StatsQuery } from '../../../proxy/telemetry/stats-query.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { tcpStats } from '../../../proxy/telemetry/tcp-stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { parseOpenMetrics } from '../../support/openmetrics-parser.ts';
import { parseExposition } from '../../support/prometheus-parser.ts';

const sets: readonly StatSet[] = [
  ...[circuitBreakerStats.high, clusterDiscoveryStats, clusterManagerStats, externalResponseStats, filesystemStats],
  ...[http1Stats, httpStats, listenerHttpStats, listenerManagerStats, listenerStats],
  ...[listenerWorkerStats, routeStats, runtimeStats, serverStats, tcpStats, tracingStats],
];

const used: StatsQuery = { ...everyStat, usedOnly: true, histograms: 'cumulative' };
const key = { service: 'reviews', route: '/reviews/*', method: 'GET' };

class Fixture {
  readonly store = new StatsStore();
  readonly worker = new WorkerStats((message) => this.store.accept(0, message));
  readonly exemplars = new Exemplars({ maxSeries: 10, buckets: [] });

  text(query = used, buckets: { prefix: string; bounds: number[] }[] = []): string {
    return [...openMetricsText(this.store, query, { buckets, exemplars: this.exemplars })].join('');
  }
}

t.test('samples keep the names they have in the older format, whatever their family is called', (t) => {
  const fixture = new Fixture();
  const cluster = fixture.worker.block(clusterStats, 'a');
  countUpstreamResponse(cluster, clusterStats, 200);
  cluster.inc(clusterStats.upstreamRqTotal);
  cluster.inc(clusterStats.upstreamCxTotal);
  cluster.inc(clusterStats.upstreamCxActive);
  fixture.worker.block(serverStats).set(serverStats.uptime, 3);
  t.strictSame(fixture.text().split('\n'), [
    '# TYPE envoy_cluster_upstream_cx counter',
    'envoy_cluster_upstream_cx_total{envoy_cluster_name="a"} 1',
    '# TYPE envoy_cluster_upstream_rq unknown',
    'envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="a"} 1',
    '# TYPE envoy_cluster_upstream_rq_completed unknown',
    'envoy_cluster_upstream_rq_completed{envoy_cluster_name="a"} 1',
    '# TYPE envoy_cluster_upstream_rq_total unknown',
    'envoy_cluster_upstream_rq_total{envoy_cluster_name="a"} 1',
    '# TYPE envoy_cluster_upstream_rq_xx unknown',
    'envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="a"} 1',
    '# TYPE envoy_cluster_upstream_cx_active gauge',
    'envoy_cluster_upstream_cx_active{envoy_cluster_name="a"} 1',
    '# TYPE envoy_server_uptime gauge',
    'envoy_server_uptime 3',
    '# EOF',
    '',
  ]);
  t.end();
});

t.test('every stat there is makes text that the grammar allows, used or not', (t) => {
  const fixture = new Fixture();
  fixture.worker.block(clusterStats, 'a"\\\n}').record(clusterStats.upstreamRqTime, 7);
  for (const set of sets) fixture.worker.block(set, '[::]:80', 'b');
  new RequestMetrics({ stats: fixture.worker, maxSeries: 5 }).seriesFor(key).record(200, -1, 3);
  for (const histograms of ['cumulative', 'summary'] as const) {
    const families = parseOpenMetrics(fixture.text({ ...everyStat, histograms }));
    t.ok(families.size > 100);
    t.equal(families.get('envoy_cluster_upstream_rq_time')!.type, histograms === 'summary' ? 'summary' : 'histogram');
  }
  t.equal(parseOpenMetrics(new Fixture().text()).size, 0);
  t.end();
});

t.test('requests are a counter and a histogram with its unit', (t) => {
  const fixture = new Fixture();
  const series = new RequestMetrics({ stats: fixture.worker, maxSeries: 5 }).seriesFor(key);
  series.record(200, 0, 3);
  series.record(0, -1, 70_000_000);
  const families = parseOpenMetrics(fixture.text());
  t.match(families.get('outrigger_requests'), { type: 'counter', samples: { length: 2 } });
  t.strictSame(Object.fromEntries(families.get('outrigger_requests')!.samples[0]!.labels), {
    grpc_status: '0',
    status: '2xx',
    method: 'GET',
    route: '/reviews/*',
    service: 'reviews',
  });
  t.match(families.get('outrigger_request_duration_milliseconds'), { type: 'histogram', unit: 'milliseconds' });
  t.end();
});

t.test('a bucket of requests names the last trace that is kept of it', (t) => {
  const fixture = new Fixture();
  const series = new RequestMetrics({ stats: fixture.worker, maxSeries: 5 }).seriesFor(key);
  const keep = (durationMs: number, traceId: string) => {
    series.record(503, -1, durationMs);
    const ids = { traceId: traceId.repeat(32), spanId: 'c'.repeat(16) };
    fixture.exemplars.noteKept({ key, status: 503, grpcStatus: -1, durationMs, ...ids, wallMs: 1_700_000_000_123 });
  };
  keep(7, 'a');
  keep(8.5, 'b');
  keep(5, 'd');
  keep(99_999_999, 'e');
  t.match(
    fixture.text(),
    `status="5xx",method="GET",route="/reviews/*",service="reviews",le="10.0"} 3 # {trace_id="${'b'.repeat(32)}",span_id="cccccccccccccccc"} 8.5 1700000000.123\n`,
  );
  const buckets = parseOpenMetrics(fixture.text()).get('outrigger_request_duration_milliseconds')!.samples;
  const byBound = buckets.filter(({ exemplar }) => exemplar !== undefined);
  t.strictSame(
    byBound.map(({ labels, exemplar }) => `${labels.get('le')} ${exemplar!.labels.get('trace_id')![0]}`),
    ['5.0 d', '10.0 b', '+Inf e'],
  );
  t.notMatch([...prometheusText(fixture.store, used, [])].join(''), 'trace_id', 'only in OpenMetrics');
  t.end();
});

t.test('bounds are written as Go writes them', (t) => {
  const bounds = [0, 0.001, 0.5, 1, 25, 300_000, 1e6, 1_800_000, 3_600_000, 1e-5, 1.5e21];
  t.strictSame(bounds.map(canonicalNumber), [
    '0.0',
    '0.001',
    '0.5',
    '1.0',
    '25.0',
    '300000.0',
    '1e+06',
    '1.8e+06',
    '3.6e+06',
    '1e-05',
    '1.5e+21',
  ]);
  t.end();
});

t.test('both formats say the same, whatever is counted', (t) => {
  const step = fc.record({
    name: fc.string({ unit: 'binary', maxLength: 4 }),
    code: fc.integer({ min: 100, max: 599 }),
    durationMs: fc.double({ min: 0, max: 1e8, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const fixture = new Fixture();
      const requests = new RequestMetrics({ stats: fixture.worker, maxSeries: 100 });
      for (const { name, code, durationMs } of steps) {
        const cluster = fixture.worker.block(clusterStats, name);
        countUpstreamResponse(cluster, clusterStats, code);
        cluster.record(clusterStats.upstreamRqTime, durationMs);
        requests.seriesFor({ ...key, route: name }).record(code, -1, durationMs);
      }
      const older = [...parseExposition([...prometheusText(fixture.store, used, [])].join('')).values()];
      const newer = [...parseOpenMetrics(fixture.text()).values()];
      const lines = (families: readonly { samples: readonly { name: string; value: number }[] }[]) =>
        families.flatMap(({ samples }) => samples.map(({ name, value }) => `${name} ${value}`));
      t.strictSame(lines(newer), lines(older));
    }),
    { numRuns: 30, examples: [[[{ name: '\r\u2028', code: 100, durationMs: 0 }]]] },
  );
  t.end();
});

t.test('the parser refuses what the specification forbids', (t) => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ['# TYPE a gauge\na 1\n', /EOF/],
    ['# TYPE a gauge\na 1\n# EOF\na 2\n', /EOF/],
    ['# TYPE a counter\na 1\n# EOF\n', /not of family/],
    ['# TYPE a_total counter\na_total 1\n# EOF\n', /not of family/],
    ['# TYPE a counter\na_total NaN\n# EOF\n', /must not be NaN/],
    ['# TYPE a gauge\na 1\na 2\n# EOF\n', /twice/],
    ['# TYPE a gauge\na{b="1",b="2"} 1\n# EOF\n', /label twice/],
    ['# TYPE a gauge\na{b=1} 1\n# EOF\n', /no sample/],
    ['# TYPE a gauge\na  1\n# EOF\n', /no sample/],
    ['# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n# TYPE a gauge\na{c="d"} 1\n# EOF\n', /two places/],
    ['# TYPE a counter\na_total 1\n# TYPE a_total gauge\na_total 1\n# EOF\n', /clash/],
    ['# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n', /unit/],
    ['# TYPE a gauge\na 1 # {b="c"} 1\n# EOF\n', /no exemplar/],
    [`# TYPE a counter\na_total 1 # {b="${'c'.repeat(128)}"} 1\n# EOF\n`, /129 characters/],
    ['# TYPE a histogram\na_bucket{le="1.0"} 1\na_sum 1\na_count 1\n# EOF\n', /last bucket/],
    ['# TYPE a histogram\na_bucket{le="1"} 1\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n# EOF\n', /canonical/],
    ['# TYPE a histogram\na_bucket{le="+Inf"} 1\na_sum 1\na_count 2\n# EOF\n', /totals/],
    ['# TYPE a histogram\na_bucket{le="1.0"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n# EOF\n', /grow/],
    ['# TYPE a histogram\na_bucket{le="1.0"} 1 # {} 3\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n# EOF\n', /above/],
  ];
  for (const [text, reason] of refused) t.throws(() => parseOpenMetrics(text), reason, text);
  t.end();
});

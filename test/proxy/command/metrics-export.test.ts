import t from 'tap';
import type { StatsSink } from '../../../config/bootstrap.ts';
import { RuntimeOverrides } from '../../../proxy/admin/runtime-overrides.ts';
import { createMetrics } from '../../../proxy/command/metrics.ts';
import { MetricsExport } from '../../../proxy/command/metrics-export.ts';
import { ServerState } from '../../../proxy/command/server-state.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import type { ProcessLog } from '../../../proxy/telemetry/process-log.ts';
import { onlyItems } from '../../support/only-items.ts';
import { startOtlpCollector } from '../../support/otlp-collector.ts';
import { metricsOf } from '../../support/otlp-metrics.ts';

const sink: StatsSink = {
  service: { kind: 'grpc', cluster: 'collector', authority: '', timeoutMs: 0, metadata: [] },
  resource: { fromEnvironment: false, attributes: [['team', 'carts']] },
  countersAsDeltas: false,
  histogramsAsDeltas: false,
  tagsAsAttributes: true,
  usesTagExtractedNames: true,
  prefix: '',
  maxDataPointsPerRequest: 0,
};

function fixture(sinks: readonly StatsSink[], port = 1) {
  const stats = { histogramBuckets: [], matcher: { kind: 'all' } as const, sinks, flushIntervalMs: 10 };
  const metrics = createMetrics(stats, 100);
  const lines: string[] = [];
  const write = (text: string) => lines.push(text);
  const exporting = new MetricsExport({
    metrics,
    bootstrap: {
      node: { id: 'n', cluster: 'c', locality: { region: '', zone: '', subZone: '' }, metadata: {}, wire: {} },
      stats,
      grpcClusters: new Map([
        [
          'collector',
          { name: 'collector', endpoints: [{ kind: 'ip', ip: '127.0.0.1', port }], connectTimeoutMs: 1000 },
        ],
      ]),
    },
    state: new ServerState({ concurrency: 1, restartEpoch: 0, version: '1.2.3' }),
    pool: { generations: [1] },
    overrides: new RuntimeOverrides(),
    log: { component: () => ({ warn: write, error: write }) } as unknown as ProcessLog,
  });
  return { metrics, exporting, lines };
}

t.test('a sink is exported to at its interval, and once more at the end', async (t) => {
  const collector = await startOtlpCollector(t);
  const { metrics, exporting } = fixture([sink], collector.grpcPort);
  const block = metrics.stats.block(clusterStats, 'a');
  const total = () =>
    metricsOf(collector.requests.at(-1)!.message).find(({ name }) => name === 'cluster.upstream_rq_total');
  block.inc(clusterStats.upstreamRqTotal);
  await collector.until(({ requests }) => requests.length > 1);
  t.match(total(), { points: onlyItems({ value: 1 }), resource: { team: 'carts', 'service.name': 'c' } });
  block.inc(clusterStats.upstreamRqTotal);
  await exporting.close();
  t.match(total(), { points: onlyItems({ value: 2 }) });
});

t.test('without a sink nothing is exported', async (t) => {
  const { exporting, lines } = fixture([]);
  await exporting.close();
  t.strictSame(lines, []);
});

for (const [name, value] of [
  ['OTEL_SDK_DISABLED', 'true'],
  ['OTEL_METRICS_EXPORTER', 'none'],
] as const) {
  t.test(`${name}=${value} stops the sinks of the bootstrap too`, async (t) => {
    process.env[name] = value;
    t.teardown(() => delete process.env[name]);
    const collector = await startOtlpCollector(t);
    const { metrics, exporting } = fixture([sink], collector.grpcPort);
    metrics.stats.block(clusterStats, 'a').inc(clusterStats.upstreamRqTotal);
    await exporting.close();
    t.strictSame(collector.requests, []);
  });
}

t.test('an environment that cannot be followed is told of, and stops nothing', async (t) => {
  process.env['OTEL_METRICS_EXPORTER'] = 'console';
  t.teardown(() => delete process.env['OTEL_METRICS_EXPORTER']);
  const { exporting, lines } = fixture([]);
  await exporting.ready;
  t.strictSame(lines, [
    'metrics are not exported: OTEL_METRICS_EXPORTER=console: otlp and none are supported, and /stats/prometheus is always there',
  ]);
});

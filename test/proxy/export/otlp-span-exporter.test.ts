import t, { type Test } from 'tap';
import type { OpenTelemetryProvider } from '../../../config/tracing.ts';
import { OtlpSpanExporter } from '../../../proxy/export/otlp-span-exporter.ts';
import { readSpanRecords } from '../../../proxy/export/span-record-reader.ts';
import { openTelemetryStats } from '../../../proxy/export/tracing-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { noFields } from '../../support/empty-patterns.ts';
import { FakeClusters, loopback, patientContext } from '../../support/export-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';
import { type CollectorBehaviour, startOtlpCollector } from '../../support/otlp-collector.ts';
import { encodeRecords, type RecordShape } from '../../support/span-fixtures.ts';

const provider: OpenTelemetryProvider = {
  kind: 'opentelemetry',
  name: 'envoy.tracers.opentelemetry',
  service: { kind: 'http', cluster: 'otel', uri: 'http://otel/v1/traces', timeoutMs: 2000, headers: [] },
  serviceName: 'reviews',
  resource: { fromEnvironment: false, attributes: [['team', 'a']] },
  maxQueuedSpans: 1024,
};
const fate = { th: 'c', isRare: false, isError: false };
const recordOf = (shape: RecordShape) => readSpanRecords(encodeRecords(shape))[0]!;

async function makeExporter(t: Test, behaviour: CollectorBehaviour = { kind: 'accept' }) {
  const collector = await startOtlpCollector(t, behaviour);
  const clusters = new FakeClusters().set('otel', [{ address: loopback(collector.httpPort) }]);
  const warnings: string[] = [];
  const store = new StatsStore();
  const exporter = new OtlpSpanExporter(provider, {
    sender: patientContext(clusters, warnings),
    stats: new WorkerStats((message) => store.accept(0, message)),
    node: { id: 'node', cluster: 'cluster' },
    version: '1.2.3',
    localIp: '10.0.0.1',
  });
  const count = (name: keyof typeof openTelemetryStats) =>
    store.get(openTelemetryStats)!.value(openTelemetryStats[name] as number);
  return { collector, clusters, exporter, warnings, count };
}

t.test('spans arrive with their final state, under the resource of the provider', async (t) => {
  const { collector, exporter, count } = await makeExporter(t);
  exporter.push(recordOf({ state: 'rv:0123456789abcd\na=b', spans: [{ name: 'request' }, { name: 'attempt' }] }), fate);
  await exporter.close(5000);
  t.match(
    collector.spans(),
    onlyItems(
      {
        name: 'request',
        traceState: 'ot=th:c;rv:0123456789abcd,a=b',
        resource: { 'service.name': 'reviews', team: 'a', 'service.instance.id': 'node' },
        scope: 'outrigger',
      },
      { name: 'attempt', traceState: 'ot=th:c;rv:0123456789abcd,a=b' },
    ),
  );
  t.same([count('spansSent'), count('reportsSent'), count('spansDropped')], [2, 1, 0]);
});

t.test('what was kept for its kind says so', async (t) => {
  const { collector, exporter } = await makeExporter(t);
  exporter.push(recordOf({ spans: [{ attributes: { 'sampling.reason': 'error' } }, {}] }), {
    th: null,
    isRare: true,
    isError: true,
  });
  await exporter.close(5000);
  t.match(
    collector.spans(),
    onlyItems({ attributes: { 'sampling.reason': 'rare' }, traceState: '' }, { attributes: noFields }),
  );
});

t.test('what becomes of reports is counted', async (t) => {
  const cases: readonly (readonly [
    CollectorBehaviour,
    'reportsSent' | 'reportsDropped' | 'reportsFailed',
    number,
    number,
  ])[] = [
    [{ kind: 'partial', rejected: 1, message: 'no' }, 'reportsSent', 0, 1],
    [{ kind: 'refuse', http: 400, grpc: 3 }, 'reportsDropped', 1, 0],
    [{ kind: 'refuse', http: 503, grpc: 14 }, 'reportsFailed', 1, 0],
  ];
  for (const [behaviour, name, dropped, rejected] of cases) {
    const { exporter, count } = await makeExporter(t, behaviour);
    exporter.push(recordOf({}), fate);
    await exporter.close(5000);
    t.same([count(name), count('spansDropped'), count('spansRejected')], [1, dropped, rejected], name);
  }
  const { exporter, clusters, count } = await makeExporter(t);
  clusters.remove('otel');
  exporter.push(recordOf({}), fate);
  await exporter.close(5000);
  t.equal(count('reportsSkippedNoCluster'), 1);
});

t.test('a flood finds bounded room, of which errors have a part of their own', async (t) => {
  const { exporter, warnings, count } = await makeExporter(t, { kind: 'silent' });
  const record = recordOf({});
  for (let number = 0; number < 30_000; number++) exporter.push(record, fate);
  const dropped = count('spansDropped');
  t.equal(dropped, 30_000 - 16 * 1024);
  exporter.push(record, { ...fate, isError: true });
  t.equal(count('spansDropped'), dropped);
  t.matchOnly(warnings, [/too slow/]);
  t.equal(warnings.length, 1);
  await exporter.close(1);
  t.ok(count('spansDropped') > dropped, 'what was given up at the end is counted');
});

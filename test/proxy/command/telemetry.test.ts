import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ConfigError } from '../../../config/problems.ts';
import { createMetrics } from '../../../proxy/command/metrics.ts';
import { Telemetry } from '../../../proxy/command/telemetry.ts';
import { createProcessLog, type ProcessLog } from '../../../proxy/telemetry/process-log.ts';
import { outcomeOf, requestNames } from '../../../proxy/telemetry/request-stats.ts';
import type { RecordingSettings } from '../../../proxy/tracing/recording-settings.ts';
import { SamplingMemory } from '../../../proxy/tracing/sampling-memory.ts';
import { SamplingReason } from '../../../proxy/tracing/sampling-reason.ts';
import type { TracingMessage } from '../../../proxy/tracing/tracing-message.ts';
import { FakeClusters, loopback } from '../../support/export-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';
import { startOtlpCollector } from '../../support/otlp-collector.ts';
import { encodeRecords, someTraceId } from '../../support/span-fixtures.ts';

const key = { service: 'reviews', route: '/a', method: 'GET', headerRule: -1 };

function setEnvironment(t: Test, values: Readonly<Record<string, string>>): void {
  Object.assign(process.env, values);
  t.teardown(() => {
    for (const name of Object.keys(values)) delete process.env[name];
  });
}

async function makeTelemetry(
  t: Test,
  samplingConfigPath?: string,
  log = createProcessLog({ level: 'off', componentLevels: '' }),
) {
  const collector = await startOtlpCollector(t);
  const clusters = new FakeClusters().set('otel', [{ address: loopback(collector.httpPort) }]);
  const taken: number[] = [];
  const settings: RecordingSettings[] = [];
  const metrics = createMetrics({ matcher: { kind: 'all' }, histogramBuckets: [] } as never, 1000);
  const telemetry = new Telemetry({
    bootstrap: { node: { id: 'node', cluster: 'reviews' } as never, grpcClusters: clusters.grpcClusters },
    state: {
      get snapshot() {
        return clusters.snapshot() as never;
      },
    },
    ...metrics,
    log,
    pool: { setSampling: (each) => settings.push(each), takeSpans: (worker) => taken.push(worker) },
    samplingConfigPath,
    localIp: '10.0.0.1',
    drainTimeMs: 5000,
  });
  return { collector, telemetry, taken, settings, metrics };
}

const messages: readonly TracingMessage[] = [
  { kind: 'sampling-memory', memory: new SamplingMemory().buffer },
  { kind: 'sampling-key', slot: 1, key },
  {
    kind: 'trace-provider',
    index: 0,
    provider: {
      kind: 'opentelemetry',
      name: 'otel',
      service: { kind: 'http', cluster: 'otel', uri: 'http://otel/v1/traces', timeoutMs: 1000, headers: [] },
      serviceName: '',
      resource: { fromEnvironment: false, attributes: [] },
      maxQueuedSpans: 1024,
    },
  },
  {
    kind: 'spans',
    bytes: encodeRecords({
      reason: SamplingReason.error,
      keySlot: 1,
      spans: [{ attributes: { 'http.response.status_code': 503 }, error: 'no healthy endpoint' }],
    }),
    count: 1,
  },
];

t.test('what a worker records reaches the collector, the overview, the latest errors and the exemplars', async (t) => {
  const { collector, telemetry, taken, metrics } = await makeTelemetry(t);
  t.equal(telemetry.overview(), null);
  t.same(telemetry.latestErrors(), []);
  for (const message of messages) telemetry.accept(0, message);
  await telemetry.close();
  t.same(taken, [0], 'the batch was answered');
  t.match(collector.spans(), onlyItems({ traceId: someTraceId, resource: { 'service.name': 'reviews' } }));
  t.match(telemetry.latestErrors(), onlyItems({ traceId: someTraceId, service: 'reviews', route: '/a', status: 503 }));
  t.equal(telemetry.overview()!.rates, 'percentages');
  const ofKey = telemetry.overview()!.keys.find(({ service }) => service === 'reviews');
  t.match(ofKey, { route: '/a', method: 'GET', kept: { error: 1 } });
  const exemplars = metrics.exemplars.of(requestNames(key, outcomeOf(503, -1)));
  t.ok(exemplars.some((each) => each?.traceId === someTraceId));
});

for (const variables of [{ OTEL_SDK_DISABLED: 'true' }, { OTEL_TRACES_EXPORTER: 'none' }]) {
  t.test(`${Object.keys(variables)} stops what is sent, and not what is shown`, async (t) => {
    setEnvironment(t, variables);
    const { collector, telemetry, taken } = await makeTelemetry(t);
    for (const message of messages) telemetry.accept(0, message);
    await telemetry.close();
    t.same(taken, [0], 'the batch was answered');
    t.strictSame(collector.requests, []);
    t.match(telemetry.latestErrors(), onlyItems({ traceId: someTraceId, status: 503 }));
  });
}

t.test('a variable without effect is told of at the start', async (t) => {
  setEnvironment(t, { OTEL_TRACES_SAMPLER: 'always_on' });
  const lines: string[] = [];
  const log = { component: () => ({ warn: (line: string) => lines.push(line) }) } as unknown as ProcessLog;
  await makeTelemetry(t, undefined, log);
  t.equal(lines.length, 1);
  t.match(lines[0], /^OTEL_TRACES_SAMPLER has no effect: /);
});

t.test('without a record nothing is loaded, and the end is at once', async (t) => {
  const { telemetry, settings } = await makeTelemetry(t);
  await telemetry.close();
  t.equal(telemetry.overview(), null);
  t.same(settings, []);
});

t.test('the sampling file is told to workers, and a wrong one ends the start', async (t) => {
  const path = join(t.testdir(), 'sampling.yaml');
  writeFileSync(path, 'sampling: { errors: { max_per_second: 7 } }');
  const { telemetry, settings } = await makeTelemetry(t, path);
  t.match(settings, onlyItems({ followsKeys: true, errors: { maxPerSecond: 7 } }));
  for (const message of messages) telemetry.accept(0, message);
  await telemetry.close();
  t.match(telemetry.overview(), { rates: 'settings' });
  writeFileSync(path, 'sampling: { errors: { max_per_second: many } }');
  await t.rejects(makeTelemetry(t, path), ConfigError);
});

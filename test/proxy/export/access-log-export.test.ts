import t from 'tap';
import type { LogCollector } from '../../../config/access-log.ts';
import { AccessLogExport } from '../../../proxy/export/access-log-export.ts';
import {
  envoyLogStats,
  namedOpenTelemetryLogStats,
  openTelemetryLogStats,
} from '../../../proxy/telemetry/access-log-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { startAccessLogCollector } from '../../support/access-log-collector.ts';
import { entryCollector } from '../../support/access-log-fixtures.ts';
import { FakeClusters, FakeExportClock, loopback, senderContext } from '../../support/export-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';
import { startOtlpCollector } from '../../support/otlp-collector.ts';

function makeExport(port: number) {
  const store = new StatsStore();
  const clock = new FakeExportClock();
  const clusters = new FakeClusters().set('als', [{ address: loopback(port) }]);
  const warnings: string[] = [];
  const exported = new AccessLogExport({
    ...senderContext(clusters, warnings),
    clock,
    stats: new WorkerStats((message) => store.accept(0, message)),
    node: { id: 'n', cluster: 'c', zone: 'z', wire: () => Buffer.from([0x0a, 0x01, 0x6e]) },
  });
  return { exported, clock, store, clusters, warnings };
}

const entries = entryCollector({ flushIntervalMs: 200, bufferSizeBytes: 100 });
const records: LogCollector = {
  kind: 'opentelemetry',
  service: { kind: 'grpc', cluster: 'als', authority: '', timeoutMs: 1000, metadata: [] },
  logName: 'log',
  flushIntervalMs: 200,
  bufferSizeBytes: 100,
  customTags: [],
  body: '%PROTOCOL%',
  attributes: [],
  resource: { fromEnvironment: false, attributes: [['own', 'x']] },
  hasBuiltinLabels: false,
  statPrefix: '',
};

function entryLine(path: string): string {
  const common = [1, [], -1, '', '', '', '', '', '', '', 0, 0, '', '', '', [0, 0], [0, 0], null, [], null, null];
  const http = ['', '', '', '', path, '', '', '', '', '', [0, 0, 0], [], 200, '', [0, 0, 0], [], []];
  return `${JSON.stringify([common, http])}\n`;
}

function batchOf(collector: LogCollector, ...lines: string[]) {
  return { collector, key: JSON.stringify(collector), bytes: Buffer.from(lines.join('')), entries: lines.length };
}

t.test('entries of several batches leave as one message when the oldest has waited long enough', async (t) => {
  const collector = await startAccessLogCollector();
  t.teardown(() => collector.stop());
  const { exported, clock, store } = makeExport(collector.port);
  exported.write(batchOf(entries, entryLine('/1')));
  clock.advance(150);
  exported.write(batchOf(entries, entryLine('/2')));
  clock.advance(49);
  t.strictSame(collector.messages, []);
  clock.advance(1);
  await collector.entries(2);
  t.equal(collector.messages.length, 1);
  t.match(collector.httpEntries, onlyItems({ request: { path: '/1' } }, { request: { path: '/2' } }));
  t.equal(store.get(envoyLogStats)!.value(envoyLogStats.logsWritten), 2);
  await exported.close(5000);
  t.equal(store.get(envoyLogStats)!.value(envoyLogStats.entriesFlushed), 2);
});

t.test('a message that is large enough leaves at once, and the end sends what waits', async (t) => {
  const collector = await startAccessLogCollector();
  t.teardown(() => collector.stop());
  const { exported, clock } = makeExport(collector.port);
  exported.write(batchOf(entries, ...Array.from({ length: 20 }, (_, index) => entryLine(`/${index}`))));
  t.strictSame(clock.delays.length <= 1, true);
  await exported.close(5000);
  await collector.entries(20);
  t.ok(collector.messages.length > 2, `${collector.messages.length} messages`);
  t.strictSame(
    collector.httpEntries.map((entry) => (entry['request'] as { path: string }).path),
    Array.from({ length: 20 }, (_, index) => `/${index}`),
  );
});

t.test('a line of half a MiB is no entry of a request, and is counted', async (t) => {
  const { exported, store } = makeExport(1);
  exported.write(batchOf(entries, entryLine('x'.repeat(600 * 1024))));
  t.equal(store.get(envoyLogStats)!.value(envoyLogStats.logsDropped), 1);
  t.equal(store.get(envoyLogStats)!.value(envoyLogStats.logsWritten), 0);
  await exported.close(0);
});

t.test('records are counted where the prefix says, dropped ones too, with a warning', async (t) => {
  const collector = await startOtlpCollector(t, { kind: 'refuse', http: 400, grpc: 3 });
  const { exported, clock, store, warnings } = makeExport(collector.grpcPort);
  const named = { ...records, statPrefix: 'mine.' };
  exported.write(batchOf(records, `${JSON.stringify([1, null, ['a'], []])}\n`));
  exported.write(batchOf(named, `${JSON.stringify([1, null, ['b'], []])}\n`));
  clock.advance(200);
  await exported.close(5000);
  t.equal(store.get(openTelemetryLogStats)!.value(openTelemetryLogStats.logsDropped), 1);
  const stats = store.get(namedOpenTelemetryLogStats, 'mine')!;
  t.equal(stats.value(namedOpenTelemetryLogStats.logsWritten), 1);
  t.equal(stats.value(namedOpenTelemetryLogStats.entriesFlushFailed), 1);
  t.equal(stats.value(namedOpenTelemetryLogStats.entriesFlushed), 0);
  t.equal(warnings.length, 2, 'one of each log');
  t.match(warnings[0], /^access logs cannot be sent to cluster als, and are dropped: /);
});

t.test('OTEL_LOGS_EXPORTER=none drops records with a count, and no entries of access log services', async (t) => {
  process.env['OTEL_LOGS_EXPORTER'] = 'none';
  t.teardown(() => delete process.env['OTEL_LOGS_EXPORTER']);
  const collector = await startAccessLogCollector();
  t.teardown(() => collector.stop());
  const otel = await startOtlpCollector(t);
  const { exported, store, clusters } = makeExport(collector.port);
  clusters.set('otel', [{ address: loopback(otel.grpcPort) }]);
  const toOtel = { ...records, service: { ...records.service, cluster: 'otel' } };
  exported.write(batchOf(entries, entryLine('/1')));
  exported.write(batchOf(toOtel, `${JSON.stringify([1, null, ['a'], []])}\n`));
  await exported.close(5000);
  await collector.entries(1);
  t.equal(otel.received, 0);
  t.equal(store.get(openTelemetryLogStats)!.value(openTelemetryLogStats.logsDropped), 1);
});

t.test('a collector that no log speaks of any more is left after ten minutes', async (t) => {
  const collector = await startAccessLogCollector();
  t.teardown(() => collector.stop());
  const { exported, clock } = makeExport(collector.port);
  exported.write(batchOf(entries, entryLine('/1')));
  clock.advance(200);
  await collector.entries(1);
  const other = { ...entries, logName: 'other' };
  clock.advance(10 * 60_000);
  exported.write(batchOf(other, entryLine('/2')));
  exported.write(batchOf(entries, entryLine('/3')));
  await exported.close(5000);
  await collector.entries(3);
  t.equal(collector.metadata.length, 3, 'the first log has a new stream');
});

t.test('a collector of which a log spoke within ten minutes keeps its stream', async (t) => {
  const collector = await startAccessLogCollector();
  t.teardown(() => collector.stop());
  const { exported, clock } = makeExport(collector.port);
  for (const [count, minutes] of [9, 2, 0].entries()) {
    exported.write(batchOf(entries, entryLine(`/${count}`)));
    clock.advance(200);
    await collector.entries(count + 1);
    clock.advance(minutes * 60_000);
  }
  await exported.close(5000);
  t.equal(collector.metadata.length, 1);
});

t.test('a collector that takes records again is said so, once', async (t) => {
  const collector = await startOtlpCollector(t, { kind: 'refuse', http: 400, grpc: 3 });
  const { exported, clock, warnings } = makeExport(collector.grpcPort);
  const send = async (text: string): Promise<void> => {
    exported.write(batchOf(records, `${JSON.stringify([1, null, [text], []])}\n`));
    await new Promise(setImmediate);
    clock.advance(200);
  };
  await send('lost');
  while (warnings.length === 0) await new Promise(setImmediate);
  collector.behaviour = { kind: 'accept' };
  await send('taken');
  await send('taken too');
  await exported.close(5000);
  t.equal(warnings.length, 2);
  t.equal(warnings[1], 'access logs are taken by cluster als again');
});

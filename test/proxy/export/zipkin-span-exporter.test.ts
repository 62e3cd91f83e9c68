import t from 'tap';
import type { ZipkinProvider } from '../../../config/tracing.ts';
import { readSpanRecords } from '../../../proxy/export/span-record-reader.ts';
import { ZipkinSpanExporter } from '../../../proxy/export/zipkin-span-exporter.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { RecordFlag } from '../../../proxy/tracing/span-record.ts';
import { FakeClusters, loopback, patientContext } from '../../support/export-fixtures.ts';
import { encodeRecords } from '../../support/span-fixtures.ts';
import { startZipkinCollector } from '../../support/zipkin-collector.ts';

for (const encoding of ['json', 'protobuf'] as const) {
  t.test(`spans arrive as ${encoding}, at the path of the configuration`, async (t) => {
    const collector = await startZipkinCollector(t);
    const provider: ZipkinProvider = {
      kind: 'zipkin',
      name: 'envoy.tracers.zipkin',
      service: { kind: 'http', cluster: 'zipkin', uri: 'http://zipkin/api/v2/spans', timeoutMs: 0, headers: [] },
      encoding,
      traceId128Bit: true,
      sharedSpanContext: true,
      alsoW3c: false,
    };
    const clusters = new FakeClusters().set('zipkin', [{ address: loopback(collector.port) }]);
    const exporter = new ZipkinSpanExporter(provider, {
      sender: patientContext(clusters),
      stats: new WorkerStats(() => {}),
      node: { id: 'node', cluster: 'reviews' },
      version: '1.2.3',
      localIp: '10.0.0.1',
    });
    const spans = [
      { name: 'request', attributes: { 'sampling.reason': 'error' } },
      { name: 'attempt', kind: 3 },
    ];
    const batch = encodeRecords({ flags: RecordFlag.sharesSpanId, spans }, { spans: [{ name: 'other' }] });
    const [first, second] = readSpanRecords(batch);
    exporter.push(first!, { th: null, isRare: true, isError: true });
    exporter.push(second!, { th: 'c', isRare: false, isError: false });
    await exporter.close(5000);
    const taken = await collector.spansAfter(3);
    t.match(taken, [
      {
        name: 'request',
        kind: 'SERVER',
        shared: true,
        tags: { 'sampling.reason': 'rare' },
        localEndpoint: { serviceName: 'reviews' },
      },
      { name: 'attempt', kind: 'CLIENT' },
      { name: 'other' },
    ]);
    t.notOk('shared' in taken[1]! || 'shared' in taken[2]!);
    t.same(collector.paths, ['/api/v2/spans']);
  });
}

t.test('a header that cannot be sent is left out, and named without its value', async (t) => {
  const collector = await startZipkinCollector(t);
  const warnings: string[] = [];
  const provider: ZipkinProvider = {
    kind: 'zipkin',
    name: 'envoy.tracers.zipkin',
    service: {
      kind: 'http',
      cluster: 'zipkin',
      uri: 'http://zipkin/api/v2/spans',
      timeoutMs: 0,
      // As of %ENVIRONMENT(TOKEN)%, where a file with a line break was put into the environment.
      headers: [['authorization', 'Bearer secret\n']],
    },
    encoding: 'json',
    traceId128Bit: true,
    sharedSpanContext: true,
    alsoW3c: false,
  };
  const clusters = new FakeClusters().set('zipkin', [{ address: loopback(collector.port) }]);
  const exporter = new ZipkinSpanExporter(provider, {
    sender: patientContext(clusters, warnings),
    stats: new WorkerStats(() => {}),
    node: { id: 'node', cluster: 'reviews' },
    version: '1.2.3',
    localIp: '10.0.0.1',
  });
  const [record] = readSpanRecords(encodeRecords({ spans: [{ name: 'one' }] }));
  exporter.push(record!, { th: null, isRare: false, isError: false });
  await exporter.close(5000);
  t.match(await collector.spansAfter(1), [{ name: 'one' }]);
  t.same(warnings, ['header "authorization" cannot be sent to a collector']);
});

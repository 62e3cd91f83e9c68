import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import t, { type Test } from 'tap';
import type { ZipkinProvider } from '../../../config/tracing.ts';
import { readSpanRecords } from '../../../proxy/export/span-record-reader.ts';
import { zipkinStats } from '../../../proxy/export/tracing-stats.ts';
import { ZipkinSpanExporter } from '../../../proxy/export/zipkin-span-exporter.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { RecordFlag } from '../../../proxy/tracing/span-record.ts';
import { FakeClusters, loopback, patientContext } from '../../support/export-fixtures.ts';
import { startHttpOrigin } from '../../support/http-origin.ts';
import { onlyItems } from '../../support/only-items.ts';
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
    t.match(
      taken,
      onlyItems(
        {
          name: 'request',
          kind: 'SERVER',
          shared: true,
          tags: { 'sampling.reason': 'rare' },
          localEndpoint: { serviceName: 'reviews' },
        },
        { name: 'attempt', kind: 'CLIENT' },
        { name: 'other' },
      ),
    );
    t.equal(taken.length, 3, 'each once');
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
  t.match(await collector.spansAfter(1), onlyItems({ name: 'one' }));
  t.same(warnings, ['header "authorization" cannot be sent to a collector']);
});

const fate = { th: null, isRare: false, isError: false };

/** An exporter to a server that behaves like this, and what is counted of it. */
async function makeExporter(t: Test, answer: RequestListener) {
  const port = await startHttpOrigin(t, (request, response) => {
    request.resume().once('end', () => answer(request, response));
  });
  const clusters = new FakeClusters().set('zipkin', [{ address: loopback(port) }]);
  const warnings: string[] = [];
  const store = new StatsStore();
  const service = {
    kind: 'http',
    cluster: 'zipkin',
    uri: 'http://zipkin/api/v2/spans',
    timeoutMs: 0,
    headers: [],
  } as const;
  const kinds = { kind: 'zipkin', name: 'envoy.tracers.zipkin', encoding: 'json' } as const;
  const exporter = new ZipkinSpanExporter(
    { ...kinds, service, traceId128Bit: true, sharedSpanContext: true, alsoW3c: false },
    {
      sender: patientContext(clusters, warnings),
      stats: new WorkerStats((message) => store.accept(0, message)),
      node: { id: 'node', cluster: 'reviews' },
      version: '1.2.3',
      localIp: '10.0.0.1',
    },
  );
  const count = (
    name: 'reportsSent' | 'reportsDropped' | 'reportsFailed' | 'reportsSkippedNoCluster' | 'spansDropped',
  ) => store.get(zipkinStats)!.value(zipkinStats[name]);
  return { clusters, exporter, warnings, count };
}

t.test('what becomes of reports is counted, whatever a server does with them', async (t) => {
  const [record] = readSpanRecords(encodeRecords({ spans: [{ name: 'one' }] }));
  const withStatus = (status: number) => (_: unknown, response: ServerResponse) => response.writeHead(status).end();
  const cases = [
    ['takes them', withStatus(202), 'reportsSent', 0],
    ['answers nonsense', (_: unknown, response: ServerResponse) => response.end('<html>\0'), 'reportsSent', 0],
    ['does not want them', withStatus(400), 'reportsDropped', 1],
    ['is busy', withStatus(503), 'reportsFailed', 1],
    ['cuts', ({ socket }: IncomingMessage) => socket.destroy(), 'reportsFailed', 1],
  ] as const;
  for (const [what, answer, name, dropped] of cases) {
    const { exporter, count } = await makeExporter(t, answer);
    exporter.push(record!, fate);
    await exporter.close(5000);
    t.same([count(name), count('spansDropped')], [1, dropped], what);
  }
  const { exporter, clusters, count } = await makeExporter(t, (_, response) => response.end());
  clusters.remove('zipkin');
  exporter.push(record!, fate);
  await exporter.close(5000);
  t.equal(count('reportsSkippedNoCluster'), 1);
});

t.test('a server that says nothing has bounded room, of which errors have a part of their own', async (t) => {
  const { exporter, warnings, count } = await makeExporter(t, () => undefined);
  const [record] = readSpanRecords(encodeRecords({ spans: [{ name: 'one' }] }));
  for (let number = 0; number < 20_000; number++) exporter.push(record!, fate);
  const dropped = count('spansDropped');
  t.equal(dropped, 20_000 - 16 * 1024);
  exporter.push(record!, { ...fate, isError: true });
  t.equal(count('spansDropped'), dropped);
  t.matchOnly(warnings, [/zipkin is too slow/]);
  t.equal(warnings.length, 1);
  await exporter.close(1);
  t.ok(count('spansDropped') > dropped, 'what was given up at the end is counted');
});

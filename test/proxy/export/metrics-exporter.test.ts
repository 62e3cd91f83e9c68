import t from 'tap';
import { MetricsExporter } from '../../../proxy/export/metrics-exporter.ts';
import type { SendOutcome } from '../../../proxy/export/sender.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { metricsOf } from '../../support/otlp-metrics.ts';

function fixture() {
  const store = new StatsStore();
  const block = new WorkerStats((message) => store.accept(0, message)).block(clusterStats, 'a');
  const sent: Uint8Array[] = [];
  const answers: ((outcome: SendOutcome) => void)[] = [];
  const warnings: string[] = [];
  let isClosed = false;
  const exporter = new MetricsExporter({
    sink: {
      service: { kind: 'grpc', cluster: 'collector', authority: '', timeoutMs: 0, metadata: [] },
      resource: { fromEnvironment: false, attributes: [] },
      countersAsDeltas: true,
      histogramsAsDeltas: false,
      tagsAsAttributes: true,
      usesTagExtractedNames: true,
      prefix: '',
      maxDataPointsPerRequest: 0,
    },
    budget: store,
    exemplars: { of: () => [] },
    buckets: [],
    sender: {
      send: (request) => {
        sent.push(request);
        return new Promise((resolve) => answers.push(resolve));
      },
      close: () => {
        isClosed = true;
        for (const answer of answers) answer({ kind: 'failed', reason: 'the process ends' });
      },
    },
    resource: new Uint8Array(),
    version: '1.2.3',
    beganAtWallMs: 0,
    wallClock: () => 1000,
    refreshStats: () => block.set(clusterStats.upstreamCxActive, sent.length),
    onWarning: (text) => warnings.push(text),
  });
  const totals = () =>
    sent.map(
      (request) => metricsOf(request).find(({ name }) => name === 'cluster.upstream_rq_total')!.points[0]!.value,
    );
  return { exporter, block, sent, answers, warnings, totals, isClosed: () => isClosed };
}

const took: SendOutcome = { kind: 'sent', rejected: 0 };

t.test('an export waits for the one before, and has what came meanwhile', async (t) => {
  const { exporter, block, answers, totals } = fixture();
  block.inc(clusterStats.upstreamRqTotal);
  const first = exporter.export();
  block.inc(clusterStats.upstreamRqTotal);
  t.equal(exporter.export(), first, 'one at a time');
  answers[0]!(took);
  await first;
  const second = exporter.export();
  answers[1]!(took);
  await second;
  t.strictSame(totals(), [1, 1]);
});

t.test('what did not arrive is in the next export, and the failure is told once', async (t) => {
  const { exporter, block, answers, warnings, totals } = fixture();
  block.inc(clusterStats.upstreamRqTotal);
  for (const outcome of [{ kind: 'failed', reason: 'refused' }, { kind: 'failed', reason: 'again' }, took] as const) {
    const exported = exporter.export();
    answers.at(-1)!(outcome);
    await exported;
  }
  t.strictSame(totals(), [1, 1, 1]);
  t.strictSame(warnings, ['metrics cannot be sent to collector: refused']);
});

t.test('the last counts leave at the end, and nobody is waited for without end', async (t) => {
  const { exporter, block, answers, totals, isClosed } = fixture();
  block.inc(clusterStats.upstreamRqTotal);
  const first = exporter.export();
  answers[0]!(took);
  await first;
  block.add(clusterStats.upstreamRqTotal, 4);
  await exporter.close(1);
  t.strictSame(totals(), [1, 4]);
  t.ok(isClosed());
});

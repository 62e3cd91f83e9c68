import t from 'tap';
import { MetricsExporter } from '../../../proxy/export/metrics-exporter.ts';
import type { SendOutcome } from '../../../proxy/export/sender.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { metricsOf } from '../../support/otlp-metrics.ts';

function fixture(maxDataPointsPerRequest = 0) {
  const store = new StatsStore();
  const block = new WorkerStats((message) => store.accept(0, message)).block(clusterStats, 'a');
  const sent: Uint8Array[] = [];
  const answers: ((outcome: SendOutcome) => void)[] = [];
  const warnings: string[] = [];
  let closed = 0;
  const exporter = new MetricsExporter({
    sink: {
      service: { kind: 'grpc', cluster: 'collector', authority: '', timeoutMs: 0, metadata: [] },
      resource: { fromEnvironment: false, attributes: [] },
      countersAsDeltas: true,
      histogramsAsDeltas: false,
      tagsAsAttributes: true,
      usesTagExtractedNames: true,
      prefix: '',
      maxDataPointsPerRequest,
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
        closed++;
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
  return { exporter, block, sent, answers, warnings, totals, closed: () => closed };
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
  const once = ['metrics cannot be sent to collector: refused'];
  t.strictSame(warnings, once);
  const exported = exporter.export();
  answers.at(-1)!({ kind: 'failed', reason: 'gone' });
  await exported;
  t.strictSame(warnings, [...once, 'metrics cannot be sent to collector: gone'], 'it worked in between');
});

t.test('the last counts leave at the end, and nobody is waited for without end', async (t) => {
  const { exporter, block, answers, totals, closed } = fixture();
  block.inc(clusterStats.upstreamRqTotal);
  const first = exporter.export();
  answers[0]!(took);
  await first;
  block.add(clusterStats.upstreamRqTotal, 4);
  await exporter.close(1);
  t.strictSame(totals(), [1, 4]);
  t.ok(closed() > 0);
});

t.test('who closes has no timer left behind', async (t) => {
  const { exporter, answers, closed } = fixture();
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  const ended = exporter.close(60_000);
  await new Promise(setImmediate);
  t.equal(timers(), before + 1);
  for (const answer of answers) answer(took);
  await ended;
  t.equal(timers(), before);
  t.equal(closed(), 1);
});

t.test('of an export that arrived in part only the rest is sent again', async (t) => {
  const { exporter, block, sent, answers } = fixture(1);
  const exported = async (...outcomes: readonly SendOutcome[]): Promise<readonly string[]> => {
    const from = sent.length;
    const ended = exporter.export();
    for (const outcome of outcomes) {
      answers.at(-1)!(outcome);
      await new Promise(setImmediate);
    }
    await ended;
    return sent
      .slice(from)
      .flatMap((request) =>
        metricsOf(request).map(({ name, points }) => `${name.replace('cluster.', '')} ${points[0]!.value}`),
      );
  };
  const lost: SendOutcome = { kind: 'failed', reason: 'gone' };
  block.inc(clusterStats.upstreamCxTotal);
  block.inc(clusterStats.upstreamRqTotal);
  const names = await exported(took, took, took);
  t.strictSame(names, ['upstream_cx_total 1', 'upstream_cx_active 0', 'upstream_rq_total 1']);
  block.add(clusterStats.upstreamCxTotal, 2);
  block.add(clusterStats.upstreamRqTotal, 2);
  await exported(took, took, lost);
  block.add(clusterStats.upstreamRqTotal, 4);
  t.strictSame(await exported(lost), ['upstream_rq_total 2']);
  const all = await exported(took, took, took, took);
  t.strictSame([all[0], all[1], all[3]], ['upstream_rq_total 2', 'upstream_cx_total 0', 'upstream_rq_total 4']);
  block.add(clusterStats.upstreamRqTotal, 8);
  await exported(took, took, lost);
  const refused = await exported({ kind: 'refused', reason: 'no' }, took, took, took);
  t.strictSame([refused[0], refused[3]], ['upstream_rq_total 8', 'upstream_rq_total 0'], 'and what is refused is not');
});

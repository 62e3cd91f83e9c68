import t from 'tap';
import type { TraceProvider } from '../../../config/tracing.ts';
import { SpanReports } from '../../../proxy/export/span-reports.ts';
import { tracerStats } from '../../../proxy/export/tracing-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const provider = { kind: 'zipkin', service: { cluster: 'zipkin' } } as TraceProvider;

t.test('a collector that fails is said once, and once that it works again', (t) => {
  const warnings: string[] = [];
  const reports = new SpanReports(provider, {
    stats: new WorkerStats(() => {}),
    onWarning: (text) => warnings.push(text),
  });
  reports.onOutcome({ kind: 'sent', rejected: 0 }, 5);
  t.same(warnings, []);
  reports.onOutcome({ kind: 'failed', reason: 'nobody there' }, 5);
  reports.onOutcome({ kind: 'refused', reason: 'no' }, 5);
  reports.onDrop(3);
  t.same(warnings, ['spans do not reach collector zipkin, and are lost: nobody there']);
  reports.onOutcome({ kind: 'sent', rejected: 0 }, 5);
  reports.onOutcome({ kind: 'sent', rejected: 0 }, 5);
  t.same(warnings.slice(1), ['collector zipkin takes spans again; 13 were lost']);
  reports.onOutcome({ kind: 'no-cluster', reason: 'there is no cluster zipkin' }, 1);
  t.equal(warnings.length, 3, 'and the next time anew');
  t.end();
});

t.test('a collector that is too slow is said once, until it takes something', (t) => {
  const warnings: string[] = [];
  const reports = new SpanReports(provider, {
    stats: new WorkerStats(() => {}),
    onWarning: (text) => warnings.push(text),
  });
  reports.onDrop(1);
  reports.onDrop(1);
  t.equal(warnings.length, 1);
  reports.onOutcome({ kind: 'sent', rejected: 0 }, 5);
  reports.onDrop(1);
  t.equal(warnings.length, 2);
  t.end();
});

t.test('each outcome is counted by what it is, and each span that is lost', (t) => {
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(0, message));
  const reports = new SpanReports(provider, { stats, onWarning: () => {} });
  const counted = () => {
    const group = store.get(tracerStats.zipkin)!;
    const used = [...group.scope.stats.entries()].filter(([index]) => group.isUsed(index) && group.value(index) > 0);
    return Object.fromEntries(used.map(([index, { name }]) => [name, group.value(index)]));
  };
  reports.onSend(3, 'size');
  reports.onSend(4, 'end');
  t.same(counted(), { spans_sent: 7 });
  reports.onSend(5, 'timer');
  t.same(counted(), { spans_sent: 12, timer_flushed: 1 });
  reports.onOutcome({ kind: 'sent', rejected: 2 }, 10);
  reports.onOutcome({ kind: 'refused', reason: 'no' }, 20);
  for (let count = 0; count < 2; count++) reports.onOutcome({ kind: 'failed', reason: 'gone' }, 100);
  for (let count = 0; count < 3; count++) reports.onOutcome({ kind: 'no-cluster', reason: 'none' }, 1000);
  reports.onDrop(10_000);
  t.same(counted(), {
    spans_sent: 12,
    timer_flushed: 1,
    spans_rejected: 2,
    reports_sent: 1,
    reports_dropped: 1,
    reports_failed: 2,
    reports_skipped_no_cluster: 3,
    spans_dropped: 13_220,
  });
  t.end();
});

import t from 'tap';
import type { TraceProvider } from '../../../config/tracing.ts';
import { SpanReports } from '../../../proxy/export/span-reports.ts';
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

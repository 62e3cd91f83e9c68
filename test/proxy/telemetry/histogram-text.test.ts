import t from 'tap';
import { HistogramSummary } from '../../../proxy/telemetry/histogram.ts';
import { boundsOf, histogramJson, histogramLine } from '../../../proxy/telemetry/histogram-text.ts';
import { httpStats } from '../../../proxy/telemetry/http-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { onlyItems } from '../../support/only-items.ts';

function histogramOf(...values: number[]) {
  const store = new StatsStore();
  const block = new WorkerStats((message) => store.accept(0, message)).block(httpStats, 'a');
  for (const value of values) block.record(httpStats.downstreamRqTime, value);
  const total = store.get(httpStats, 'a')!.histogram(httpStats.downstreamRqTime);
  return { name: 'h', total, interval: new HistogramSummary(), bounds: [1, 10, 1_800_000] };
}

t.test('buckets are running totals, or what each holds alone', (t) => {
  const histogram = histogramOf(0, 1, 5, 5, 2_000_000);
  t.equal(histogramLine(histogram, 'cumulative'), 'h: B1(0,2) B10(0,4) B1.8e+06(0,4)\n');
  t.equal(histogramLine(histogram, 'disjoint'), 'h: B1(0,2) B10(0,2) B1.8e+06(0,0)\n');
  t.match(histogramJson(histogram, 'disjoint'), {
    name: 'h',
    buckets: onlyItems({ upper_bound: 1, cumulative: 2 }, { cumulative: 2 }, { cumulative: 0, interval: 0 }),
  });
  t.end();
});

t.test('details name the bounds of every bucket that holds something', (t) => {
  t.match(
    histogramLine(histogramOf(0, 5, 5), 'detailed'),
    /^h:\n {2}totals=0,0\.0078125:1, 5,0\.25:2\n {2}intervals=\n/,
  );
  t.end();
});

t.test('nothing recorded is said in words, in every form', (t) => {
  for (const form of ['summary', 'cumulative', 'disjoint', 'detailed'] as const) {
    t.equal(histogramLine(histogramOf(), form), 'h: No recorded values\n');
  }
  t.end();
});

t.test('configured bounds go before those of Envoy, the first prefix that fits', (t) => {
  const buckets = [
    { prefix: 'cluster.a', bounds: [1] },
    { prefix: 'cluster', bounds: [2] },
  ];
  t.strictSame(boundsOf('cluster.a.x', buckets), [1]);
  t.strictSame(boundsOf('cluster.b.x', buckets), [2]);
  t.equal(boundsOf('http.x', buckets)[0], 0.5);
  t.end();
});

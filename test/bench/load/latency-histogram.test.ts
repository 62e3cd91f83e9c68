// The histogram against a sorted array.
import fc from 'fast-check';
import t from 'tap';
import { LatencyHistogram } from '../../../bench/load/latency-histogram.ts';

t.test('a quantile is never below the exact one and at most a 64th above it', async () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 0xffffffff }), { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0.001, max: 1, noNaN: true }),
      (values, quantile) => {
        const histogram = new LatencyHistogram();
        for (const value of values) histogram.record(value);
        const sorted = [...values].sort((left, right) => left - right);
        const exact = sorted[Math.max(1, Math.ceil(quantile * values.length)) - 1]!;
        const found = histogram.quantile(quantile);
        return found >= exact && found <= exact + exact / 64;
      },
    ),
  );
});

t.test('an empty histogram has quantile 0 and total 0', async (t) => {
  const histogram = new LatencyHistogram();
  t.equal(histogram.quantile(0.5), 0);
  t.equal(histogram.total, 0);
});

t.test('a value beyond the range is counted in the last bucket', async (t) => {
  const histogram = new LatencyHistogram();
  histogram.record(1e12);
  t.equal(histogram.quantile(1), 0xffffffff);
});

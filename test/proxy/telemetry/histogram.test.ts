import fc from 'fast-check';
import t from 'tap';
import {
  allocateHistogram,
  HistogramSummary,
  recordValue,
  releaseHistogram,
} from '../../../proxy/telemetry/histogram.ts';
import { SlotMemory } from '../../../proxy/telemetry/slot-memory.ts';

function recorded(values: readonly number[]): HistogramSummary {
  const memory = new SlotMemory(() => {});
  const address = allocateHistogram(memory);
  for (const value of values) recordValue(memory, address, value);
  const summary = new HistogramSummary();
  summary.merge(memory, address);
  return summary;
}

const value = fc.double({ min: 2 ** -7, max: 2 ** 36, noNaN: true, maxExcluded: true });

t.test('a quantile is less than 5 % away from the recorded value of that rank', (t) => {
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, quantile) => {
        const sorted = values.toSorted((left, right) => left - right);
        const exact = sorted[Math.max(1, Math.ceil(quantile * sorted.length)) - 1]!;
        const [read] = recorded(values).quantiles([quantile]);
        return Math.abs(read! - exact) <= exact * 0.05;
      },
    ),
  );
  t.end();
});

t.test('quantiles never fall and stay between the least and the greatest value', (t) => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 100 }), (values) => {
      const read = recorded(values).quantiles([0, 0.1, 0.5, 0.9, 1]);
      const isAscending = read.every((quantile, index) => index === 0 || quantile >= read[index - 1]!);
      return isAscending && read[0]! >= Math.min(...values) && read[4]! <= Math.max(...values);
    }),
  );
  t.end();
});

t.test('the sum of two histograms reads as one that recorded both', (t) => {
  fc.assert(
    fc.property(fc.array(value), fc.array(value), (left, right) => {
      const memory = new SlotMemory(() => {});
      const summary = new HistogramSummary();
      for (const values of [left, right]) {
        const address = allocateHistogram(memory);
        for (const each of values) recordValue(memory, address, each);
        summary.merge(memory, address);
      }
      const bounds = [1, 100, 1e6];
      const both = recorded([...left, ...right]);
      t.strictSame(summary.cumulativeCounts(bounds), both.cumulativeCounts(bounds));
      t.equal(summary.count, left.length + right.length);
      t.strictSame(summary.quantiles([0, 0.5, 1]), both.quantiles([0, 0.5, 1]));
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test('cumulative counts are those of the values up to a bound, within the width of one bucket', (t) => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 100 }), value, (values, bound) => {
      const [count] = recorded(values).cumulativeCounts([bound]);
      const atLeast = values.filter((each) => each <= bound).length;
      const atMost = values.filter((each) => each <= bound * (1 + 1 / 16)).length;
      return count! >= atLeast && count! <= atMost;
    }),
  );
  t.end();
});

t.test('whole milliseconds up to 32 count exactly against a bound', (t) => {
  const values = Array.from({ length: 33 }, (_, index) => index);
  const bounds = [0.5, 1, 5, 10, 25, 32];
  t.strictSame(recorded(values).cumulativeCounts(bounds), [1, 2, 6, 11, 26, 33]);
  t.end();
});

t.test('values that are no durations count as zero, values without end as the greatest', (t) => {
  const summary = recorded([-1, Number.NaN, 0, Number.NEGATIVE_INFINITY]);
  t.equal(summary.count, 4);
  t.equal(summary.sum, 0);
  t.strictSame(summary.quantiles([0, 1]), [0, 0]);
  const greatest = recorded([Number.POSITIVE_INFINITY, 1]);
  t.equal(greatest.count, 2);
  t.equal(greatest.sum, 2 ** 36 + 1);
  t.equal(greatest.quantiles([1])[0], 2 ** 36);
  t.end();
});

t.test('an interval holds what came since the earlier reading', (t) => {
  const memory = new SlotMemory(() => {});
  const address = allocateHistogram(memory);
  const read = () => {
    const summary = new HistogramSummary();
    summary.merge(memory, address);
    return summary;
  };
  recordValue(memory, address, 1000);
  const earlier = read();
  recordValue(memory, address, 1);
  recordValue(memory, address, 2);
  const interval = read().since(earlier);
  t.equal(interval.count, 2);
  t.equal(interval.sum, 3);
  t.ok(interval.quantiles([1])[0]! < 2.2);
  t.strictSame(read().since(read()).quantiles([0.5]), [Number.NaN]);
  t.end();
});

t.test('a released histogram gives every slot back and the next one begins empty', (t) => {
  const memory = new SlotMemory(() => {});
  const first = allocateHistogram(memory);
  for (const each of [0, 1, 50, 1e9]) recordValue(memory, first, each);
  releaseHistogram(memory, first, (address, slots) => memory.free(address, slots));
  const second = allocateHistogram(memory);
  t.equal(second, first);
  for (const each of [1, 50, 1e9]) recordValue(memory, second, each);
  const summary = new HistogramSummary();
  summary.merge(memory, second);
  t.equal(summary.count, 3);
  t.equal(summary.quantiles([0])[0], 1);
  t.end();
});

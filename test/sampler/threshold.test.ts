import fc from 'fast-check';
import t from 'tap';
import {
  adjustedCount,
  always,
  higher,
  isKept,
  justAbove,
  lower,
  never,
  probabilityOf,
  randomOf,
  readRandom,
  readThreshold,
  thresholdOf,
  writeThreshold,
} from '../../sampler/threshold.ts';
import { randomValue, seededRandom } from './trace-ids.ts';

const hex = (digits: number) =>
  fc.array(fc.constantFrom(...'0123456789abcdef'), { minLength: digits, maxLength: digits }).map((all) => all.join(''));
const randoms = hex(14);
const probabilities = fc.double({ min: 2 ** -56, max: 1, noNaN: true });

t.test('writes the thresholds of the specification', (t) => {
  const cases: readonly [number, number, string][] = [
    [1, 4, '0'],
    [0.5, 4, '8'],
    [0.25, 4, 'c'],
    [0.01, 4, 'fd70a'],
    [0.01, 5, 'fd70a4'],
    [1 / 3, 4, 'aaab'],
    [0.001, 4, 'ffbe77'],
    [2 ** -56, 4, 'ffffffffffffff'],
    [1 - 2 ** -20, 4, '00001'],
  ];
  for (const [probability, precision, text] of cases) {
    t.equal(writeThreshold(thresholdOf(probability, precision)), text, `${probability} in ${precision} digits`);
  }
  t.end();
});

t.test('keeps the random value of the specification for thresholds up to itself', (t) => {
  const random = '6e6d1a75832a2f';
  t.equal(isKept(random, random), true);
  t.equal(isKept(random, justAbove(random)), false);
  t.equal(isKept(random, always), true);
  t.equal(isKept(random, never), false);
  t.equal(randomOf(`123456789abcdef012${random}`), random);
  t.end();
});

t.test('probabilities outside of 0 to 1 keep all or nothing', (t) => {
  t.equal(thresholdOf(2), always);
  t.equal(thresholdOf(Number.POSITIVE_INFINITY), always);
  t.equal(thresholdOf(0), never);
  t.equal(thresholdOf(-1), never);
  t.equal(thresholdOf(Number.NaN), never);
  t.equal(isKept('ffffffffffffff', thresholdOf(1e-30)), true, 'above 0 is not never');
  t.equal(probabilityOf(never), 0);
  t.equal(adjustedCount(never), Number.POSITIVE_INFINITY);
  t.equal(adjustedCount(always), 1);
  t.end();
});

t.test('nothing is written of `never`', (t) => {
  t.equal(writeThreshold(never), undefined);
  t.equal(justAbove('ffffffffffffff'), never);
  t.end();
});

t.test('reads th strictly', (t) => {
  t.equal(readThreshold('0'), always);
  t.equal(readThreshold('fd70a4'), 'fd70a400000000');
  t.equal(readThreshold('ffffffffffffff'), 'ffffffffffffff');
  for (const wrong of ['', 'C', 'g', ' c', 'c ', '0x1', 'fd70a4fd70a4fd7', never, '-1', 'c\n']) {
    t.equal(readThreshold(wrong), undefined, JSON.stringify(wrong));
  }
  t.end();
});

t.test('reads rv strictly', (t) => {
  t.equal(readRandom('6e6d1a75832a2f'), '6e6d1a75832a2f');
  for (const wrong of ['', '6e6d1a75832a2', '6e6d1a75832a2f0', '6E6d1a75832a2f', never, '6e6d1a75832a2f\n']) {
    t.equal(readRandom(wrong), undefined, JSON.stringify(wrong));
  }
  t.end();
});

t.test('a threshold is read as it was written, and is as exact as it has digits', (t) => {
  fc.assert(
    fc.property(probabilities, fc.integer({ min: 1, max: 14 }), (probability, precision) => {
      const threshold = thresholdOf(probability, precision);
      const text = writeThreshold(threshold)!;
      // What is rounded away is half of the last digit kept: of those after the leading f or 0, and at least one 2^-56.
      const rest = Math.min(probability, 1 - probability);
      const bound = Math.max(rest * 16 * 16 ** -precision, 2 ** -52);
      const error = Math.abs(probabilityOf(threshold) - probability);
      return readThreshold(text) === threshold && /^(0|[0-9a-f]{0,13}[1-9a-f])$/.test(text) && error <= bound;
    }),
    { numRuns: 2_000 },
  );
  t.end();
});

t.test('a higher probability has no higher threshold', (t) => {
  fc.assert(
    fc.property(probabilities, probabilities, (a, b) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      return thresholdOf(high) <= thresholdOf(low) && lower(thresholdOf(high), thresholdOf(low)) === thresholdOf(high);
    }),
  );
  t.end();
});

t.test('kept sets nest, and two stages keep what the higher threshold keeps', (t) => {
  fc.assert(
    fc.property(randoms, probabilities, probabilities, (random, a, b) => {
      const [first, second] = [thresholdOf(a), thresholdOf(b)];
      const both = isKept(random, first) && isKept(random, second);
      const either = isKept(random, first) || isKept(random, second);
      return both === isKept(random, higher(first, second)) && either === isKept(random, lower(first, second));
    }),
  );
  t.end();
});

t.test('compares as the numbers do, and the next threshold is the number above', (t) => {
  fc.assert(
    fc.property(randoms, randoms, (random, threshold) => {
      const isAbove = BigInt(`0x${random}`) >= BigInt(`0x${threshold}`);
      const next = justAbove(random);
      return (
        isKept(random, threshold) === isAbove && (next === never || BigInt(`0x${next}`) === BigInt(`0x${random}`) + 1n)
      );
    }),
  );
  t.end();
});

t.test('keeps its share of 100,000 traces, evenly in each part of them', (t) => {
  const seed = 20_261_121;
  t.comment(`seed ${seed}`);
  const random = seededRandom(seed);
  const ids = Array.from({ length: 100_000 }, () => randomValue(random));
  for (const probability of [1, 0.9, 0.5, 0.25, 0.1, 1 / 3, 0.01, 0.001]) {
    const threshold = thresholdOf(probability);
    const p = probabilityOf(threshold);
    const parts = new Float64Array(10);
    ids.forEach((id, index) => {
      if (isKept(id, threshold)) parts[index % 10]! += 1;
    });
    const variance = 10_000 * p * (1 - p);
    const chiSquare = parts.reduce((sum, kept) => sum + (kept - 10_000 * p) ** 2 / Math.max(variance, 1e-9), 0);
    // 29.6: one in a thousand is above it by chance, with ten degrees of freedom; and all of probability 1 are kept.
    t.ok(chiSquare < 29.6, `p ${probability}: chi-square ${chiSquare.toFixed(1)} of 10`);
    const sum = parts.reduce((all, kept) => all + kept, 0) * adjustedCount(threshold);
    const sigma = Math.sqrt((100_000 * (1 - p)) / p);
    t.ok(Math.abs(sum - 100_000) <= 3.5 * sigma, `p ${probability}: the kept stand for ${sum.toFixed(0)}`);
  }
  t.end();
});

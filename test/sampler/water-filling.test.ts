import fc from 'fast-check';
import t from 'tap';
import { type Share, waterFill } from '../../sampler/water-filling.ts';

function share(given: Partial<Share>): Share {
  return { arrivalsPerSecond: 100, weight: 1, wanted: 1, floor: 0, ...given };
}

function kept(shares: readonly Share[], probabilities: Float64Array): number {
  return shares.reduce((sum, { arrivalsPerSecond }, index) => sum + arrivalsPerSecond * probabilities[index]!, 0);
}

t.test('everybody gets what is wanted when it fits', (t) => {
  t.same([...waterFill([share({ wanted: 0.1 }), share({ wanted: 0.5, weight: 0 })], 60, 1)], [0.1, 0.5]);
  t.same([...waterFill([], 10, 1)], []);
  t.end();
});

t.test('the exponent says how the budget is shared', (t) => {
  const shares = [share({ arrivalsPerSecond: 100 }), share({ arrivalsPerSecond: 10_000 })];
  const perSecond = (exponent: number) => {
    const probabilities = waterFill(shares, 22, exponent);
    return shares.map(({ arrivalsPerSecond }, index) => Number((probabilities[index]! * arrivalsPerSecond).toFixed(3)));
  };
  t.same(perSecond(0), [11, 11]);
  t.same(perSecond(0.5), [2, 20]);
  t.same(perSecond(1), [0.218, 21.782]);
  t.end();
});

t.test('a weight that is next to nothing takes nothing from the others', (t) => {
  const shares = [share({}), share({ weight: 1e-30 })];
  t.same(
    [...waterFill(shares, 10, 1)].map((probability) => probability.toFixed(6)),
    ['0.100000', '0.000000'],
  );
  t.end();
});

t.test('what one leaves rises for the others', (t) => {
  const shares = [share({ wanted: 0.01 }), share({ weight: 1 }), share({ weight: 3 })];
  t.same(
    [...waterFill(shares, 41, 1)].map((probability) => probability.toFixed(6)),
    ['0.010000', '0.100000', '0.300000'],
  );
  t.end();
});

t.test('floors are given, even those of no weight, and when they alone are above the budget', (t) => {
  t.same([...waterFill([share({ floor: 0.3 }), share({ floor: 0.2, weight: 0 })], 10, 1)], [0.3, 0.2]);
  t.same([...waterFill([share({ wanted: 0.01, floor: 0.3 })], 1_000, 1)], [0.3], 'also above what was wanted');
  t.end();
});

t.test(
  'the budget is used up and not passed, more water gives nobody less, and no weight no more than a floor',
  (t) => {
    const number = (least: number, most: number) =>
      fc.double({ min: Math.log(least), max: Math.log(most), noNaN: true }).map(Math.exp);
    const shares = fc.array(
      fc.record({
        arrivalsPerSecond: number(1e-6, 1e6),
        weight: fc.oneof(fc.constant(0), number(1e-3, 1e6)),
        wanted: fc.oneof(fc.constantFrom(0, 1), number(1e-6, 1)),
        floor: fc.oneof(fc.constant(0), number(1e-6, 1)),
      }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(shares, number(1e-3, 1e5), fc.constantFrom(0, 0.5, 1), (shares, budget, exponent) => {
        const given = waterFill(shares, budget, exponent);
        const more = waterFill(shares, budget * 1.5, exponent);
        const floors = kept(
          shares,
          Float64Array.from(shares, ({ floor }) => floor),
        );
        const wanted = kept(
          shares,
          Float64Array.from(shares, ({ floor, wanted }) => Math.max(floor, wanted)),
        );
        const weighted = kept(
          shares,
          Float64Array.from(shares, ({ floor, wanted, weight }) => Math.max(floor, weight > 0 ? wanted : 0)),
        );
        const total = kept(shares, given);
        const isWithin = total <= Math.max(budget, floors) * (1 + 1e-9);
        const isUsed = total >= Math.min(Math.max(budget, floors), wanted <= budget ? wanted : weighted) * (1 - 1e-6);
        return (
          isWithin &&
          isUsed &&
          given.every((probability, index) => {
            const { floor, wanted } = shares[index]!;
            return (
              probability <= Math.max(floor, wanted) && probability >= floor && more[index]! >= probability * (1 - 1e-9)
            );
          })
        );
      }),
      { numRuns: 1_000 },
    );
    t.end();
  },
);

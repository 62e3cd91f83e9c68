import fc from 'fast-check';
import t from 'tap';
import { BottomK } from '../../sampler/bottom-k.ts';
import { always, isKept, justAbove } from '../../sampler/threshold.ts';

interface Item {
  readonly random: string;
  readonly sizeBytes: number;
  readonly name: string;
}

function item(random: number, name = String(random), sizeBytes = 1): Item {
  return { random: random.toString(16).padStart(14, '0'), sizeBytes, name };
}

function poolOf(traces: number, bytes = 1_000_000) {
  const dropped: string[] = [];
  const pool = new BottomK<Item>({ traces, bytes, windowMs: 1000 }, ({ name }) => dropped.push(name));
  const names = (items: readonly Item[]) => items.map(({ name }) => name).sort();
  return { pool, dropped, takeNames: () => names(pool.take({ traces, bytes, windowMs: 1000 }).kept) };
}

t.test('keeps the greatest, and its threshold is just above the greatest that it dropped', (t) => {
  const { pool, dropped } = poolOf(2);
  for (const random of [5, 9]) pool.offer(item(random));
  t.equal(pool.reached(), always);
  for (const random of [7, 1, 6, 8]) pool.offer(item(random));
  t.same(dropped, ['5', '1', '6', '7']);
  t.equal(pool.reached(), justAbove(item(7).random));
  const { kept, threshold, rare } = pool.take({ traces: 2, bytes: 1_000, windowMs: 1000 });
  t.same(kept.map(({ name }) => name).sort(), ['8', '9']);
  t.equal(threshold, justAbove(item(7).random));
  t.same(rare, []);
  t.equal(pool.reached(), always, 'the next window begins empty');
  t.end();
});

t.test('records of one trace count once and go together, also those that come later', (t) => {
  const { pool, dropped, takeNames } = poolOf(2);
  for (const [random, name] of [
    [5, '5 in'],
    [9, '9'],
    [5, '5 out'],
    [7, '7'],
    [5, '5 late'],
    [7, '7 more'],
  ] as const) {
    pool.offer(item(random, name));
  }
  t.same(dropped, ['5 in', '5 out', '5 late']);
  t.same(takeNames(), ['7', '7 more', '9']);
  t.end();
});

t.test('a pool of none drops all, and says that nothing greater was dropped', (t) => {
  const { pool, dropped, takeNames } = poolOf(0);
  pool.offer(item(3));
  t.same(dropped, ['3']);
  t.equal(pool.reached(), justAbove(item(3).random));
  t.same(takeNames(), []);
  t.end();
});

t.test('a guard of bytes drops the lowest traces, all of a trace that is too large among them', (t) => {
  const { pool, takeNames } = poolOf(10, 100);
  pool.offer(item(5, '5', 60));
  pool.offer(item(9, '9', 30));
  pool.offer(item(7, '7', 30));
  t.same(takeNames(), ['7', '9']);
  pool.offer(item(9, 'huge', 101));
  pool.offer(item(9, 'more of it', 1));
  t.same(takeNames(), []);
  t.end();
});

t.test('shrinks for the window that runs', (t) => {
  const { pool, dropped, takeNames } = poolOf(3);
  for (const random of [1, 2, 3]) pool.offer(item(random));
  pool.shrink(1);
  t.same(dropped, ['1', '2']);
  t.same(takeNames(), ['3']);
  for (const random of [1, 2, 3]) pool.offer(item(random));
  t.same(takeNames(), ['1', '2', '3']);
  t.end();
});

t.test('holds what sorting all of them gives', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 120 }),
      fc.integer({ min: 0, max: 12 }),
      (offered, k) => {
        const { pool, dropped } = poolOf(k);
        offered.forEach((random, index) => {
          pool.offer(item(random, `${random} ${index}`));
        });
        const reached = pool.reached();
        const { kept } = pool.take({ traces: k, bytes: 1, windowMs: 1000 });
        const traces = [...new Set(offered)].sort((a, b) => b - a);
        const expected = offered.filter((random) => traces.indexOf(random) < k).sort();
        const actual = kept.map(({ name }) => Number.parseInt(name, 10)).sort();
        const threshold = traces.length > k ? justAbove(item(traces[k]!).random) : always;
        return (
          JSON.stringify(actual) === JSON.stringify(expected) &&
          kept.length + dropped.length === offered.length &&
          reached === threshold &&
          kept.every(({ random }) => isKept(random, threshold))
        );
      },
    ),
    { numRuns: 500 },
  );
  t.end();
});

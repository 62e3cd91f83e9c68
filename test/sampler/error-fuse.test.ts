import fc from 'fast-check';
import t from 'tap';
import { ErrorFuse } from '../../sampler/error-fuse.ts';
import { always, isKept } from '../../sampler/threshold.ts';

interface Item {
  readonly random: string;
  readonly sizeBytes: number;
  readonly signature: number;
}

function item(random: number, signature: number): Item {
  return { random: random.toString(16).padStart(14, '0'), sizeBytes: 1, signature };
}

function fuseOf(traces: number, windowMs = 1000) {
  const dropped: Item[] = [];
  const limits = { traces, bytes: 1_000_000, windowMs };
  const fuse = new ErrorFuse<Item>(limits, (record) => dropped.push(record));
  const randoms = (items: readonly Item[]) =>
    items.map(({ random }) => Number.parseInt(random, 16)).sort((a, b) => a - b);
  const take = () => {
    const { kept, rare, threshold } = fuse.take(limits);
    return { kept: randoms(kept), rare: randoms(rare), threshold };
  };
  return { fuse, dropped, take };
}

/** Of 25, those in which an error of the lowest value is kept among a hundred others. */
function rareWindows(windowMs: number): readonly number[] {
  const { fuse, take } = fuseOf(4, windowMs);
  const rares: number[] = [];
  for (let window = 0; window < 25; window++) {
    fuse.offer(item(1, 7));
    for (let random = 100; random < 200; random++) fuse.offer(item(random, 8));
    if (take().rare.includes(1)) rares.push(window);
  }
  return rares;
}

t.test('all errors are kept, and counted as one each, up to the cap', (t) => {
  const { fuse, dropped, take } = fuseOf(4);
  for (const random of [1, 2, 3, 4]) fuse.offer(item(random, random));
  t.same(take(), { kept: [1, 2, 3, 4], rare: [], threshold: always });
  t.same(dropped, []);
  t.end();
});

t.test('above it one of each kind is kept for sure, others by their random values', (t) => {
  const { fuse, take } = fuseOf(4);
  fuse.offer(item(1, 7));
  for (let random = 100; random < 200; random++) fuse.offer(item(random, 8));
  const { kept, rare, threshold } = take();
  t.same(rare, [1, 100], 'the first of each kind');
  t.same(kept, [198, 199]);
  t.ok(isKept(item(198, 8).random, threshold!) && !isKept(item(197, 8).random, threshold!));
  t.end();
});

t.test('a kind that was kept is not guaranteed again for ten seconds, however long windows are', (t) => {
  t.same(rareWindows(1000), [0, 10, 20]);
  t.same(rareWindows(2500), [0, 4, 8, 12, 16, 20, 24]);
  t.end();
});

t.test('kinds take half of the places at most, however many there are', (t) => {
  const { fuse, take } = fuseOf(5);
  for (let window = 0; window < 3; window++) {
    for (let random = 1; random < 3000; random++) fuse.offer(item(random, window * 3000 + random));
    const { kept, rare } = take();
    t.equal(rare.length, 2);
    t.same(kept, [2997, 2998, 2999]);
  }
  t.end();
});

t.test('never more than the cap, and each error is kept, rare or dropped once', (t) => {
  const errors = fc.array(fc.tuple(fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: 0, max: 9 })), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(fc.array(errors, { maxLength: 4 }), fc.integer({ min: 0, max: 9 }), (windows, cap) => {
      const { fuse, dropped, take } = fuseOf(cap);
      return windows.every((offered) => {
        dropped.length = 0;
        for (const [random, signature] of offered) fuse.offer(item(random, signature));
        const { kept, rare } = take();
        const traces = new Set([...kept, ...rare]).size;
        const all = new Set(offered.map(([random]) => random)).size;
        return (
          traces <= cap &&
          kept.length + rare.length + dropped.length === offered.length &&
          (all > cap || dropped.length === 0)
        );
      });
    }),
    { numRuns: 500 },
  );
  t.end();
});

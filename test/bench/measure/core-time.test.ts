// Core times from /proc/stat.
import t from 'tap';
import { busyShare, elapsedCoreTime, parseCoreTimes, stealShare } from '../../../bench/measure/core-time.ts';

const SAMPLE = `cpu  300 0 200 1000 20 0 10 15 0 0
cpu0 100 1 100 700 10 2 5 5 0 0
cpu1 200 0 100 300 10 0 5 10 0 0
intr 572351 0 0
ctxt 1603992
`;

t.test('each core is read, the sum of all is not', async (t) => {
  t.same(parseCoreTimes(SAMPLE), [
    { busyMs: 2080, idleMs: 7100, stealMs: 50 },
    { busyMs: 3050, idleMs: 3100, stealMs: 100 },
  ]);
});

t.test('shares are of the time that passed', async (t) => {
  const before = { busyMs: 100, idleMs: 100, stealMs: 0 };
  const elapsed = elapsedCoreTime(before, { busyMs: 180, idleMs: 110, stealMs: 10 });
  t.equal(busyShare(elapsed), 0.8);
  t.equal(stealShare(elapsed), 0.1);
  t.equal(stealShare(elapsedCoreTime(before, before)), 0);
});

t.test('a line that is cut off is refused', async (t) => {
  t.throws(() => parseCoreTimes('cpu0 1 2 3\n'), /not a core/);
});

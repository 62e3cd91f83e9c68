// The verdict of the soak.
import t from 'tap';
import { judgeGrowth, type ResourceSample } from '../../../bench/measure/growth.ts';

const MOST = 560;

const samples = (rssAt: (index: number) => number, fdsAt: (index: number) => number): ResourceSample[] =>
  Array.from({ length: 60 }, (_, index) => ({
    rssBytes: rssAt(index),
    fileDescriptors: fdsAt(index),
    upstreamConnections: 500,
  }));

t.test('a heap that fills up during warm-up only has not grown', async (t) => {
  const filling = samples(
    (index) => Math.min(index, 10) * 1e6 + 5e7,
    () => 40,
  );
  t.match(judgeGrowth(filling, MOST), { rssGrowthShare: 0, fileDescriptorGrowth: 0, grew: false });
});

t.test('a slow steady leak of memory is growth', async (t) => {
  const leaking = samples(
    (index) => 5e7 + index * 1e5,
    () => 40,
  );
  t.ok(judgeGrowth(leaking, MOST).grew);
});

t.test('a slow steady leak of file descriptors is growth', async (t) => {
  const leaking = samples(
    () => 5e7,
    (index) => 40 + index,
  );
  t.ok(judgeGrowth(leaking, MOST).grew);
});

t.test('more upstream connections than the load ever had are growth', async (t) => {
  const steady = samples(
    () => 5e7,
    () => 40,
  );
  t.notOk(judgeGrowth(steady, 500).grew);
  t.ok(judgeGrowth(steady, 499).grew);
});

t.test('single high samples are not growth', async (t) => {
  const noisy = samples(
    (index) => (index % 9 === 0 ? 9e7 : 5e7),
    () => 40,
  );
  t.notOk(judgeGrowth(noisy, MOST).grew);
});

t.test('too few samples give no verdict', async (t) => {
  const few = samples(
    () => 1,
    () => 1,
  ).slice(0, 6);
  t.throws(() => judgeGrowth(few, MOST), /too few/);
});

// The verdict of the soak.
import t from 'tap';
import { judgeGrowth, type ResourceSample } from '../../../bench/measure/growth.ts';

const samples = (rssAt: (index: number) => number, fdsAt: (index: number) => number): ResourceSample[] =>
  Array.from({ length: 60 }, (_, index) => ({ rssBytes: rssAt(index), fileDescriptors: fdsAt(index) }));

t.test('a heap that fills up during warm-up only has not grown', async (t) => {
  const verdict = judgeGrowth(
    samples(
      (index) => Math.min(index, 10) * 1e6 + 5e7,
      () => 40,
    ),
  );
  t.same(verdict, { rssGrowthShare: 0, fileDescriptorGrowth: 0, grew: false });
});

t.test('a slow steady leak of memory is growth', async (t) => {
  t.ok(
    judgeGrowth(
      samples(
        (index) => 5e7 + index * 1e5,
        () => 40,
      ),
    ).grew,
  );
});

t.test('a slow steady leak of file descriptors is growth', async (t) => {
  t.ok(
    judgeGrowth(
      samples(
        () => 5e7,
        (index) => 40 + index,
      ),
    ).grew,
  );
});

t.test('single high samples are not growth', async (t) => {
  t.notOk(
    judgeGrowth(
      samples(
        (index) => (index % 9 === 0 ? 9e7 : 5e7),
        () => 40,
      ),
    ).grew,
  );
});

t.test('too few samples give no verdict', async (t) => {
  t.throws(
    () =>
      judgeGrowth(
        samples(
          () => 1,
          () => 1,
        ).slice(0, 6),
      ),
    /too few/,
  );
});

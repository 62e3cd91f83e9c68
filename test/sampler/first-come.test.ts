import t from 'tap';
import { FirstCome } from '../../sampler/first-come.ts';
import { always, never } from '../../sampler/threshold.ts';

t.test('keeps the first traces of a window, whatever their random values, and knows no threshold', (t) => {
  const dropped: string[] = [];
  const limits = { traces: 2, bytes: 100, windowMs: 1000 };
  const pool = new FirstCome<{ random: string; sizeBytes: number }>(limits, ({ random }) => dropped.push(random));
  pool.offer({ random: 'a', sizeBytes: 1 });
  t.equal(pool.reached(), always);
  for (const random of ['1', 'f', 'a', '2']) pool.offer({ random, sizeBytes: 1 });
  pool.offer({ random: '1', sizeBytes: 99 });
  t.equal(pool.reached(), never);
  t.same(dropped, ['f', '2', '1'], 'the last for its size');
  const { kept, threshold, rare } = pool.take(limits);
  t.same(
    kept.map(({ random }) => random),
    ['a', '1', 'a'],
  );
  t.equal(threshold, null);
  t.same(rare, []);
  pool.offer({ random: 'f', sizeBytes: 100 });
  t.equal(pool.take(limits).kept.length, 1, 'the next window has places and bytes again');
  t.end();
});

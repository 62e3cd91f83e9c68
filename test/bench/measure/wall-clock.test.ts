// Wall time of a moment.
import t from 'tap';
import { wallMicros } from '../../../bench/measure/wall-clock.ts';

t.test('a moment lies between the wall clock before and after it', async (t) => {
  const before = Date.now();
  const moment = performance.now();
  const after = Date.now();
  const micros = wallMicros(moment);
  t.ok(micros >= before * 1000 - 100 && micros <= (after + 1) * 1000 + 100, `${before} ${micros} ${after}`);
});

t.test('differences are those of the moments', async (t) => {
  const difference = wallMicros(500) - wallMicros(400);
  t.ok(Math.abs(difference - 100_000) < 1000, `${difference}`);
});

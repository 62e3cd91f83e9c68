// p99 of requests that the host did not hold up.
import t from 'tap';
import { undisturbedOf } from '../../../bench/load/undisturbed.ts';
import { HostPauses } from '../../../bench/measure/host-pauses.ts';

const outcome = (dueMs: readonly number[], answeredMs: readonly number[]) => ({
  requests: dueMs.length,
  p50Micros: 1_000,
  p99Micros: 50_000,
  lagP99Micros: 10,
  times: { dueMs, answeredMs },
});

t.test('a request counts by its whole time, from when it was due', async (t) => {
  const pauses = new HostPauses([{ fromMs: 1_000, toMs: 1_050 }]);
  const held = outcome([100, 990, 1_020, 1_110], [102, 1_051, 1_052, 1_113]);
  const told = undisturbedOf(held, pauses);
  t.equal(told.undisturbed.requests, 2);
  t.ok(told.undisturbed.p99Micros >= 3_000 && told.undisturbed.p99Micros < 3_000 * (1 + 1 / 64));
  t.match(told, { requests: 4, p50Micros: 1_000, p99Micros: 50_000, lagP99Micros: 10 }, 'and all stay as they came');
  t.notOk('times' in told);
});

t.test('of a run in which every request was held up nothing is said', async (t) => {
  const pauses = new HostPauses([{ fromMs: 0, toMs: 1_000 }]);
  t.throws(() => undisturbedOf(outcome([1, 2], [3, 4]), pauses), /held up every request/);
});

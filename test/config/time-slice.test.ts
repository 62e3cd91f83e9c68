import t from 'tap';
import { isDoneInSlice, takeAllSteps, takeInSlices } from '../../config/time-slice.ts';

/** Steps that move the clock, and say which were taken. */
function make(stepsMs: readonly number[]) {
  const taken: number[] = [];
  let nowMs = 1000;
  function* run(): Generator<void, string> {
    for (const stepMs of stepsMs) {
      nowMs += stepMs;
      taken.push(stepMs);
      yield;
    }
    return 'all';
  }
  return { steps: run(), taken, clock: () => nowMs };
}

t.test('a slice takes steps until three milliseconds have passed', async (t) => {
  const { steps, taken, clock } = make([1, 1, 1, 2, 2]);
  t.equal(isDoneInSlice(steps, clock), false);
  t.same(taken, [1, 1, 1]);
  t.equal(isDoneInSlice(steps, clock), false, 'the last step was not found to be the last');
  t.same(taken, [1, 1, 1, 2, 2]);
  t.equal(isDoneInSlice(steps, clock), true);
});

t.test('a slice has one step at least, however long it is', async (t) => {
  const { steps, taken, clock } = make([50, 50]);
  isDoneInSlice(steps, clock);
  t.same(taken, [50]);
});

t.test('a clock that was set back ends a slice', async (t) => {
  const { steps, taken, clock } = make([1, -10, 1]);
  t.equal(isDoneInSlice(steps, clock), false);
  t.same(taken, [1, -10]);
});

t.test('what is left of a slice is put off, until nothing is', async (t) => {
  const { steps, taken, clock } = make([2, 2, 2, 2]);
  const deferred: (() => void)[] = [];
  takeInSlices(steps, clock, (callback) => deferred.push(callback));
  t.same(taken, [2, 2]);
  deferred.pop()!();
  t.same(taken, [2, 2, 2, 2]);
  deferred.pop()!();
  t.same(deferred, []);
});

t.test('steps that are taken at once return what the last one does', async (t) => {
  const { steps, taken } = make([1, 50]);
  t.equal(takeAllSteps(steps), 'all');
  t.same(taken, [1, 50]);
});

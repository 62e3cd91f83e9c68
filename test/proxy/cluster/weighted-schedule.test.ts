import fc from 'fast-check';
import t from 'tap';
import { unevenWeights, WeightedSchedule } from '../../../proxy/cluster/weighted-schedule.ts';

/** The next `count` items when weights do not change. */
function take(weights: readonly number[], count: number): number[] {
  const schedule = new WeightedSchedule(Float64Array.from(weights));
  return Array.from({ length: count }, () => {
    const { next } = schedule;
    schedule.reschedule(weights[next]!);
    return next;
  });
}

t.test('items of equal weight come in turn', (t) => {
  t.same(take([3, 3, 3], 7), [0, 1, 2, 0, 1, 2, 0]);
  t.same(take([9], 3), [0, 0, 0]);
  t.end();
});

t.test('a heavy item is spread between the others', (t) => {
  t.same(take([4, 2, 1, 1], 8), [0, 1, 0, 0, 2, 3, 1, 0]);
  t.end();
});

t.test('a new weight counts from the next turn on', (t) => {
  const schedule = new WeightedSchedule(Float64Array.of(1, 1));
  t.equal(schedule.next, 0);
  t.equal(schedule.next, 0, 'looking changes nothing');
  schedule.reschedule(0.25);
  const order = Array.from({ length: 5 }, () => {
    const { next } = schedule;
    schedule.reschedule(1);
    return next;
  });
  t.same(order, [1, 1, 1, 1, 0], 'the lighter one is due four turns later');
  t.end();
});

t.test('who weighs more than before waits for less of its turn, who weighs less for more', (t) => {
  const schedule = new WeightedSchedule(Float64Array.of(1, 1 / 8, 1 / 2));
  const weights = [1, 1 / 8, 1 / 2];
  const take = () => {
    const { next } = schedule;
    schedule.reschedule(weights[next]!);
    return next;
  };
  t.same([take(), take(), take()], [0, 2, 0], 'the light one is due in five turns');
  const before = Float64Array.from(weights);
  weights[1] = 1;
  weights[2] = 1 / 16;
  schedule.rescale(before, Float64Array.from(weights));
  const order = Array.from({ length: 16 }, take);
  t.ok(order.indexOf(1) <= 1, `${order}`);
  t.ok(Math.abs(order.filter((item) => item === 1).length - 8) <= 1, `${order}`);
  t.ok(order.filter((item) => item === 2).length <= 1, `${order}`);
  t.end();
});

t.test('is the order of a list that is searched for the earliest deadline each time', (t) => {
  // Powers of two, so that deadlines are exact and equal ones really are.
  const weights = fc.array(fc.constantFrom(1, 2, 4, 8, 16), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(weights, (weights) => {
      const queue = weights.map((weight, item) => ({ item, deadline: 1 / weight, order: item }));
      queue.sort((a, b) => a.deadline - b.deadline || a.item - b.item);
      const expected: number[] = [];
      for (let turn = 0; turn < 100; turn++) {
        queue.sort((a, b) => a.deadline - b.deadline || a.order - b.order);
        const due = queue[0]!;
        expected.push(due.item);
        due.deadline += 1 / weights[due.item]!;
        due.order = weights.length + turn;
      }
      return expected.every((item, turn) => item === take(weights, turn + 1)[turn]);
    }),
    { numRuns: 30 },
  );
  t.end();
});

t.test('shares stay exact over millions of turns', (t) => {
  const weights = [1, 3, 7, 1000];
  const counts = [0, 0, 0, 0];
  const turns = 1011 * 2000;
  for (const item of take(weights, turns)) counts[item]! += 1;
  for (const [item, weight] of weights.entries())
    t.ok(Math.abs(counts[item]! - weight * 2000) <= 1, `${weight}: ${counts[item]}`);
  t.end();
});

t.test('weights that are alike need no schedule, others are copied', (t) => {
  t.equal(unevenWeights([{ weight: 3 }, { weight: 3 }]), null);
  t.equal(unevenWeights([{ weight: 3 }]), null);
  const items = [{ weight: 1 }, { weight: 2 }];
  const weights = unevenWeights(items);
  items[0]!.weight = 5;
  t.same(weights, Float64Array.of(1, 2));
  t.end();
});

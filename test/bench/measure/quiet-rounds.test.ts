import t from 'tap';
import { QuietRounds } from '../../../bench/measure/quiet-rounds.ts';

t.test('quiet rounds are enough by themselves', async (t) => {
  const rounds = new QuietRounds<string>(2);
  rounds.add('first', 0);
  t.notOk(rounds.isComplete);
  rounds.add('second', 0.005);
  t.ok(rounds.isComplete);
  t.same(rounds.select(), { rounds: ['first', 'second'], discarded: 0, mostStealShare: 0.005 });
});

t.test(
  'disturbed rounds are repeated as often as rounds were wanted, then the quietest count, in their order',
  async (t) => {
    const rounds = new QuietRounds<string>(2);
    for (const [name, steal] of [
      ['first', 0.2],
      ['second', 0.05],
      ['third', 0.1],
    ] as const) {
      rounds.add(name, steal);
      t.notOk(rounds.isComplete);
    }
    rounds.add('fourth', 0.02);
    t.ok(rounds.isComplete);
    t.same(rounds.select(), { rounds: ['second', 'fourth'], discarded: 2, mostStealShare: 0.05 });
  },
);

t.test('one quiet round among disturbed ones always counts', async (t) => {
  const rounds = new QuietRounds<string>(1);
  rounds.add('disturbed', 0.5);
  rounds.add('quiet', 0);
  t.same(rounds.select(), { rounds: ['quiet'], discarded: 1, mostStealShare: 0 });
});

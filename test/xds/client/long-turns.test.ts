import t from 'tap';
import { LongTurns } from '../../../xds/client/long-turns.ts';
import { HandClock } from '../../support/discovery-fixtures.ts';

function make() {
  const time = new HandClock();
  const turns = new LongTurns(time.defer);
  const seen: string[] = [];
  const defer = (text: string) => turns.defer(() => seen.push(text));
  return { time, turns, seen, defer };
}

t.test('without a long turn the end of a turn is that of the event loop', async (t) => {
  const { time, seen, defer } = make();
  defer('a');
  t.same(seen, []);
  time.endTurn();
  t.same(seen, ['a']);
});

t.test('the end of a long turn is waited for by all who asked before and in the middle of it', async (t) => {
  const { time, turns, seen, defer } = make();
  defer('before');
  turns.begin();
  for (let turn = 0; turn < 3; turn++) {
    defer(`in ${turn}`);
    time.endTurn();
  }
  t.same(seen, []);
  turns.end();
  defer('behind');
  time.endTurn();
  t.same(seen, ['before', 'in 0', 'in 1', 'in 2', 'behind']);
});

t.test('of two that overlap both are waited for', async (t) => {
  const { time, turns, seen, defer } = make();
  turns.begin();
  defer('a');
  time.endTurn();
  turns.begin();
  turns.end();
  time.endTurn();
  t.same(seen, []);
  turns.end();
  turns.begin();
  time.endTurn();
  t.same(seen, [], 'nor does it end when another begins at once');
  turns.end();
  time.endTurn();
  t.same(seen, ['a']);
});

t.test('work that is cut into turns goes on in the middle of a long one', async (t) => {
  const { time, turns, seen } = make();
  turns.begin();
  turns.later(() => seen.push('slice'));
  time.endTurn();
  t.same(seen, ['slice']);
});

import t from 'tap';
import { LongTurns } from '../../../xds/client/long-turns.ts';
import { ResponseLine } from '../../../xds/client/response-line.ts';
import { HandClock } from '../../support/discovery-fixtures.ts';

/** Each step takes as long as a slice, unless it is said. */
function make(
  stepsOf: (response: string) => number | undefined,
  stepMs = 5,
  time = new HandClock(),
  turns = new LongTurns(time.defer),
) {
  const seen: string[] = [];
  let isOver = false;
  const line = new ResponseLine<string>({
    prepare: (response) => {
      const steps = stepsOf(response);
      return steps === undefined ? undefined : stepping(response, steps);
    },
    takeOver: (response) => stepping(`${response}+`, response.startsWith('slow') ? 3 : 0),
    answer: (response) => {
      seen.push(response);
      if (response === 'end') line.finish();
    },
    bytesOf: (response) => (response === 'x' ? 40 * 1024 * 1024 : response.startsWith('small') ? 1024 : 100 * 1024),
    isOver: () => isOver,
    clock: time.clock,
    turns,
  });
  function* stepping(response: string, steps: number): Generator<void> {
    for (let step = 1; step <= steps; step++) {
      seen.push(`${response}${step}`);
      time.nowMs += stepMs;
      yield;
    }
  }
  const end = (): void => {
    isOver = true;
  };
  return { line, time, turns, seen, end };
}

t.test('a small response is delivered at once', async (t) => {
  const { line, seen } = make(() => 1);
  line.add('small');
  t.same(seen, ['small']);
  t.ok(line.isIdle);
});

t.test('a large response is taken over in slices, too, and what comes meanwhile waits behind it', async (t) => {
  const { line, time, seen } = make((response) => (response === 'slow a' ? undefined : 1));
  line.add('slow a');
  time.endTurn();
  t.same(seen, ['slow a+1']);
  for (const response of ['small', 'slow b']) line.add(response);
  time.endTurn();
  time.endTurn();
  t.same(seen.slice(1), ['slow a+2', 'slow a+3']);
  time.endTurn();
  t.same(seen.slice(3), ['slow a'], 'b is prepared before what came with it is delivered');
  for (let turn = 0; turn < 9; turn++) time.endTurn();
  t.same(seen.slice(4), ['slow b1', 'small', 'slow b+1', 'slow b+2', 'slow b+3', 'slow b']);
  t.ok(line.isIdle);
});

t.test(
  'what waits for the end of a turn waits for all that came in one, until the last of it was answered',
  async (t) => {
    const { line, time, turns, seen } = make(() => undefined);
    for (const response of ['slow a', 'slow b']) line.add(response);
    time.endTurn();
    turns.defer(() => seen.push('turn'));
    for (let turn = 0; turn < 12; turn++) time.endTurn();
    t.same(
      seen.filter((each) => !each.includes('+')),
      ['slow a', 'slow b', 'turn'],
    );
  },
);

t.test('the end of a turn comes between what came in one and what came in the next', async (t) => {
  const { line, time, turns, seen } = make(() => undefined);
  line.add('slow a');
  time.endTurn();
  turns.defer(() => seen.push('turn'));
  line.add('slow b');
  time.endTurn();
  line.add('small');
  for (let turn = 0; turn < 12; turn++) {
    if (seen.at(-1) === 'slow b+1') turns.defer(() => seen.push('turn'));
    time.endTurn();
  }
  t.same(
    seen.filter((each) => !each.includes('+')),
    ['slow a', 'turn', 'slow b', 'turn', 'small'],
  );
  t.ok(line.isIdle);
});

t.test('a turn ends though each of two streams always has the next large response', async (t) => {
  const one = make(() => undefined);
  const { time, turns } = one;
  const other = make(() => undefined, 5, time, turns);
  let turn = 0;
  const endedAt: number[] = [];
  turns.defer(() => endedAt.push(turn));
  one.line.add('slow 0');
  for (turn = 1; turn < 60; turn++) {
    time.endTurn();
    if (turn === 20) turns.defer(() => endedAt.push(turn));
    if (turn % 2 === 0) (turn % 4 === 0 ? one : other).line.add(`slow ${turn}`);
  }
  t.equal(endedAt.length, 2);
  t.ok(endedAt[1]! < 40, `${endedAt}`);
  const answered = [...one.seen, ...other.seen].filter((each) => !each.includes('+'));
  t.ok(answered.length > 10, `${answered}`);
});

t.test(
  'a stream that ends while a response is taken over has the rest of it taken over, once, and what waits',
  async (t) => {
    const { line, time, turns, seen } = make(() => undefined);
    line.add('slow a');
    time.endTurn();
    line.add('slow b');
    line.finish();
    turns.defer(() => seen.push('turn'));
    for (let turn = 0; turn < 9; turn++) time.endTurn();
    const of = (response: string) => [1, 2, 3].map((step) => `${response}+${step}`);
    t.same(seen, [...of('slow a'), 'slow a', ...of('slow b'), 'slow b', 'turn']);
  },
);

t.test('who stops in the middle has what was begun taken over, and nothing is answered', async (t) => {
  const { line, time, turns, seen, end } = make(() => undefined);
  for (const response of ['slow a', 'slow b']) line.add(response);
  time.endTurn();
  line.complete();
  end();
  turns.defer(() => seen.push('turn'));
  for (let turn = 0; turn < 9; turn++) time.endTurn();
  t.same(seen, ['slow a+1', 'slow a+2', 'slow a+3', 'turn'], 'and nobody waits for the turn of what is not taken over');
});

t.test('a slice of steps is made in each turn, and what comes in later turns waits behind', async (t) => {
  const { line, time, seen } = make((response) => (response === 'b' ? undefined : 2));
  line.add('a');
  t.same([seen, line.isIdle], [[], false]);
  time.endTurn();
  t.same(seen, ['a1']);
  for (const response of ['b', 'small']) line.add(response);
  time.endTurn();
  t.same(seen, ['a1', 'a2']);
  line.add('c');
  time.endTurn();
  t.same(seen.slice(2), ['a']);
  time.endTurn();
  t.same(seen.slice(3), ['b', 'small'], 'c is prepared when what came before it is delivered');
  for (let turn = 0; turn < 4; turn++) time.endTurn();
  t.same(seen.slice(5), ['c1', 'c2', 'c']);
  line.add('b');
  time.endTurn();
  t.equal(seen.at(-1), 'b');
  t.ok(line.isIdle);
});

t.test('a slice has as many steps as there is time for, by the clock', async (t) => {
  const { line, time, seen } = make(() => 7, 1);
  line.add('a');
  time.endTurn();
  t.same(seen, ['a1', 'a2', 'a3']);
  time.endTurn();
  t.equal(seen.length, 6);
  time.endTurn();
  t.equal(seen.at(-1), 'a');
});

t.test('a clock that is set back ends a slice', async (t) => {
  const { line, time, seen } = make(() => 3, -1000);
  line.add('a');
  time.endTurn();
  t.same(seen, ['a1']);
});

t.test('what came in one turn is delivered in one, when all of it is prepared', async (t) => {
  const { line, time, seen } = make((response) => (response === 'b' ? undefined : 1));
  for (const response of ['a', 'b', 'c']) line.add(response);
  time.endTurn();
  time.endTurn();
  t.same(seen, ['a1']);
  line.add('later');
  time.endTurn();
  time.endTurn();
  t.same(seen, ['a1', 'c1', 'a', 'b', 'c']);
  for (let turn = 0; turn < 3; turn++) time.endTurn();
  t.same(seen.slice(5), ['later1', 'later']);
});

t.test('nothing is delivered when it is over', async (t) => {
  const { line, time, seen, end } = make(() => 2);
  line.add('a');
  line.add('b');
  time.endTurn();
  end();
  for (let turn = 0; turn < 9; turn++) time.endTurn();
  line.finish();
  t.same(seen, ['a1']);
});

t.test('what waits is delivered when no more comes, in order, and once', async (t) => {
  const { line, time, seen } = make(() => 2);
  line.add('a');
  time.endTurn();
  for (const response of ['small 1', 'b']) line.add(response);
  line.finish();
  for (let turn = 0; turn < 9; turn++) time.endTurn();
  t.same(seen, ['a1', 'a', 'small 1', 'b']);
  t.ok(line.isIdle);
  line.add('c');
  for (let turn = 0; turn < 3; turn++) time.endTurn();
  t.same(seen.slice(4), ['c1', 'c2', 'c'], 'a line goes on behind it');
});

t.test('one that ends its stream has what waits delivered behind it', async (t) => {
  const { line, time, turns, seen } = make((response) => (response === 'b' ? 5 : 1));
  for (const response of ['a', 'end', 'small']) line.add(response);
  time.endTurn();
  line.add('b');
  for (let turn = 0; turn < 9; turn++) time.endTurn();
  t.same(seen, ['a1', 'end1', 'a', 'end', 'small', 'b']);
  line.add('slow c');
  for (let turn = 0; turn < 2; turn++) time.endTurn();
  turns.defer(() => seen.push('turn'));
  for (let turn = 0; turn < 9; turn++) time.endTurn();
  t.same(seen.slice(-2), ['slow c', 'turn'], 'and long turns are as before');
});

t.test(
  'a peer that goes on sending does not fill memory: too much behind the first is delivered at once, in order',
  async (t) => {
    const { line, time, seen } = make((response) => (response === 'a' ? 2 : undefined));
    for (const response of ['a', 'x']) line.add(response);
    time.endTurn();
    t.same(seen, ['a1'], 'one more may wait');
    for (const response of ['b', 'x']) line.add(response);
    t.same(seen, ['a1', 'a', 'x', 'b', 'x']);
    line.add('a');
    for (let turn = 0; turn < 3; turn++) time.endTurn();
    t.same(seen.slice(5), ['a1', 'a2', 'a'], 'steps that were given up are not made, and the next ones are');
    for (let round = 0; round < 3; round++) {
      for (const response of ['a', 'x']) line.add(response);
      for (let turn = 0; turn < 3; turn++) time.endTurn();
      t.same(seen.slice(-4), ['a1', 'a2', 'a', 'x'], 'what was delivered waits no more');
    }
  },
);

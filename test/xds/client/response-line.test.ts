import t from 'tap';
import { ResponseLine } from '../../../xds/client/response-line.ts';
import { HandClock } from '../../support/discovery-fixtures.ts';

function make(stepsOf: (response: string) => number | undefined) {
  const time = new HandClock();
  const seen: string[] = [];
  let isOver = false;
  const line = new ResponseLine<string>({
    prepare: (response) => {
      const steps = stepsOf(response);
      return steps === undefined ? undefined : stepping(response, steps, seen);
    },
    deliver: (response) => seen.push(response),
    bytesOf: (response) => (response === 'x' ? 40 * 1024 * 1024 : 1024),
    isOver: () => isOver,
    defer: time.defer,
  });
  const end = (): void => {
    isOver = true;
  };
  return { line, time, seen, end };
}

function* stepping(response: string, steps: number, seen: string[]): Generator<void> {
  for (let step = 1; step <= steps; step++) {
    seen.push(`${response}${step}`);
    yield;
  }
}

t.test('a response that needs no preparing is delivered at once', async (t) => {
  const { line, seen } = make(() => undefined);
  line.add('a');
  line.add('b');
  t.same(seen, ['a', 'b']);
});

t.test('a step is made in each turn, and what comes meanwhile waits behind', async (t) => {
  const { line, time, seen } = make((response) => (response === 'b' ? undefined : 2));
  for (const response of ['a', 'b', 'c']) line.add(response);
  t.same(seen, []);
  time.endTurn();
  t.same(seen, ['a1']);
  time.endTurn();
  t.same(seen, ['a1', 'a2']);
  time.endTurn();
  t.same(seen, ['a1', 'a2', 'a', 'b'], 'c is prepared when it is the first');
  for (let turn = 0; turn < 3; turn++) time.endTurn();
  t.same(seen, ['a1', 'a2', 'a', 'b', 'c1', 'c2', 'c']);
  line.add('b');
  t.equal(seen.at(-1), 'b');
});

t.test('nothing is delivered when it is over', async (t) => {
  const { line, time, seen, end } = make(() => 2);
  line.add('a');
  line.add('b');
  time.endTurn();
  end();
  for (let turn = 0; turn < 9; turn++) time.endTurn();
  t.same(seen, ['a1']);
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
      for (let turn = 0; turn < 2; turn++) time.endTurn();
      t.equal(seen.at(-1), 'a2', 'what was delivered waits no more');
      time.endTurn();
    }
  },
);

import t from 'tap';
import { NameTimers } from '../../../xds/client/name-timers.ts';
import { HandClock } from '../../support/discovery-fixtures.ts';

function timers() {
  const time = new HandClock();
  const due: string[] = [];
  return { time, due, timers: new NameTimers(time.schedule, (name) => due.push(name)) };
}

t.test('a name is due once, at the time that was set last', async (t) => {
  const { time, due, timers: names } = timers();
  names.start('a', 10);
  names.start('b', 10);
  names.start('a', 20);
  time.advance(15);
  t.same(due, ['b']);
  time.advance(100);
  t.same(due, ['b', 'a']);
});

t.test('what is cancelled is not due', async (t) => {
  const { time, due, timers: names } = timers();
  for (const name of ['a', 'b', 'c']) names.start(name, 10);
  names.cancel('a');
  names.cancel('never started');
  time.advance(10);
  t.same(due, ['b', 'c']);
  names.start('d', 10);
  names.cancelAll();
  t.same(time.waits, []);
});

t.test('a time that is longer than a timer can be is waited for in parts', async (t) => {
  const { time, due, timers: names } = timers();
  const monthMs = 30 * 24 * 3600 * 1000;
  names.start('a', monthMs);
  t.ok(time.waits[0]! < 2 ** 31);
  time.advance(monthMs - 1);
  t.same(due, []);
  time.advance(1);
  t.same(due, ['a']);
});

t.test(
  'what becomes due behind an arrival is due once that was handled, unless it is cancelled or set anew',
  async (t) => {
    const { time, due, timers: names } = timers();
    for (const name of ['a', 'b', 'c']) names.start(name, 10);
    names.onArrival();
    time.advance(10);
    names.onArrival();
    names.cancel('b');
    names.start('c', 10);
    t.same(due, []);
    names.onHandled();
    t.same(due, ['a'], 'the later arrival is not waited for');
    time.advance(10);
    t.same(due, ['a']);
    names.onHandled();
    t.same(due, ['a', 'c']);
    names.start('d', 10);
    names.onArrival();
    time.advance(10);
    names.cancelAll();
    names.onHandled();
    t.same(due, ['a', 'c']);
  },
);

t.test('what becomes due behind two arrivals is not due before both were handled', async (t) => {
  const { time, due, timers: names } = timers();
  names.onArrival();
  names.onArrival();
  names.start('a', 10);
  time.advance(10);
  names.onHandled();
  t.same(due, []);
  names.onHandled();
  t.same(due, ['a']);
});

import t from 'tap';
import { TimerWheel } from '../../../proxy/reactor/timer-wheel.ts';
import { startDrainSequence } from '../../../proxy/worker/drain-sequence.ts';

/** A listener of 1,000 connections that leave as the sequence says: by the exact share, not by chance. */
function drain(strategy: 'gradual' | 'immediate') {
  const events: string[] = [];
  const timers = new TimerWheel(0);
  let open = 1000;
  const listener = {
    drain: () => {
      events.push('drain');
      open = 0;
    },
    drainSome: (probability: number) => {
      open -= open * probability;
    },
  };
  startDrainSequence({ timers, strategy, drainTimeMs: 10_000, listeners: [listener] });
  const advanceTo = (nowMs: number) => {
    for (let at = 10; at <= nowMs; at += 10) {
      timers.observe(at);
      timers.advance(at);
    }
  };
  return { events, advanceTo, open: () => Math.round(open) };
}

t.test('gradually, as many leave in each part of the drain time as in any other', (t) => {
  const { events, advanceTo, open } = drain('gradual');
  t.equal(open(), 1000);
  for (const [atMs, left] of [
    [2600, 750],
    [5100, 500],
    [7600, 250],
  ] as const) {
    advanceTo(atMs);
    t.equal(open(), left, `after ${atMs} ms`);
  }
  t.same(events, []);
  advanceTo(10_100);
  t.equal(open(), 0);
  t.same(events, ['drain'], 'then those that came since');
  t.end();
});

t.test('immediately, all are asked at once', (t) => {
  const { events, advanceTo } = drain('immediate');
  t.same(events, ['drain']);
  advanceTo(9000);
  t.same(events, ['drain']);
  advanceTo(10_100);
  t.same(events, ['drain', 'drain']);
  t.end();
});

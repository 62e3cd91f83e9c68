import fc from 'fast-check';
import t from 'tap';
import { Deadlines } from '../../../proxy/reactor/deadlines.ts';
import type { Reactor } from '../../../proxy/reactor/reactor.ts';
import { TimerWheel } from '../../../proxy/reactor/timer-wheel.ts';

class FakeClock {
  readonly timers = new TimerWheel(0);
  nowMs = 0;
  /** How often a timer was armed. */
  schedules = 0;

  constructor() {
    const { timers } = this;
    const schedule = timers.schedule.bind(timers);
    timers.schedule = (timer, delayMs) => {
      this.schedules++;
      schedule(timer, delayMs);
    };
  }

  /** In steps, as a reactor that is never late does. */
  advanceTo(nowMs: number): void {
    while (this.nowMs < nowMs) {
      this.nowMs++;
      this.timers.observe(this.nowMs);
      this.timers.advance(this.nowMs);
    }
  }

  /** At once, as a reactor does whose thread was kept waiting. */
  jumpTo(nowMs: number): void {
    this.nowMs = nowMs;
    this.timers.observe(nowMs);
    this.timers.advance(nowMs);
  }
}

t.test('a deadline that passes is told once, with its slot', (t) => {
  const clock = new FakeClock();
  const { deadlines, fired } = open(clock, 2);
  deadlines.set(1, 50);
  t.ok(deadlines.isSet(1));
  clock.advanceTo(49);
  t.same(fired, []);
  clock.advanceTo(51);
  t.same(fired, [{ slot: 1, dueMs: 50 }]);
  t.notOk(deadlines.isSet(1));
  clock.advanceTo(500);
  t.equal(fired.length, 1);
  t.end();
});

t.test('a deadline that is put off fires at its last time, one that is cleared never', (t) => {
  const clock = new FakeClock();
  const { deadlines, fired } = open(clock, 2);
  deadlines.set(0, 30);
  deadlines.set(1, 40);
  clock.advanceTo(20);
  deadlines.set(0, 30);
  deadlines.clear(1);
  clock.advanceTo(45);
  t.same(fired, []);
  clock.advanceTo(51);
  t.same(fired, [{ slot: 0, dueMs: 50 }]);
  t.end();
});

t.test('zero is no deadline', (t) => {
  const clock = new FakeClock();
  const { deadlines, fired } = open(clock, 1);
  deadlines.set(0, 10);
  deadlines.set(0, 0);
  t.notOk(deadlines.isSet(0));
  clock.advanceTo(100);
  t.same(fired, []);
  t.end();
});

t.test('an owner that is going away is told nothing more', (t) => {
  const clock = new FakeClock();
  const { deadlines, fired } = open(clock, 3);
  for (const slot of [0, 1, 2]) deadlines.set(slot, 10);
  deadlines.cancel();
  clock.advanceTo(100);
  t.same(fired, []);
  deadlines.set(1, 10);
  clock.advanceTo(200);
  t.same(fired, [{ slot: 1, dueMs: 110 }], 'and may be used again');
  t.end();
});

t.test('an owner may set and clear deadlines when it is told of one', (t) => {
  const clock = new FakeClock();
  const { deadlines, fired, onFired } = open(clock, 3);
  onFired.current = (slot) => {
    if (slot !== 0) return;
    deadlines.clear(1);
    deadlines.set(0, 25);
    onFired.current = () => undefined;
  };
  deadlines.set(0, 10);
  deadlines.set(1, 10);
  deadlines.set(2, 60);
  clock.advanceTo(20);
  clock.advanceTo(100);
  t.same(
    fired.map(({ slot }) => slot),
    [0, 0, 2],
  );
  t.end();
});

t.test('to a thread that is late deadlines are told in the order they were due', (t) => {
  const clock = new FakeClock();
  const { deadlines, fired, onFired } = open(clock, 4);
  // The one that is told first ends what the others were for.
  onFired.current = (slot) => {
    if (slot === 3) for (const other of [0, 1, 2]) deadlines.clear(other);
  };
  deadlines.set(0, 60);
  deadlines.set(1, 50);
  deadlines.set(2, 40);
  clock.jumpTo(100);
  t.same(
    fired.map(({ slot }) => slot),
    [2, 1, 0],
  );
  deadlines.set(1, 60);
  deadlines.set(3, 40);
  clock.jumpTo(200);
  t.same(
    fired.map(({ slot }) => slot),
    [2, 1, 0, 3],
  );
  t.end();
});

t.test('a request that meets its deadlines arms the timer once', (t) => {
  const clock = new FakeClock();
  const { deadlines } = open(clock, 1);
  for (let request = 0; request < 1000; request++) {
    deadlines.set(0, 5000);
    deadlines.clear(0);
  }
  t.equal(clock.schedules, 1);
  t.end();
});

t.test('any sequence of calls fires what a naive list fires, never early', (t) => {
  const call = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), slot: fc.nat({ max: 3 }), delayMs: fc.nat({ max: 300 }) }),
    fc.record({ kind: fc.constant('clear' as const), slot: fc.nat({ max: 3 }) }),
    fc.record({ kind: fc.constant('advance' as const), byMs: fc.nat({ max: 200 }) }),
  );
  fc.assert(
    fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
      const clock = new FakeClock();
      const { deadlines, fired } = open(clock, 4);
      const expected: (number | undefined)[] = [undefined, undefined, undefined, undefined];
      let expectedFires = 0;
      for (const call of calls) {
        if (call.kind === 'set') {
          deadlines.set(call.slot, call.delayMs);
          expected[call.slot] = call.delayMs === 0 ? undefined : clock.nowMs + call.delayMs;
        } else if (call.kind === 'clear') {
          deadlines.clear(call.slot);
          expected[call.slot] = undefined;
        } else {
          clock.advanceTo(clock.nowMs + call.byMs);
          for (let slot = 0; slot < 4; slot++) {
            // The wheel may be late by a tick, so what is due within the last one may wait.
            if (expected[slot] !== undefined && !deadlines.isSet(slot)) {
              if (expected[slot]! > clock.nowMs) return false;
              expected[slot] = undefined;
              expectedFires++;
            } else if (expected[slot] !== undefined && expected[slot]! <= clock.nowMs - 2) {
              return false;
            }
          }
        }
      }
      return fired.length === expectedFires;
    }),
    { numRuns: 300, seed: 7 },
  );
  t.pass('300 sequences');
  t.end();
});

function open(clock: FakeClock, slots: number) {
  const fired: { readonly slot: number; readonly dueMs: number }[] = [];
  const onFired: { current: (slot: number) => void } = { current: () => undefined };
  const owner = {
    onDeadline(slot: number): void {
      fired.push({ slot, dueMs: clock.nowMs });
      onFired.current(slot);
    },
  };
  const deadlines = new Deadlines(clock as unknown as Reactor, owner, slots);
  return { deadlines, fired, onFired };
}

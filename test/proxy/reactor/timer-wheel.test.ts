import fc from 'fast-check';
import t from 'tap';
import { Timer, TimerWheel } from '../../../proxy/reactor/timer-wheel.ts';

const DAY_MS = 24 * 3600 * 1000;

function recorder(): { fired: string[]; timer: (name: string) => Timer } {
  const fired: string[] = [];
  return { fired, timer: (name) => new Timer(() => fired.push(name)) };
}

t.test('a timer fires once, at its time and not before', (t) => {
  const wheel = new TimerWheel(1000.5);
  const { fired, timer } = recorder();
  const one = timer('one');
  wheel.schedule(one, 10);
  wheel.advance(1010.4);
  t.same(fired, []);
  t.ok(one.isArmed);
  wheel.advance(1010.9);
  t.same(fired, [], 'whole milliseconds only');
  wheel.advance(1011);
  t.same(fired, ['one']);
  t.notOk(one.isArmed);
  wheel.advance(5000);
  t.same(fired, ['one']);
  t.end();
});

t.test('timers fire in the order they are due', (t) => {
  const wheel = new TimerWheel(0);
  const { fired, timer } = recorder();
  for (const delay of [5000, 3, 70, 300_000, 64, 4096]) wheel.schedule(timer(`${delay}`), delay);
  wheel.advance(400_000);
  t.same(fired, ['3', '64', '70', '4096', '5000', '300000']);
  t.end();
});

t.test('scheduling again moves a timer and cancelling disarms it', (t) => {
  const wheel = new TimerWheel(0);
  const { fired, timer } = recorder();
  const moved = timer('moved');
  const cancelled = timer('cancelled');
  wheel.schedule(moved, 5);
  wheel.schedule(moved, 50);
  wheel.schedule(cancelled, 5);
  wheel.cancel(cancelled);
  wheel.cancel(cancelled);
  t.equal(wheel.armedCount, 1);
  wheel.advance(49);
  t.same(fired, []);
  wheel.advance(50);
  t.same(fired, ['moved']);
  t.equal(wheel.armedCount, 0);
  t.end();
});

t.test('a timer that sets itself for now fires once an advance', (t) => {
  const wheel = new TimerWheel(0);
  let count = 0;
  const timer: Timer = new Timer(() => {
    count++;
    wheel.schedule(timer, 0);
  });
  wheel.schedule(timer, 0);
  wheel.advance(1);
  t.equal(count, 1);
  wheel.advance(1.5);
  t.equal(count, 1);
  wheel.advance(2);
  t.equal(count, 2);
  t.end();
});

t.test('a callback may cancel a timer that is due in the same millisecond', (t) => {
  const wheel = new TimerWheel(0);
  const { fired, timer } = recorder();
  const second = timer('second');
  wheel.schedule(new Timer(() => wheel.cancel(second)), 5);
  wheel.schedule(second, 5);
  wheel.advance(10);
  t.same(fired, []);
  t.end();
});

t.test('delays beyond the wheel and uptimes beyond 2^31 ms hold', (t) => {
  const start = 2 ** 31 - 1000;
  const wheel = new TimerWheel(start);
  const { fired, timer } = recorder();
  wheel.schedule(timer('far'), 20 * DAY_MS);
  wheel.schedule(timer('near'), 5000);
  wheel.advance(start + 4999);
  t.same(fired, []);
  wheel.advance(start + 5000);
  t.same(fired, ['near']);
  let now = start + 5000;
  for (; fired.length === 1; now = Math.ceil(now + wheel.nextDelayMs(now))) wheel.advance(now);
  t.equal(fired[1], 'far');
  wheel.schedule(timer('past 2^32'), 2 ** 31);
  t.end();
});

t.test('the next delay is never too long', (t) => {
  const wheel = new TimerWheel(0);
  t.equal(wheel.nextDelayMs(0), Number.POSITIVE_INFINITY);
  const { timer } = recorder();
  const soon = timer('soon');
  wheel.schedule(timer('later'), 100);
  wheel.schedule(soon, 7.5);
  t.equal(wheel.nextDelayMs(0), 8);
  wheel.cancel(soon);
  t.ok(wheel.nextDelayMs(0) <= 100);
  wheel.advance(20);
  const delay = wheel.nextDelayMs(20);
  t.ok(delay > 0 && delay <= 80);
  t.end();
});

// The naive reference: a list searched for what is due.
type Step =
  | { readonly kind: 'schedule' | 'cancel'; readonly timer: number; readonly delayMs: number }
  | { readonly kind: 'advance'; readonly byMs: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('schedule' as const, 'cancel' as const),
    timer: fc.nat(15),
    delayMs: fc.oneof(fc.nat(200), fc.nat(5000), fc.nat(20_000_000), fc.double({ min: 0, max: 100, noNaN: true })),
  }),
  fc.record({
    kind: fc.constant('advance' as const),
    byMs: fc.oneof(fc.double({ min: 0, max: 100, noNaN: true }), fc.nat(5000), fc.nat(500_000)),
  }),
);

t.test('any run of calls fires what a list of deadlines would, and announces it in time', (t) => {
  fc.assert(
    fc.property(fc.nat(2 ** 31 + 5000), fc.array(step, { maxLength: 60 }), (start, steps) => {
      const wheel = new TimerWheel(start);
      const due = new Map<number, number>();
      let now = start;
      const fired: number[] = [];
      const timers = Array.from({ length: 16 }, (_, index) => new Timer(() => fired.push(index)));
      for (const step of steps) {
        if (step.kind === 'advance') {
          const earliest = Math.min(...due.values());
          if (now + wheel.nextDelayMs(now) > earliest) return false;
          now += step.byMs;
          fired.length = 0;
          wheel.advance(now);
          const times = fired.map((timer) => due.get(timer) ?? Number.NaN);
          const isInOrder = times.every((at, index) => at <= now && (index === 0 || times[index - 1]! <= at));
          for (const timer of fired) due.delete(timer);
          if (!isInOrder || Math.min(...due.values()) <= now || wheel.armedCount !== due.size) return false;
        } else if (step.kind === 'schedule') {
          wheel.schedule(timers[step.timer]!, step.delayMs);
          due.set(step.timer, Math.max(Math.ceil(now + step.delayMs), Math.floor(now) + 1));
        } else {
          wheel.cancel(timers[step.timer]!);
          due.delete(step.timer);
        }
      }
      return true;
    }),
    { seed: 7, numRuns: 500 },
  );
  t.end();
});

// A reactor whose turns happen on Node's own loop.

import t from 'tap';
import { EpollEvent } from '../../../native/epoll.ts';
import { createEventFd, drainEventFd, signalEventFd } from '../../../native/event-fd.ts';
import { close } from '../../../native/socket.ts';
import { Timer } from '../../../proxy/reactor/timer-wheel.ts';
import { startReactor } from '../../support/reactor-fixtures.ts';

t.test("events, timers and Node's own timers all come, and nothing turns in between", async (t) => {
  // By the clock of Node's timers: a slower one would find each of them early.
  const reactor = startReactor(t, { onNodeLoop: true, clock: () => performance.now() });
  const fd = createEventFd();
  const event = Promise.withResolvers<void>();
  reactor.register(fd, EpollEvent.readable, {
    onEvents: () => {
      drainEventFd(fd);
      event.resolve();
    },
  });
  signalEventFd(fd);
  await event.promise;
  const due = Promise.withResolvers<number>();
  const startedAtMs = performance.now();
  reactor.enter();
  reactor.timers.schedule(new Timer(() => due.resolve(reactor.turn)), 60);
  const turn = reactor.turn;
  reactor.leave();
  // Node counts from where its loop last read the clock: each time that the thread had to wait since then, a turn is too early.
  t.ok((await due.promise) - turn <= 10, 'the timer slept until its turn');
  const tookMs = performance.now() - startedAtMs;
  t.ok(tookMs >= 59, `not before its time: ${tookMs} ms`);
  reactor.unregister(fd);
  close(fd);
});

t.test('a timer that is nearer than the one waited for is met in time', async (t) => {
  const reactor = startReactor(t, { onNodeLoop: true });
  const order: string[] = [];
  const far = Promise.withResolvers<void>();
  const note = (name: string, done?: () => void) => (): void => {
    order.push(name);
    done?.();
  };
  reactor.enter();
  reactor.timers.schedule(new Timer(note('far', far.resolve)), 80);
  reactor.leave();
  reactor.enter();
  reactor.timers.schedule(new Timer(note('near')), 5);
  reactor.leave();
  await far.promise;
  t.same(order, ['near', 'far']);
});

t.test('a callback of a library is a turn of its own, with the time it has and its deferred tasks', (t) => {
  let nowMs = 1000;
  const reactor = startReactor(t, { onNodeLoop: true, clock: () => nowMs });
  const { turn } = reactor;
  nowMs = 5000;
  const order: string[] = [];
  reactor.enter();
  t.equal(reactor.nowMs, 5000, 'time is read');
  t.equal(reactor.turn, turn + 1);
  reactor.defer({ run: () => order.push('deferred') });
  reactor.enter();
  t.equal(reactor.turn, turn + 1, 'a callback from inside of a call belongs to the same turn');
  reactor.leave();
  t.same(order, []);
  reactor.leave();
  t.same(order, ['deferred']);
  t.end();
});

t.test('a task for the next turn gets one', async (t) => {
  const reactor = startReactor(t, { onNodeLoop: true });
  const { promise, resolve } = Promise.withResolvers<number>();
  reactor.enter();
  const { turn } = reactor;
  reactor.deferToNextTurn({ run: () => resolve(reactor.turn) });
  reactor.leave();
  t.ok((await promise) > turn);
});

import { once } from 'node:events';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import t from 'tap';
import { EpollEvent } from '../../../native/epoll.ts';
import { createEventFd, signalEventFd } from '../../../native/event-fd.ts';
import { close } from '../../../native/socket.ts';
import { Reactor } from '../../../proxy/reactor/reactor.ts';
import { Timer } from '../../../proxy/reactor/timer-wheel.ts';
import { openDescriptors, startReactor, turns } from '../../support/reactor-fixtures.ts';

t.test('events of a descriptor go to its source until it is unregistered', async (t) => {
  const reactor = startReactor(t);
  const fd = createEventFd();
  const { promise, resolve } = Promise.withResolvers<number>();
  reactor.register(fd, EpollEvent.readable, {
    onEvents: (events) => {
      reactor.unregister(fd);
      resolve(events);
    },
  });
  signalEventFd(fd);
  t.equal(await promise, EpollEvent.readable);
  close(fd);
});

t.test('an event of a batch does not reach the successor of a closed descriptor', async (t) => {
  const reactor = startReactor(t);
  const fds = [createEventFd(), createEventFd()];
  const handled: number[] = [];
  let successor = -1;
  const replaceOther = (index: number) => ({
    onEvents() {
      handled.push(index);
      const mine = fds[index]!;
      const other = fds[1 - index]!;
      reactor.forget(other);
      close(other);
      successor = createEventFd();
      t.equal(successor, other, 'the kernel gives the number away at once');
      reactor.register(successor, EpollEvent.readable, { onEvents: () => t.fail('an event for the successor') });
      reactor.forget(mine);
      close(mine);
    },
  });
  for (const [index, fd] of fds.entries()) {
    reactor.register(fd, EpollEvent.readable, replaceOther(index));
    signalEventFd(fd);
  }
  await turns(reactor);
  t.equal(handled.length, 1, 'the first of the batch closed the second');
  reactor.forget(successor);
  close(successor);
});

t.test('deferred tasks run in the same turn, also those that tasks put off', async (t) => {
  const reactor = startReactor(t);
  const order: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const start = () => {
    const startedAtMs = reactor.nowMs;
    const inner = {
      run() {
        order.push('inner');
        t.equal(reactor.nowMs, startedAtMs);
        resolve();
      },
    };
    const outer = {
      run() {
        order.push('outer');
        reactor.defer(inner);
      },
    };
    reactor.defer(outer);
    order.push('event');
  };
  reactor.timers.schedule(new Timer(start), 1);
  await promise;
  t.same(order, ['event', 'outer', 'inner']);
});

t.test('a task for the next turn runs once, in a turn that does not wait for an event', async (t) => {
  const reactor = startReactor(t, { maxSleepMs: 60_000 });
  const ran: number[] = [];
  const { promise, resolve } = Promise.withResolvers<number>();
  let begunMs = 0;
  const task = {
    run() {
      if (ran.length === 0) begunMs = reactor.nowMs;
      ran.push(reactor.turn);
      if (ran.length < 5) reactor.deferToNextTurn(task);
      else {
        resolve(reactor.nowMs);
        // Node's loop, where the test waits, is visited then.
        reactor.wakeUp();
      }
    },
  };
  reactor.timers.schedule(new Timer(() => reactor.deferToNextTurn(task)), 1);
  reactor.wakeUp();
  const endedMs = await promise;
  t.same(
    ran.map((turn) => turn - ran[0]!),
    [0, 1, 2, 3, 4],
  );
  t.ok(endedMs - begunMs < 60_000, 'no sleep is between them');
});

t.test('tasks that never end do not starve events', async (t) => {
  const reactor = startReactor(t);
  let isDone = false;
  const endless = { run: () => !isDone && reactor.defer(endless) };
  reactor.defer(endless);
  await turns(reactor);
  isDone = true;
  t.pass('a timer fired meanwhile');
});

t.test('timers fire by the given clock', async (t) => {
  let now = 5000;
  const reactor = startReactor(t, { clock: () => now });
  let firedAtMs = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  reactor.timers.schedule(
    new Timer(() => {
      firedAtMs = reactor.nowMs;
      resolve();
    }),
    60_000,
  );
  reactor.wakeUp();
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(firedAtMs, 0);
  now = 65_000;
  reactor.wakeUp();
  await promise;
  t.equal(firedAtMs, 65_000);
});

t.test('waking up from another thread calls onWakeUp, where messages are read synchronously', async (t) => {
  const { port1, port2 } = new MessageChannel();
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const reactor = startReactor(t, {
    maxSleepMs: 60_000,
    onWakeUp: () => {
      const received = receiveMessageOnPort(port1);
      if (received !== undefined) resolve(received.message);
    },
  });
  const module = new URL('../../../native/event-fd.ts', import.meta.url);
  const code = `
    import { workerData } from 'node:worker_threads';
    import { signalEventFd } from '${module}';
    workerData.port.postMessage('from the other thread');
    signalEventFd(workerData.fd);`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
    workerData: { fd: reactor.wakeUpFd, port: port2 },
    transferList: [port2],
  });
  const exited = once(worker, 'exit');
  t.equal(await promise, 'from the other thread');
  port1.close();
  // Idle, it would sleep for a minute and keep this thread from seeing the exit.
  reactor.stop();
  await exited;
});

t.test('Node’s timers go on while the reactor is busy', async (t) => {
  const reactor = startReactor(t);
  const fd = createEventFd();
  reactor.register(fd, EpollEvent.readable, { onEvents: () => {} });
  signalEventFd(fd);
  await new Promise((resolve) => setTimeout(resolve, 1));
  reactor.unregister(fd);
  close(fd);
  t.pass('a descriptor that is always ready did not keep Node from its timer');
});

t.test('an idle reactor burns no CPU', async (t) => {
  const reactorModule = new URL('../../../proxy/reactor/reactor.ts', import.meta.url);
  const timerModule = new URL('../../../proxy/reactor/timer-wheel.ts', import.meta.url);
  const code = `
    import { parentPort } from 'node:worker_threads';
    import { Reactor } from '${reactorModule}';
    import { Timer } from '${timerModule}';
    let turns = 0;
    const reactor = new Reactor({ clock: () => { turns++; return performance.now(); } });
    const end = new Timer(() => { parentPort.postMessage(turns); reactor.stop(); });
    const begin = new Timer(() => { turns = 0; reactor.timers.schedule(end, 500); });
    reactor.timers.schedule(begin, 50);
    reactor.start(() => {});`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  // On a busy machine both come in one turn of this thread.
  const [[turnsInHalfASecond]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
  t.ok(turnsInHalfASecond < 20, `${turnsInHalfASecond} turns`);
});

t.test('a reactor that stops gives its descriptors back, started or not', async (t) => {
  const before = openDescriptors();
  const unused = new Reactor({ clock: () => 0 });
  t.equal(openDescriptors(), before + 2);
  unused.stop();
  unused.stop();
  unused.wakeUp();
  t.equal(openDescriptors(), before);
  const used = new Reactor({ clock: () => performance.now() });
  await new Promise<void>((resolve) => {
    used.start(resolve);
    used.stop();
  });
  t.equal(openDescriptors(), before);
  t.throws(() => used.start(() => {}), /stopped/);
});

import t from 'tap';
import { Lifecycle, type LifecycleOptions } from '../../../proxy/command/lifecycle.ts';
import { ServerState } from '../../../proxy/command/server-state.ts';
import type { TerminationActions } from '../../../proxy/sidecar/termination.ts';

/** A life whose clock and whose workers the test plays; `events` is what it did, in order. */
function make(termination?: LifecycleOptions['termination']) {
  const events: string[] = [];
  const timers: { delayMs: number; callback: () => void }[] = [];
  const stopped = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<number>();
  const state = new ServerState({ concurrency: 1, restartEpoch: 0, version: '0' });
  const write = (text: string | object) => events.push(String(text));
  const lifecycle = new Lifecycle({
    workers: {
      drain: (inboundOnly, stopAccepting) => events.push(`drain ${inboundOnly} ${stopAccepting}`),
      handOver: () => events.push('hand over'),
      flushLogs: () => events.push('flush logs'),
      stop: () => {
        events.push('stop workers');
        return stopped.promise;
      },
    },
    logs: {
      reopen: () => events.push('reopen logs'),
      close: async () => void events.push('close logs'),
    },
    saveConfiguration: async () => void events.push('save configuration'),
    state,
    log: {
      trace: write,
      debug: write,
      info: () => undefined,
      warn: write,
      error: write,
      critical: write,
      isEnabled: () => true,
    },
    ...(termination !== undefined && { termination }),
    openConnections: () => 3,
    drainTimeMs: 5000,
    parentShutdownTimeMs: 9000,
    exit: (code) => {
      events.push(`exit ${code}`);
      ended.resolve(code);
    },
    schedule: (delayMs, callback) => timers.push({ delayMs, callback }),
  });
  const end = async () => {
    stopped.resolve();
    await ended.promise;
  };
  return { lifecycle, state, events, timers, end };
}

t.test('leaving drains, and ends when the last connection is gone', async (t) => {
  const { lifecycle, state, events, end } = make();
  lifecycle.leave();
  t.same(events, ['drain false true']);
  t.equal(state.name, 'DRAINING');
  state.onDrained();
  await end();
  t.same(events.slice(1), ['stop workers', 'close logs', 'save configuration', 'exit 0']);
});

t.test('the drain time bounds the wait', async (t) => {
  const { lifecycle, events, timers, end } = make();
  lifecycle.leave();
  t.equal(timers[0]!.delayMs, 5000);
  timers[0]!.callback();
  await end();
  t.same(events.slice(1), [
    'the drain time is over; what is still open is closed',
    'stop workers',
    'close logs',
    'save configuration',
    'exit 0',
  ]);
});

t.test('asked to leave again, it ends at once, and only once', async (t) => {
  const { lifecycle, state, events, timers, end } = make();
  lifecycle.leave();
  lifecycle.leave();
  lifecycle.leave();
  lifecycle.shutdown();
  state.onDrained();
  timers[0]!.callback();
  await end();
  t.same(events, ['drain false true', 'stop workers', 'close logs', 'save configuration', 'exit 0']);
});

t.test('a shutdown waits for the last lines of access logs', async (t) => {
  const { lifecycle, events, end } = make();
  lifecycle.shutdown();
  t.same(events, ['stop workers']);
  await end();
  t.same(events, ['stop workers', 'close logs', 'save configuration', 'exit 0']);
});

t.test('log files are opened anew behind what waits', (t) => {
  const { lifecycle, events } = make();
  lifecycle.reopenLogs();
  t.same(events, ['flush logs', 'reopen logs']);
  t.end();
});

t.test('handed over, it ends when the last client is gone', async (t) => {
  const { lifecycle, state, events, timers, end } = make();
  lifecycle.handOver();
  lifecycle.handOver();
  t.same(events, ['hand over'], 'once');
  t.equal(state.name, 'DRAINING');
  t.same(
    timers.map(({ delayMs }) => delayMs),
    [5000, 9000],
  );
  state.onDrained();
  await end();
  for (const { callback } of timers) callback();
  t.same(events.slice(1), ['stop workers', 'close logs', 'save configuration', 'exit 0']);
});

t.test('idle clients leave when the drain time is over, the rest when that of a parent is', async (t) => {
  const { lifecycle, events, timers, end } = make();
  lifecycle.handOver();
  timers[0]!.callback();
  t.same(events.slice(1), ['drain false true']);
  timers[1]!.callback();
  await end();
  t.matchOnly(events.slice(2), [
    /^a parent's time is over/,
    'stop workers',
    'close logs',
    'save configuration',
    'exit 0',
  ]);
});

t.test('a signal hurries a process that has handed over', async (t) => {
  const { lifecycle, events, timers, end } = make();
  lifecycle.handOver();
  lifecycle.leave();
  t.same(events, ['hand over', 'drain false true']);
  timers[0]!.callback();
  t.equal(events.length, 2, 'it drains already');
  lifecycle.leave();
  await end();
  t.same(events.slice(2), ['stop workers', 'close logs', 'save configuration', 'exit 0']);
});

t.test('a sidecar leaves in its own way, and says why it is not ready', async (t) => {
  let actions: TerminationActions | undefined;
  const { lifecycle, state, events, timers, end } = make({
    words: 'SIGTERM has come',
    begin: (given) => {
      actions = given;
    },
  });
  lifecycle.leave();
  t.equal(state.name, 'DRAINING');
  t.equal(state.drainReason, 'SIGTERM has come');
  t.same([events, timers], [[], []], 'nothing that it was not told');
  state.onDrained();
  t.equal(actions!.openConnections(), 3);
  actions!.drainInbound();
  actions!.stopInbound();
  t.same(events, ['drain true false', 'drain true true']);
  actions!.end('enough');
  actions!.stopInbound();
  actions!.end('twice');
  await end();
  t.same(events.slice(2), ['stop workers', 'close logs', 'save configuration', 'exit 0']);
});

t.test('a second signal ends a sidecar that leaves, and one that has handed over leaves as any other', async (t) => {
  const leaving = make({ words: '', begin: () => undefined });
  leaving.lifecycle.leave();
  leaving.lifecycle.leave();
  await leaving.end();
  t.same(leaving.events, ['stop workers', 'close logs', 'save configuration', 'exit 0']);
  const replaced = make({ words: '', begin: () => t.fail('its listeners are gone') });
  replaced.lifecycle.handOver();
  replaced.lifecycle.leave();
  t.same(replaced.events, ['hand over', 'drain false true']);
});

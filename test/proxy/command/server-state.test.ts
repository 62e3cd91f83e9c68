import t from 'tap';
import { emptySnapshot } from '../../../config/snapshot.ts';
import { ServerState, type ServerStateOptions } from '../../../proxy/command/server-state.ts';

const make = (given: Partial<ServerStateOptions> = {}): ServerState =>
  new ServerState({ concurrency: 2, restartEpoch: 0, version: '1.0.0', ...given });

t.test('a process initializes until the workers serve, and drains when it is told to', (t) => {
  const state = make();
  t.equal(state.name, 'INITIALIZING');
  state.onApplied(1, [{ name: 'http', address: '127.0.0.1:80' }]);
  t.equal(state.name, 'LIVE');
  t.same(state.listeners, [{ name: 'http', address: '127.0.0.1:80' }]);
  state.startDraining(() => undefined);
  t.equal(state.name, 'DRAINING');
  state.onApplied(2, []);
  t.equal(state.name, 'DRAINING', 'a new generation does not bring it back');
  t.equal(state.drainReason, '');
  state.startDraining(() => undefined, 'SIGTERM has come');
  t.equal(state.drainReason, 'SIGTERM has come');
  t.end();
});

t.test('failing health checks look like a drain, can be taken back, and are told', (t) => {
  const told: boolean[] = [];
  const state = make({ onFailsHealthCheck: (fails) => told.push(fails) });
  state.onApplied(1, []);
  state.setFailsHealthCheck(true);
  t.equal(state.name, 'DRAINING');
  state.setFailsHealthCheck(false);
  t.equal(state.name, 'LIVE');
  t.same(told, [true, false]);
  t.end();
});

t.test('the end of a drain is told once, and only to who waits', (t) => {
  const state = make();
  state.onDrained();
  let times = 0;
  state.startDraining(() => times++);
  state.onDrained();
  state.onDrained();
  t.equal(times, 1);
  t.end();
});

t.test('configuration is nothing until it is there', (t) => {
  const state = make();
  t.equal(state.bootstrap, null);
  t.equal(state.snapshot, null);
  t.equal(state.document, null);
  state.setSnapshot(emptySnapshot);
  t.equal(state.snapshot, emptySnapshot);
  t.end();
});

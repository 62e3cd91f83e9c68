import t from 'tap';
import { listenerManagerStats, listenerStats } from '../../../proxy/telemetry/listener-stats.ts';
import { type ProcessFacts, ProcessStats } from '../../../proxy/telemetry/process-stats.ts';
import { runtimeStats, serverStats } from '../../../proxy/telemetry/server-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const facts: ProcessFacts = {
  state: 'LIVE',
  uptimeMs: 2500,
  version: '1.2.3-rc.1',
  restartEpoch: 0,
  restartGeneration: 2,
  parentConnections: 3,
  generations: [1, 1],
  runtime: { keys: 2, layers: 1, overrides: 0 },
  daysUntilFirstExpiring: undefined,
  memory: { allocatedBytes: 1, heapBytes: 2, physicalBytes: 3 },
};

function fixture() {
  const store = new StatsStore();
  const main = new WorkerStats((message) => store.accept(-1, message));
  const worker = new WorkerStats((message) => store.accept(0, message));
  return { store, worker, process: new ProcessStats(main, store) };
}

t.test('facts become gauges, open connections are those of all listeners', (t) => {
  const { store, worker, process } = fixture();
  for (const name of ['a', 'b']) worker.block(listenerStats, name).inc(listenerStats.downstreamCxActive);
  process.refresh(facts);
  const server = store.get(serverStats);
  t.equal(server?.value(serverStats.uptime), 2);
  t.equal(server?.value(serverStats.live), 1);
  t.equal(server?.value(serverStats.version), 1002003);
  t.equal(server?.value(serverStats.concurrency), 2);
  t.equal(server?.value(serverStats.totalConnections), 2);
  t.equal(server?.value(serverStats.hotRestartGeneration), 2);
  t.equal(server?.value(serverStats.parentConnections), 3);
  t.equal(store.get(runtimeStats)?.value(runtimeStats.numKeys), 2);
  t.equal(store.get(listenerManagerStats)?.value(listenerManagerStats.workersStarted), 1);
  process.refresh({ ...facts, state: 'DRAINING', generations: [1, 0] });
  t.equal(server?.value(serverStats.state), 1);
  t.equal(store.get(listenerManagerStats)?.value(listenerManagerStats.workersStarted), 0);
  t.end();
});

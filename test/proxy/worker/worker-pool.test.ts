import { once } from 'node:events';
import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import type { Listener } from '../../../config/listener.ts';
import type { SnapshotDelta } from '../../../config/snapshot.ts';
import { WorkerPool, type WorkerPoolOptions } from '../../../proxy/worker/worker-pool.ts';
import { httpListener, managerOf } from '../../support/data-plane.ts';

// Starting threads takes seconds on a busy machine.
t.setTimeout(900_000);

function startPool(t: Test, concurrency: number) {
  const applied = Promise.withResolvers<{ generation: number; addresses: readonly string[] }>();
  const failed = Promise.withResolvers<string>();
  const refused = Promise.withResolvers<string>();
  const drained = Promise.withResolvers<void>();
  let applications = 0;
  const options: WorkerPoolOptions = {
    concurrency,
    youngGenerationMib: 8,
    start: {
      localIp: '127.0.0.1',
      logFlushIntervalMs: 1000,
      logFlushSizeBytes: 65_536,
      maxStatSeries: 2000,
      countsAllRequests: false,
      drainTimeMs: 1000,
      drainStrategy: 'gradual',
    },
    onStats: () => undefined,
    onLogs: () => undefined,
    onLogEntries: () => undefined,
    onApplied: (generation, listeners) => {
      applications++;
      applied.resolve({ generation, addresses: listeners.map(({ name, address }) => `${name} ${address}`) });
    },
    onListenFailure: (listener, { address, reason }) => refused.resolve(`${listener} ${address} ${reason}`),
    onWarning: () => undefined,
    onDrained: () => drained.resolve(),
    onFailure: (worker, error) => failed.resolve(`${worker} ${error.message}`),
  };
  const pool = new WorkerPool(options);
  t.teardown(() => pool.stop());
  const events = {
    applied: applied.promise,
    failed: failed.promise,
    refused: refused.promise,
    drained: drained.promise,
  };
  return { pool, ...events, applications: () => applications };
}

function deltaOf(generation: number, ...listeners: readonly Listener[]): SnapshotDelta {
  const nothing = { set: [], removed: [] };
  return {
    generation,
    listeners: { set: listeners.map((each) => [each.name, each]), removed: [] },
    clusters: nothing,
    assignments: nothing,
    routes: nothing,
    secrets: nothing,
  };
}

t.test('a delta is applied when every worker serves it, and its addresses are told once', async (t) => {
  const { pool, applied, applications } = startPool(t, 2);
  t.same(pool.generations, [0, 0]);
  pool.publish(deltaOf(7, httpListener('http', managerOf([]))));
  const { generation, addresses } = await applied;
  t.equal(generation, 7);
  t.equal(addresses.length, 1);
  t.match(addresses[0], /^http 127\.0\.0\.1:[1-9]/);
  t.same(pool.generations, [7, 7]);
  t.equal(applications(), 1);
});

t.test('a taken address is told, and the rest of the delta is served', async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const { pool, refused, applied } = startPool(t, 2);
  const taken = { ...httpListener('taken', managerOf([])), address: { kind: 'ip', ip: '127.0.0.1', port } } as const;
  t.match(pool.prepareListener(taken), `cannot listen on 127.0.0.1:${port}: `);
  pool.publish(deltaOf(1, taken, httpListener('free', managerOf([]))));
  t.match(await refused, `taken 127.0.0.1:${port} `);
  t.match((await applied).addresses, [/^free /]);
});

t.test('listeners of which only filter chains change are updated in place, and counted', async (t) => {
  const { pool } = startPool(t, 1);
  const [one, other] = [httpListener('one', managerOf([])), httpListener('other', managerOf([]))];
  t.equal(pool.publish(deltaOf(1, one, other)), 0);
  const changed = httpListener('one', managerOf([], { statPrefix: 'changed' }));
  t.equal(pool.publish(deltaOf(2, changed, { ...other, backlog: 5 })), 1);
});

t.test('the death of a worker is told with its number and reason', async (t) => {
  const { pool, failed } = startPool(t, 1);
  pool.publish({ ...deltaOf(1), runtime: 5 as never });
  t.match(await failed, /^0 .*not iterable/);
});

t.test('a drain is over when every worker says so, and a stop ends all threads', async (t) => {
  const { pool, applied, drained } = startPool(t, 2);
  pool.publish(deltaOf(1, httpListener('http', managerOf([]))));
  await applied;
  pool.drain(false, true);
  await drained;
  await pool.stop();
});

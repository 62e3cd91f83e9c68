import { once } from 'node:events';
import { createServer } from 'node:net';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import type { Cluster } from '../../../config/cluster.ts';
import type { Listener } from '../../../config/listener.ts';
import type { SnapshotDelta } from '../../../config/snapshot.ts';
import { takeAllSteps } from '../../../config/time-slice.ts';
import type { ToWorker } from '../../../proxy/worker/messages.ts';
import { WorkerPool, type WorkerPoolOptions } from '../../../proxy/worker/worker-pool.ts';
import { clusterOf, forwardTo, httpListener, managerOf, routeOf, virtualHostOf } from '../../support/data-plane.ts';
import { RawClient } from '../../support/raw-client.ts';

// Starting threads takes seconds on a busy machine.
t.setTimeout(900_000);

function startPool(t: Test, concurrency: number) {
  const applied = Promise.withResolvers<{ generation: number; addresses: readonly string[] }>();
  const failed = Promise.withResolvers<string>();
  const refused = Promise.withResolvers<string>();
  const drained = Promise.withResolvers<void>();
  const addresses = new Map<number, PromiseWithResolvers<readonly string[]>>();
  const ofGeneration = (generation: number) => {
    const found = addresses.get(generation) ?? Promise.withResolvers<readonly string[]>();
    addresses.set(generation, found);
    return found;
  };
  let applications = 0;
  const options: WorkerPoolOptions = {
    concurrency,
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
      const bound = listeners.map(({ name, address }) => `${name} ${address}`);
      applied.resolve({ generation, addresses: bound });
      ofGeneration(generation).resolve(bound);
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
  /** When every worker serves this generation. */
  const addressesAt = (generation: number) => ofGeneration(generation).promise;
  return { pool, ...events, addressesAt, applications: () => applications };
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
  takeAllSteps(pool.publish(deltaOf(7, httpListener('http', managerOf([])))));
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
  takeAllSteps(pool.publish(deltaOf(1, taken, httpListener('free', managerOf([])))));
  t.match(await refused, `taken 127.0.0.1:${port} `);
  t.matchOnly((await applied).addresses, [/^free /]);
});

t.test('listeners of which only filter chains change are updated in place, and counted', async (t) => {
  const { pool } = startPool(t, 1);
  const [one, other] = [httpListener('one', managerOf([])), httpListener('other', managerOf([]))];
  t.equal(takeAllSteps(pool.publish(deltaOf(1, one, other))), 0);
  const changed = httpListener('one', managerOf([], { statPrefix: 'changed' }));
  t.equal(takeAllSteps(pool.publish(deltaOf(2, changed, { ...other, backlog: 5 }))), 1);
});

/** Two parts, and what is served with the last step. */
function largeDelta(generation: number, ...listeners: readonly Listener[]): SnapshotDelta {
  const clusters = Array.from({ length: 64 }, (_, at): [string, Cluster] => [`c${at}`, clusterOf(`c${at}`, [])]);
  return { ...deltaOf(generation, ...listeners), clusters: { set: clusters, removed: [] } };
}

t.test('a large delta is handed out in steps, and until the last of them the one before is served', async (t) => {
  const { pool, addressesAt } = startPool(t, 2);
  takeAllSteps(pool.publish(deltaOf(1, httpListener('one', managerOf([])))));
  const steps = pool.publish(largeDelta(2, httpListener('two', managerOf([]))));
  t.same([steps.next().done, steps.next().done], [false, false]);
  t.matchOnly(await addressesAt(1), [/^one /], 'told with its own addresses alone');
  t.same(pool.generations, [1, 1]);
  t.same(steps.next(), { done: true, value: 0 });
  t.matchOnly(await addressesAt(2), [/^one /, /^two /]);
  t.same(pool.generations, [2, 2]);
});

t.test(
  'an address that is left by what is being handed out can be had again until all workers have left it',
  async (t) => {
    const { pool, addressesAt } = startPool(t, 1);
    const alone = { ...httpListener('one', managerOf([])), reusePort: false };
    takeAllSteps(pool.publish(deltaOf(1, alone)));
    const delta = largeDelta(2);
    const steps = pool.publish({ ...delta, listeners: { set: [], removed: ['one'] } });
    steps.next();
    const [address] = await addressesAt(1);
    const port = Number(address!.split(':')[1]);
    const other = { ...alone, name: 'other', address: { kind: 'ip', ip: '127.0.0.1', port }, backlog: 9 } as const;
    t.equal(pool.prepareListener(other), undefined);
    takeAllSteps(steps);
    takeAllSteps(pool.publish(deltaOf(3, other)));
    t.strictSame(await addressesAt(3), [`other 127.0.0.1:${port}`]);
  },
);

t.test('a cluster that a worker was asked for is in the first part of the next large delta', async (t) => {
  const parts: string[][] = [];
  const post = Worker.prototype.postMessage;
  t.teardown(() => Object.assign(Worker.prototype, { postMessage: post }));
  Worker.prototype.postMessage = function (this: Worker, message: ToWorker) {
    if (message.kind === 'snapshot-part') parts.push([...message.part.clusters]);
    post.call(this, message);
  };
  const { pool, addressesAt } = startPool(t, 1);
  const manager = managerOf([virtualHostOf([routeOf('/', forwardTo('c50'))])]);
  takeAllSteps(pool.publish(largeDelta(1, httpListener('one', manager))));
  t.equal(parts.splice(0)[0]![0], 'c0');
  const [address] = await addressesAt(1);
  const client = await RawClient.open(Number(address!.split(':')[1]));
  await client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until((text) => text.includes('no healthy upstream'));
  client.close();
  // Answered, so that what the worker said before is known here.
  takeAllSteps(pool.publish(deltaOf(2)));
  await addressesAt(2);
  takeAllSteps(pool.publish(largeDelta(3)));
  t.same(parts[0]!.slice(0, 3), ['c50', 'c0', 'c1']);
});

t.test('a pool that is stopped while a delta is handed out says nothing more to its workers', async (t) => {
  const { pool } = startPool(t, 2);
  const steps = pool.publish(largeDelta(1));
  steps.next();
  await pool.stop();
  takeAllSteps(steps);
  t.same(pool.generations, [0, 0]);
});

t.test('a worker that dies while a delta is handed out is told, and the rest of the delta harms nobody', async (t) => {
  const { pool, failed } = startPool(t, 1);
  takeAllSteps(pool.publish({ ...deltaOf(1), runtime: 5 as never }));
  const steps = pool.publish(largeDelta(2));
  steps.next();
  t.match(await failed, /^0 .*not iterable/);
  takeAllSteps(steps);
  t.same(pool.generations, [0]);
});

t.test('the death of a worker is told with its number and reason', async (t) => {
  const { pool, failed } = startPool(t, 1);
  takeAllSteps(pool.publish({ ...deltaOf(1), runtime: 5 as never }));
  t.match(await failed, /^0 .*not iterable/);
});

t.test('a drain is over when every worker says so, and a stop ends all threads', async (t) => {
  const { pool, applied, drained } = startPool(t, 2);
  takeAllSteps(pool.publish(deltaOf(1, httpListener('http', managerOf([])))));
  await applied;
  pool.drain(false, true);
  await drained;
  await pool.stop();
});

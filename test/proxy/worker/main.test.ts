// The end of a worker's thread by a fault of its own.

import t, { type Test } from 'tap';
import type { SnapshotDelta } from '../../../config/snapshot.ts';
import { takeAllSteps } from '../../../config/time-slice.ts';
import { WorkerPool } from '../../../proxy/worker/worker-pool.ts';
import { httpListener, managerOf, routeOf, virtualHostOf } from '../../support/data-plane.ts';
import { rerunWithNewerLibc } from '../../support/newer-libc.ts';
import { RawClient } from '../../support/raw-client.ts';

const skip = rerunWithNewerLibc(import.meta.filename) ?? false;

t.test(
  'a worker with connections of uWebSockets.js that fails does not take the process with it',
  { skip },
  async (t) => {
    const { pool, port, failed } = await startPool(t);
    const client = await RawClient.open(await port);
    await client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until((text) => text.endsWith('hello'));
    t.match(client.text, /\r\nContent-Length: 5\r\n/, 'as the library spells it');
    // Something that no main thread sends.
    takeAllSteps(pool.publish({ ...deltaOf(2), runtime: 5 as never }));
    t.match(await failed, /not iterable/);
    await pool.stop();
    client.close();
  },
);

async function startPool(t: Test) {
  const applied = Promise.withResolvers<number>();
  const failed = Promise.withResolvers<string>();
  const pool = new WorkerPool({
    concurrency: 1,
    start: {
      localIp: '127.0.0.1',
      logFlushIntervalMs: 1000,
      logFlushSizeBytes: 65_536,
      maxStatSeries: 2000,
      countsAllRequests: false,
      drainTimeMs: 1000,
      drainStrategy: 'gradual',
      engine: 'uws',
    },
    onStats: () => undefined,
    onLogs: () => undefined,
    onLogEntries: () => undefined,
    onApplied: (_, listeners) => applied.resolve(Number(listeners[0]!.address.split(':')[1])),
    onListenFailure: (_, { reason }) => applied.reject(new Error(reason)),
    onWarning: () => undefined,
    onDrained: () => undefined,
    onFailure: (_, error) => failed.resolve(error.message),
  });
  t.teardown(() => pool.stop());
  const routes = [routeOf('/', { kind: 'direct-response', status: 200, body: Buffer.from('hello') })];
  takeAllSteps(pool.publish(deltaOf(1, httpListener('http', managerOf([virtualHostOf(routes)])))));
  return { pool, port: applied.promise, failed: failed.promise };
}

function deltaOf(generation: number, ...listeners: readonly ReturnType<typeof httpListener>[]): SnapshotDelta {
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

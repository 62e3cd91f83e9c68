// Two workers in threads behind a publisher, fed with changes as a control plane brings them.

import type { Test } from 'tap';
import type { SnapshotChange } from '../../config/snapshot.ts';
import { StatsStore } from '../../proxy/telemetry/stats-store.ts';
import { SnapshotPublisher } from '../../proxy/worker/snapshot-publisher.ts';
import { WorkerPool } from '../../proxy/worker/worker-pool.ts';

/** A whole test file can be run with the second engine: see `second-engine-runs.ts`. */
const engine = process.env['OUTRIGGER_TEST_ENGINE'] === undefined ? 'reactor' : 'uws';

export interface ServedSnapshots {
  readonly pool: WorkerPool;
  readonly stats: StatsStore;
  /** Of a listener's first address. */
  port(listener: string): number;
  /** Hands a change on; what it does not name stays. */
  change(change: Partial<SnapshotChange>): void;
  /** As `change`; resolves when every worker serves it. */
  serve(change: Partial<SnapshotChange>): Promise<void>;
}

export interface ServedSnapshotsOptions {
  readonly first: Partial<SnapshotChange>;
  readonly drainTimeMs?: number;
}

/** Serves until the end of the test. */
export async function serveSnapshots(
  t: Test,
  { first, drainTimeMs }: ServedSnapshotsOptions,
): Promise<ServedSnapshots> {
  const stats = new StatsStore();
  /** Who waits for what; 0 until it is published. */
  const waiting: { generation: number; readonly resolve: () => void }[] = [];
  const ports = new Map<string, number>();
  const fail = (what: string): void => {
    t.fail(what);
  };
  const pool = new WorkerPool({
    concurrency: 2,
    start: {
      engine,
      localIp: '127.0.0.1',
      logFlushIntervalMs: 1000,
      logFlushSizeBytes: 65_536,
      maxStatSeries: 2000,
      countsAllRequests: false,
      drainTimeMs: drainTimeMs ?? 600_000,
      drainStrategy: 'immediate',
    },
    onStats: (worker, announcement) => stats.accept(worker, announcement),
    onLogs: () => undefined,
    onLogEntries: () => undefined,
    onApplied: (generation, listeners) => {
      for (const { name, address } of listeners.toReversed()) {
        ports.set(name, Number(address.slice(address.lastIndexOf(':') + 1)));
      }
      while (waiting[0] !== undefined && waiting[0].generation <= generation && waiting[0].generation > 0) {
        waiting.shift()!.resolve();
      }
    },
    onListenFailure: (listener, { address, reason }) => fail(`${listener} cannot listen on ${address}: ${reason}`),
    onWarning: fail,
    onDrained: () => undefined,
    onFailure: (worker, error) => fail(`worker ${worker}: ${error.stack}`),
  });
  t.teardown(() => pool.stop());
  const publisher = new SnapshotPublisher({
    *publish(delta) {
      for (const each of waiting) each.generation ||= delta.generation;
      yield* pool.publish(delta);
    },
    onSnapshot: () => undefined,
    onDnsClusters: () => undefined,
    onLate: () => undefined,
    maxWaitMs: 1000,
    schedule: () => () => undefined,
    defer: setImmediate,
    clock: () => performance.now(),
  });
  const change = (given: Partial<SnapshotChange>): void => publisher.update({ ...noChange, ...given });
  const applied = () => new Promise<void>((resolve) => void waiting.push({ generation: 0, resolve }));
  change(first);
  const isServed = applied();
  publisher.ready();
  await isServed;
  return {
    pool,
    stats,
    port: (listener) => ports.get(listener)!,
    change,
    serve: async (given) => {
      const isServed = applied();
      change(given);
      await isServed;
    },
  };
}

const nothing = { set: [], removed: [] };
const noChange: SnapshotChange = {
  listeners: nothing,
  clusters: nothing,
  assignments: nothing,
  routes: nothing,
  secrets: nothing,
};

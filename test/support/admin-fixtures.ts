// An admin server on a port of its own, with a configuration and statistics that a test sets, and no workers.

import type { Bootstrap } from '../../config/bootstrap.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import { emptySnapshot } from '../../config/snapshot.ts';
import { RuntimeOverrides } from '../../proxy/admin/runtime-overrides.ts';
import { AdminServer, type AdminServerOptions } from '../../proxy/admin/server.ts';
import { parseFlags } from '../../proxy/command/flags.ts';
import { ServerState } from '../../proxy/command/server-state.ts';
import { Exemplars } from '../../proxy/telemetry/exemplars.ts';
import { createProcessLog } from '../../proxy/telemetry/process-log.ts';
import { ProcessStats } from '../../proxy/telemetry/process-stats.ts';
import { SeriesBudget } from '../../proxy/telemetry/series-budget.ts';
import { StatsStore } from '../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../proxy/telemetry/worker-stats.ts';

export interface AdminFixture {
  /** `http://127.0.0.1:port`. */
  readonly origin: string;
  readonly port: number;
  readonly store: StatsStore;
  /** Counts as a worker would. */
  readonly worker: WorkerStats;
  readonly state: ServerState;
  /** What the workers were told, and what the process was. */
  readonly calls: string[];
  /** Runtime values that the workers were sent. */
  readonly runtimes: Snapshot['runtime'][];
  get(path: string): Promise<{ status: number; text: string; headers: Headers }>;
  post(path: string, init?: RequestInit): Promise<{ status: number; text: string; headers: Headers }>;
  openConnections(): Promise<number>;
  stop(): void;
}

export interface AdminFixtureOptions {
  readonly snapshot?: Partial<Snapshot>;
  readonly bootstrap?: Partial<Bootstrap>;
  readonly document?: unknown;
  readonly options?: Partial<AdminServerOptions>;
}

export async function startAdmin(given: AdminFixtureOptions = {}): Promise<AdminFixture> {
  const store = new StatsStore();
  const worker = new WorkerStats((message) => store.accept(0, message));
  const stats = new WorkerStats((message) => store.accept(-1, message));
  const state = new ServerState({ concurrency: 1, restartEpoch: 0, version: '1.2.3' });
  state.setBootstrap({ ...bootstrap, ...given.bootstrap }, given.document ?? {});
  state.setSnapshot({ ...emptySnapshot, generation: 1, ...given.snapshot });
  const calls: string[] = [];
  const runtimes: Snapshot['runtime'][] = [];
  const server = new AdminServer({
    admin: { address: { kind: 'ip', ip: '127.0.0.1', port: 0 } },
    store,
    budget: new SeriesBudget({ store, stats, maxSeries: 2000, clock: () => 0 }),
    exemplars: new Exemplars({ maxSeries: 2000, buckets: [] }),
    processStats: new ProcessStats(stats, store),
    state,
    pool: {
      generations: [1],
      drain: (inboundOnly, stopAccepting) => calls.push(`drain ${inboundOnly} ${stopAccepting}`),
    },
    overrides: new RuntimeOverrides(),
    setRuntime: (values) => runtimes.push(values),
    log: createProcessLog({ level: 'off', componentLevels: '' }),
    flags: parseFlags(['-c', 'bootstrap.yaml', '--drain-time-s', '0']),
    buckets: [],
    tracing: { overview: () => null, latestErrors: () => [] },
    capture: { overview: () => null, problem: null },
    dynamic: { sources: () => [], warming: () => ({ clusters: 0, listeners: 0 }), resources: () => [] },
    shutdown: () => calls.push('shutdown'),
    reopenLogs: () => calls.push('reopen logs'),
    ...given.options,
  });
  const address = await new Promise<string>((resolve) => server.listen({ onListening: resolve }));
  const origin = `http://${address}`;
  const ask = async (path: string, init: RequestInit) => {
    const response = await fetch(origin + path, init);
    return { status: response.status, text: await response.text(), headers: response.headers };
  };
  return {
    origin,
    port: Number(address.slice(address.lastIndexOf(':') + 1)),
    store,
    worker,
    state,
    calls,
    runtimes,
    get: (path) => ask(path, {}),
    post: (path, init = {}) => ask(path, { ...init, method: 'POST' }),
    openConnections: () => server.openConnections(),
    stop: () => server.close(),
  };
}

const bootstrap: Bootstrap = {
  node: { id: 'n', cluster: 'c', locality: { region: 'r', zone: 'z', subZone: '' }, metadata: {}, wire: {} },
  listeners: [],
  clusters: [],
  grpcClusters: new Map(),
  secrets: new Map(),
  dynamicResources: {},
  runtime: new Map(),
  runtimeLayers: [],
  stats: { histogramBuckets: [], matcher: { kind: 'all' }, sinks: [], flushIntervalMs: 5_000 },
};

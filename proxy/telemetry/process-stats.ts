// What the main thread counts of the process as a whole: `server.`, `runtime.` and whether workers have started.
// Most of it is read from elsewhere, so it is written when somebody asks and not kept up to date in between.

import { listenerManagerStats, listenerStats } from './listener-stats.ts';
import { runtimeStats, serverStats } from './server-stats.ts';
import type { StatBlock } from './stats.ts';
import type { StatsStore } from './stats-store.ts';
import type { WorkerStats } from './worker-stats.ts';

export interface ProcessFacts {
  readonly state: 'LIVE' | 'DRAINING' | 'INITIALIZING';
  readonly uptimeMs: number;
  /** `1.2.3`. */
  readonly version: string;
  readonly restartEpoch: number;
  /** 1 for a process that took nobody's place. */
  readonly restartGeneration: number;
  readonly parentConnections: number;
  /** Generation that each worker serves; 0 is none yet. */
  readonly generations: readonly number[];
  readonly runtime: { readonly keys: number; readonly layers: number; readonly overrides: number };
  /** Of certificates; undefined when there are none. */
  readonly daysUntilFirstExpiring: number | undefined;
  readonly memory: { readonly allocatedBytes: number; readonly heapBytes: number; readonly physicalBytes: number };
}

/** Envoy's numbers for `server.state`. */
const stateNumbers = { LIVE: 0, DRAINING: 1, INITIALIZING: 3 } as const;
/** What Envoy shows when there is no certificate. */
const noCertificate = 2 ** 32 - 1;

export class ProcessStats {
  readonly #store: StatsStore;
  readonly #server: StatBlock;
  readonly #listeners: StatBlock;
  readonly #runtime: StatBlock;

  constructor(stats: WorkerStats, store: StatsStore) {
    this.#store = store;
    this.#server = stats.block(serverStats);
    this.#listeners = stats.block(listenerManagerStats);
    this.#runtime = stats.block(runtimeStats);
    // The runtime is read once, with the bootstrap, and there is no directory of overrides.
    this.#runtime.inc(runtimeStats.loadSuccess);
    this.#runtime.inc(runtimeStats.overrideDirNotExists);
  }

  refresh(facts: ProcessFacts): void {
    const server = this.#server;
    server.set(serverStats.uptime, Math.floor(facts.uptimeMs / 1000));
    server.set(serverStats.live, facts.state === 'DRAINING' ? 0 : 1);
    server.set(serverStats.state, stateNumbers[facts.state]);
    server.set(serverStats.version, versionNumber(facts.version));
    server.set(serverStats.concurrency, facts.generations.length);
    server.set(serverStats.hotRestartEpoch, facts.restartEpoch);
    server.set(serverStats.hotRestartGeneration, facts.restartGeneration);
    server.set(serverStats.parentConnections, facts.parentConnections);
    server.set(serverStats.memoryAllocated, facts.memory.allocatedBytes);
    server.set(serverStats.memoryHeapSize, facts.memory.heapBytes);
    server.set(serverStats.memoryPhysicalSize, facts.memory.physicalBytes);
    server.set(serverStats.totalConnections, openConnections(this.#store));
    server.set(serverStats.daysUntilFirstCertExpiring, facts.daysUntilFirstExpiring ?? noCertificate);
    this.#runtime.set(runtimeStats.numKeys, facts.runtime.keys);
    this.#runtime.set(runtimeStats.numLayers, facts.runtime.layers);
    this.#runtime.set(runtimeStats.adminOverridesActive, facts.runtime.overrides > 0 ? 1 : 0);
    this.#listeners.set(listenerManagerStats.workersStarted, facts.generations.every((each) => each > 0) ? 1 : 0);
  }
}

/** Of all listeners. */
export function openConnections(store: StatsStore): number {
  let open = 0;
  for (const group of store.groups()) {
    if (group.scope.template === listenerStats.scope.template) open += group.value(listenerStats.downstreamCxActive);
  }
  return open;
}

/** 1.2.3 as 1002003. */
function versionNumber(version: string): number {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number);
  return major * 1e6 + minor * 1e3 + patch;
}

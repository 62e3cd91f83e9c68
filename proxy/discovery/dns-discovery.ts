// Keeps the members of all DNS clusters resolved, on the main thread: workers get assignments and know no DNS.

import { isDeepStrictEqual } from 'node:util';
import type { Address } from '../../config/address.ts';
import type { Cluster } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import type { Random } from '../../config/random.ts';
import { longestTimerMs } from '../../config/timer-limit.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import { DnsCluster, type ResolvedDiscovery } from './dns-cluster.ts';
import type { DnsResolver } from './dns-resolver.ts';
import type { Schedule } from './dns-target.ts';
import { createSystemResolvers } from './system-resolvers.ts';

export interface DnsDiscoveryOptions {
  /** The members of a cluster were resolved for the first time, or changed. */
  readonly onAssignment: (clusterName: string, assignment: LoadAssignment) => void;
  /** Blocks of `clusterDiscoveryStats`; without it nothing is counted. */
  readonly stats?: DiscoveryStats;
  /** The resolver that asks these servers, or those of the system when there are none. Default: this machine's. */
  readonly resolverFor?: (resolvers: readonly Address[]) => DnsResolver;
  /** Default: `setTimeout`, which keeps no process alive. */
  readonly schedule?: Schedule;
  /** Default: `Math.random`. */
  readonly random?: Random;
}

export interface DiscoveryStats {
  block(statName: string): StatBlock;
  release(block: StatBlock): void;
}

export class DnsDiscovery {
  readonly #options: Required<Omit<DnsDiscoveryOptions, 'stats'>>;
  readonly #stats: DiscoveryStats | null;
  readonly #running = new Map<string, RunningCluster>();

  constructor({ stats, ...options }: DnsDiscoveryOptions) {
    this.#options = {
      resolverFor: createSystemResolvers(),
      schedule: scheduleTimeout,
      random: Math.random,
      ...options,
    };
    this.#stats = stats ?? null;
  }

  /** The clusters of now. Those whose discovery did not change go on; new ones are resolved at once. */
  update(clusters: ReadonlyMap<string, Cluster>): void {
    for (const [name, running] of this.#running) {
      const cluster = clusters.get(name);
      if (cluster === undefined || !isSameDiscovery(running.config, cluster)) this.#stop(name, running);
    }
    for (const cluster of clusters.values()) {
      if (!this.#running.has(cluster.name)) this.#start(cluster);
    }
  }

  /** Stops all; nothing is called back any more. */
  stop(): void {
    for (const [name, running] of this.#running) this.#stop(name, running);
  }

  #start(config: Cluster): void {
    const discovery = config.discovery;
    if (!isResolved(discovery)) return;
    const { resolverFor, schedule, random, onAssignment } = this.#options;
    const stats = this.#stats?.block(config.statName) ?? null;
    const cluster = new DnsCluster({
      discovery,
      resolver: resolverFor(discovery.dns.resolvers),
      schedule,
      random,
      stats,
      onAssignment: (assignment) => onAssignment(config.name, assignment),
    });
    this.#running.set(config.name, { config, cluster, stats });
    cluster.start();
  }

  #stop(name: string, { cluster, stats }: RunningCluster): void {
    this.#running.delete(name);
    cluster.stop();
    if (stats !== null) this.#stats?.release(stats);
  }
}

interface RunningCluster {
  readonly config: Cluster;
  readonly cluster: DnsCluster;
  readonly stats: StatBlock | null;
}

function isResolved(discovery: Cluster['discovery']): discovery is ResolvedDiscovery {
  return discovery.kind === 'strict-dns' || discovery.kind === 'logical-dns';
}

function isSameDiscovery(before: Cluster, after: Cluster): boolean {
  return before.statName === after.statName && isDeepStrictEqual(before.discovery, after.discovery);
}

function scheduleTimeout(delayMs: number, callback: () => void): () => void {
  const timer = setTimeout(callback, Math.min(delayMs, longestTimerMs)).unref();
  return () => clearTimeout(timer);
}

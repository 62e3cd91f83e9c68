// `ssl_context_update_by_sds`: states of secrets that came for filter chains and clusters, as Envoy counts them where a
// secret is discovered. Counted where configurations are, once for all workers: a worker makes its contexts when a connection
// needs them, and one without connections would say that nothing is renewed.

import type { Cluster } from '../../config/cluster.ts';
import type { Listener } from '../../config/listener.ts';
import { filterChainsOf } from '../../config/references.ts';
import { type NamedSecret, secretsOfCluster, secretsOfListener } from '../../config/secret-references.ts';
import type { MapDelta, Snapshot, SnapshotDelta } from '../../config/snapshot.ts';
import { clusterStats } from './cluster-stats.ts';
import { listenerStatName } from './listener-stats.ts';
import type { StatBlock } from './stats.ts';
import type { StatsStore } from './stats-store.ts';
import { clusterTlsFactoryStats, listenerTlsFactoryStats } from './tls-stats.ts';
import type { WorkerStats } from './worker-stats.ts';

export class SecretUpdateStats {
  readonly #stats: WorkerStats;
  readonly #store: StatsStore;
  /** By name of the listener. */
  readonly #listeners = new Map<string, Held>();
  /** By name of the cluster. */
  readonly #clusters = new Map<string, Held>();

  constructor(stats: WorkerStats, store: StatsStore) {
    this.#stats = stats;
    this.#store = store;
  }

  /** A delta goes to the workers; `before` is the snapshot that it changes. */
  onPublished({ secrets, listeners, clusters }: SnapshotDelta, before: Snapshot): void {
    this.#releaseGone(this.#listeners, listeners, listenerStatName);
    this.#releaseGone(this.#clusters, clusters, ({ statName }) => statName);
    const changed = new Set(secrets.set.map(([key]) => key));
    if (changed.size === 0) return;
    for (const [name, listener] of after(before.listeners, listeners)) {
      const updates = updatesOf(secretsByChain(listener), changed);
      if (updates > 0) this.#ofListener(name, listener).add(listenerTlsFactoryStats.sslContextUpdateBySds, updates);
    }
    for (const [name, cluster] of after(before.clusters, clusters)) {
      const updates = updatesOf(secretsBySocket(cluster), changed);
      if (updates > 0) this.#ofCluster(name, cluster)?.add(clusterTlsFactoryStats.sslContextUpdateBySds, updates);
    }
  }

  #ofListener(name: string, listener: Listener): StatBlock {
    const statName = listenerStatName(listener);
    const held = this.#listeners.get(name) ?? { statName, block: this.#stats.block(listenerTlsFactoryStats, statName) };
    this.#listeners.set(name, held);
    return held.block;
  }

  /** Of those that are in use only: a mesh has thousands with the same secrets. */
  #ofCluster(name: string, { statName }: Cluster): StatBlock | undefined {
    if (this.#store.get(clusterStats, statName) === undefined) return undefined;
    const held = this.#clusters.get(name) ?? { statName, block: this.#stats.block(clusterTlsFactoryStats, statName) };
    this.#clusters.set(name, held);
    return held.block;
  }

  /** Also of what has another name in statistics now. */
  #releaseGone<T>(held: Map<string, Held>, { set, removed }: MapDelta<T>, statNameOf: (config: T) => string): void {
    for (const name of removed) this.#release(held, name);
    for (const [name, config] of set) {
      if (held.has(name) && held.get(name)!.statName !== statNameOf(config)) this.#release(held, name);
    }
  }

  #release(held: Map<string, Held>, name: string): void {
    const known = held.get(name);
    if (known === undefined) return;
    held.delete(name);
    this.#stats.release(known.block);
  }
}

interface Held {
  readonly statName: string;
  readonly block: StatBlock;
}

/** What is there with the delta. */
function* after<T>(before: ReadonlyMap<string, T>, { set, removed }: MapDelta<T>): Generator<readonly [string, T]> {
  const gone = new Set([...removed, ...set.map(([name]) => name)]);
  for (const entry of before) if (!gone.has(entry[0])) yield entry;
  yield* set;
}

function* secretsByChain(listener: Listener): Generator<readonly NamedSecret[]> {
  for (const chain of filterChainsOf(listener)) yield secretsOfListener({ filterChains: [chain] });
}

function* secretsBySocket({ transport, transportMatches }: Cluster): Generator<readonly NamedSecret[]> {
  yield secretsOfCluster({ transport, transportMatches: [] });
  for (const match of transportMatches) yield secretsOfCluster({ transport: match.transport, transportMatches: [] });
}

/** One for each secret of each context. What is written in place, or in the bootstrap, is not discovered. */
function updatesOf(contexts: Iterable<readonly NamedSecret[]>, changed: ReadonlySet<string>): number {
  let updates = 0;
  for (const secrets of contexts) {
    for (const { reference } of secrets) {
      const { kind } = reference.source;
      if (kind !== 'inline' && kind !== 'static' && changed.has(reference.key)) updates++;
    }
  }
  return updates;
}

// `ssl_context_update_by_sds`: states of secrets that came for filter chains and clusters, as Envoy counts them where a
// secret is discovered. Counted where configurations are, once for all workers: a worker makes its contexts when a connection
// needs them, and one without connections would say that nothing is renewed.

import { formatAddress } from '../../config/address.ts';
import type { Cluster } from '../../config/cluster.ts';
import type { Listener } from '../../config/listener.ts';
import { filterChainsOf } from '../../config/references.ts';
import { type NamedSecret, secretsOfCluster, secretsOfListener } from '../../config/secret-references.ts';
import type { Snapshot, SnapshotDelta } from '../../config/snapshot.ts';
import { clusterStats } from './cluster-stats.ts';
import type { StatBlock } from './stats.ts';
import type { StatsStore } from './stats-store.ts';
import { clusterTlsFactoryStats, listenerTlsFactoryStats } from './tls-stats.ts';
import type { WorkerStats } from './worker-stats.ts';

export class SecretUpdateStats {
  readonly #stats: WorkerStats;
  readonly #store: StatsStore;
  /** By name of the listener. */
  readonly #listeners = new Map<string, StatBlock>();
  /** By name of the cluster. */
  readonly #clusters = new Map<string, StatBlock>();

  constructor(stats: WorkerStats, store: StatsStore) {
    this.#stats = stats;
    this.#store = store;
  }

  /** A delta goes to the workers; `before` is the snapshot that it changes. */
  onPublished({ secrets, listeners, clusters }: SnapshotDelta, before: Snapshot): void {
    for (const name of listeners.removed) this.#release(this.#listeners, name);
    for (const name of clusters.removed) this.#release(this.#clusters, name);
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

  #ofListener(name: string, { statPrefix, address }: Listener): StatBlock {
    const statName = statPrefix === '' ? formatAddress(address).replaceAll(':', '_') : statPrefix;
    const block = this.#listeners.get(name) ?? this.#stats.block(listenerTlsFactoryStats, statName);
    this.#listeners.set(name, block);
    return block;
  }

  /** Of those that are in use only: a mesh has thousands with the same secrets. */
  #ofCluster(name: string, { statName }: Cluster): StatBlock | undefined {
    if (this.#store.get(clusterStats, statName) === undefined) return undefined;
    const block = this.#clusters.get(name) ?? this.#stats.block(clusterTlsFactoryStats, statName);
    this.#clusters.set(name, block);
    return block;
  }

  #release(blocks: Map<string, StatBlock>, name: string): void {
    const block = blocks.get(name);
    if (block === undefined) return;
    blocks.delete(name);
    this.#stats.release(block);
  }
}

/** What is there with the delta. */
function* after<T>(
  before: ReadonlyMap<string, T>,
  { set, removed }: { readonly set: readonly (readonly [string, T])[]; readonly removed: readonly string[] },
): Generator<readonly [string, T]> {
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

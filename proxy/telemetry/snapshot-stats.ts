// What the main thread counts of clusters and listeners as their configuration comes and goes, in Envoy's names.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/stats#listener-manager

import type { MapDelta, Snapshot, SnapshotDelta } from '../../config/snapshot.ts';
import { listenerManagerStats } from './listener-stats.ts';
import { clusterManagerStats } from './server-stats.ts';
import type { StatBlock } from './stats.ts';
import type { WorkerStats } from './worker-stats.ts';

export class SnapshotStats {
  readonly #workers: number;
  readonly #clusters: StatBlock;
  readonly #listeners: StatBlock;

  constructor(stats: WorkerStats, workers: number) {
    this.#workers = workers;
    this.#clusters = stats.block(clusterManagerStats);
    this.#listeners = stats.block(listenerManagerStats);
  }

  /** A delta goes to the workers; `before` is the snapshot that it changes. */
  onPublished(delta: SnapshotDelta, before: Snapshot): void {
    const ofClusters = countChanges(delta.clusters, before.clusters);
    this.#clusters.add(clusterManagerStats.clusterAdded, ofClusters.added);
    this.#clusters.add(clusterManagerStats.clusterModified, ofClusters.modified);
    this.#clusters.add(clusterManagerStats.clusterRemoved, ofClusters.removed);
    this.#clusters.set(clusterManagerStats.activeClusters, ofClusters.size);
    this.#clusters.add(
      clusterManagerStats.clusterUpdated,
      countChanges(delta.assignments, before.assignments).modified,
    );
    const ofListeners = countChanges(delta.listeners, before.listeners);
    this.#listeners.add(listenerManagerStats.listenerAdded, ofListeners.added);
    this.#listeners.add(listenerManagerStats.listenerModified, ofListeners.modified);
    this.#listeners.add(listenerManagerStats.listenerRemoved, ofListeners.removed);
    this.#listeners.set(listenerManagerStats.totalListenersActive, ofListeners.size);
    // Envoy counts a listener once for each worker.
    const created = delta.listeners.set.length * this.#workers;
    this.#listeners.add(listenerManagerStats.listenerCreateSuccess, created);
  }

  /** Only filter chains of so many listeners changed; they are modified, too. */
  countUpdatedInPlace(count: number): void {
    this.#listeners.add(listenerManagerStats.listenerInPlaceUpdated, count);
  }

  /** A listener could not be opened. */
  countListenFailure(): void {
    this.#listeners.inc(listenerManagerStats.listenerCreateFailure);
  }

  /** How many wait for what they need before they serve. */
  setWarming({ clusters, listeners }: { readonly clusters: number; readonly listeners: number }): void {
    this.#clusters.set(clusterManagerStats.warmingClusters, clusters);
    this.#listeners.set(listenerManagerStats.totalListenersWarming, listeners);
  }
}

function countChanges(delta: MapDelta<unknown>, before: ReadonlyMap<string, unknown>) {
  let added = 0;
  for (const [name] of delta.set) if (!before.has(name)) added++;
  let removed = 0;
  for (const name of delta.removed) if (before.has(name)) removed++;
  return { added, modified: delta.set.length - added, removed, size: before.size + added - removed };
}

// All clusters of a worker by name, kept up to date by snapshot deltas. A cluster that no request has asked for is
// nothing but its configuration: of the thousands that a mesh pushes to every sidecar, few are ever used.

import type { Cluster } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import type { MapDelta, SnapshotDelta } from '../../config/snapshot.ts';
import { type ClusterEnvironment, ClusterRuntime } from './cluster-runtime.ts';

export interface ClusterTableOptions extends ClusterEnvironment {
  /** A cluster that was in use left the configuration; its endpoints are removed already. */
  readonly onClusterRemoved: (cluster: ClusterRuntime) => void;
}

export class ClusterTable {
  readonly #options: ClusterTableOptions;
  readonly #configs = new Map<string, Cluster>();
  readonly #assignments = new Map<string, LoadAssignment>();
  readonly #runtimes = new Map<string, ClusterRuntime>();
  /** Removed, with requests or connections that have not ended yet. */
  readonly #leaving = new Set<ClusterRuntime>();

  constructor(options: ClusterTableOptions) {
    this.#options = options;
  }

  /** Number of configured clusters, used or not. */
  get size(): number {
    return this.#configs.size;
  }

  /** The cluster, made when it is first asked for; null when there is none that requests can be sent to. */
  get(name: string): ClusterRuntime | null {
    return this.#runtimes.get(name) ?? this.#create(name);
  }

  has(name: string): boolean {
    return this.#configs.has(name);
  }

  /** Clusters that were asked for. */
  inUse(): Iterable<ClusterRuntime> {
    return this.#runtimes.values();
  }

  /** Applies a delta between two events of the reactor. */
  apply(delta: Pick<SnapshotDelta, 'clusters' | 'assignments'>): void {
    for (const name of delta.clusters.removed) this.#remove(name);
    this.#applyAssignments(delta.assignments);
    for (const [name, config] of delta.clusters.set) this.#setConfig(name, config);
  }

  /** Drops original destinations nobody uses and counters of what has left; call it every second or so. */
  cleanUp(nowMs: number): void {
    for (const cluster of this.#runtimes.values()) cluster.cleanUp(nowMs);
    for (const cluster of this.#leaving) {
      cluster.cleanUp(nowMs);
      if (cluster.isGone) this.#leaving.delete(cluster);
    }
  }

  #setConfig(name: string, config: Cluster): void {
    this.#configs.set(name, config);
    const cluster = this.#runtimes.get(name);
    if (cluster === undefined) return;
    // Counters of requests in flight must end where they began, so another stat name is another cluster. So is one that
    // speaks another protocol.
    const { protocol } = cluster.config.upstreamHttp;
    const isSame = cluster.statName === config.statName && protocol === config.upstreamHttp.protocol;
    if (isSame) cluster.updateConfig(config);
    else this.#removeRuntime(cluster);
  }

  #applyAssignments(delta: MapDelta<LoadAssignment>): void {
    for (const name of delta.removed) {
      this.#assignments.delete(name);
      this.#runtimes.get(name)?.updateAssignment(null);
    }
    for (const [name, assignment] of delta.set) {
      this.#assignments.set(name, assignment);
      this.#runtimes.get(name)?.updateAssignment(assignment);
    }
  }

  #create(name: string): ClusterRuntime | null {
    const config = this.#configs.get(name);
    // One with HTTP/2 is for gRPC calls of our own: in HTTP/1.1 a request would only break there.
    if (config === undefined || config.upstreamHttp.protocol === 'http2') return null;
    const cluster = new ClusterRuntime(config, this.#assignments.get(name) ?? null, this.#options);
    this.#runtimes.set(name, cluster);
    return cluster;
  }

  #remove(name: string): void {
    this.#configs.delete(name);
    this.#assignments.delete(name);
    const cluster = this.#runtimes.get(name);
    if (cluster !== undefined) this.#removeRuntime(cluster);
  }

  #removeRuntime(cluster: ClusterRuntime): void {
    this.#runtimes.delete(cluster.name);
    cluster.remove();
    this.#leaving.add(cluster);
    this.#options.onClusterRemoved(cluster);
  }
}

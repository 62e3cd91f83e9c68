// All clusters of a worker by name, kept up to date by snapshot deltas. A cluster that no request has asked for is
// nothing but its configuration: of the thousands that a mesh pushes to every sidecar, few are ever used. With slow start it
// has its endpoints at once, because by its first request they must have been told apart by when they joined.

import type { Cluster } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import type { SnapshotDelta } from '../../config/snapshot.ts';
import { type ClusterEnvironment, ClusterRuntime } from './cluster-runtime.ts';
import { type ClusterPack, type Told, toldOf } from './packed-clusters.ts';
import { slowStartOf } from './slow-start.ts';

export interface ClusterTableOptions extends ClusterEnvironment {
  /** A cluster that was in use left the configuration; its endpoints are removed already. */
  readonly onClusterRemoved: (cluster: ClusterRuntime) => void;
}

export class ClusterTable {
  readonly #options: ClusterTableOptions;
  readonly #configs = new Map<string, Slot<Cluster>>();
  readonly #assignments = new Map<string, Slot<LoadAssignment>>();
  #prepared: Prepared = { configs: [], assignments: [], warming: [] };
  readonly #runtimes = new Map<string, ClusterRuntime>();
  /** Removed, with requests or connections that have not ended yet. */
  readonly #leaving = new Set<ClusterRuntime>();
  /** Packs to dissolve. */
  readonly #sparse = new Set<ClusterPack>();

  constructor(options: ClusterTableOptions) {
    this.#options = options;
  }

  /** Number of configured clusters, used or not. */
  get size(): number {
    let size = 0;
    for (const { told } of this.#configs.values()) if (told !== null) size++;
    return size;
  }

  /** The cluster, made when it is first asked for; null when there is none that requests can be sent to. */
  get(name: string): ClusterRuntime | null {
    return this.#runtimes.get(name) ?? this.#create(name);
  }

  has(name: string): boolean {
    return (this.#configs.get(name)?.told ?? null) !== null;
  }

  /** Clusters that were asked for. */
  inUse(): Iterable<ClusterRuntime> {
    return this.#runtimes.values();
  }

  /**
   * Takes what the next delta brings with it, so that applying it is to follow references. Clusters in use are opened here,
   * a pack between two turns.
   */
  prepare(pack: ClusterPack): void {
    this.#dissolveSparse();
    const { configs, assignments, warming } = this.#prepared;
    for (const name of pack.warming) warming.push(name);
    for (let index = 0; index < pack.clusters.length; index++) {
      configs.push(this.#prepare(this.#configs, pack.clusters[index]!, pack.cluster(index)));
    }
    for (let index = 0; index < pack.assignments.length; index++) {
      assignments.push(this.#prepare(this.#assignments, pack.assignments[index]!, pack.assignment(index)));
    }
  }

  /** Applies a delta, with all that was prepared, between two events of the reactor. */
  apply(delta: Pick<SnapshotDelta, 'clusters' | 'assignments'>): void {
    this.#dissolveSparse();
    for (const name of delta.clusters.removed) this.#remove(name);
    for (const name of delta.assignments.removed) {
      this.#forget(this.#assignments, name);
      this.#runtimes.get(name)?.updateAssignment(null);
    }
    const { configs, assignments, warming } = this.#prepared;
    this.#prepared = { configs: [], assignments: [], warming: [] };
    for (const [name, value] of delta.assignments.set)
      assignments.push(prepared(this.#assignments, name, toldOf(value)));
    for (const [name, value] of delta.clusters.set) {
      configs.push(prepared(this.#configs, name, toldOf(value)));
      if (slowStartOf(value.loadBalancer) !== undefined) warming.push(name);
    }
    for (const { name, slot, told } of assignments) {
      this.#tell(slot, told);
      this.#runtimes.get(name)?.updateAssignment(told.value());
    }
    for (const { name, slot, told } of configs) {
      this.#tell(slot, told);
      const cluster = this.#runtimes.get(name);
      if (cluster !== undefined) this.#changeConfig(cluster, told.value());
    }
    for (const name of warming) this.get(name)?.watchMembers();
  }

  /** Drops original destinations nobody uses and counters of what has left; call it every second or so. */
  cleanUp(nowMs: number): void {
    this.#dissolveSparse();
    for (const cluster of this.#runtimes.values()) cluster.cleanUp(nowMs);
    for (const cluster of this.#leaving) {
      cluster.cleanUp(nowMs);
      if (cluster.isGone) this.#leaving.delete(cluster);
    }
  }

  #prepare<T>(slots: Map<string, Slot<T>>, name: string, told: Told<T>): PreparedSlot<T> {
    if (this.#runtimes.has(name)) told.value();
    return prepared(slots, name, told);
  }

  #tell<T>(slot: Slot<T>, told: Told<T>): void {
    this.#noteSparse(slot.told?.forget());
    slot.told = told;
  }

  #forget<T>(slots: Map<string, Slot<T>>, name: string): void {
    this.#noteSparse(slots.get(name)?.told?.forget());
    slots.delete(name);
  }

  #noteSparse(pack: ClusterPack | null | undefined): void {
    if (pack) this.#sparse.add(pack);
  }

  // A few at a time: opening one takes up to a millisecond. As many changes as a delta of single values or a part has make
  // no more than these sparse, so that what waits does not grow.
  #dissolveSparse(): void {
    let opened = 0;
    for (const pack of this.#sparse) {
      if (opened === mostDissolved) return;
      this.#sparse.delete(pack);
      // All of it left meanwhile.
      if (!pack.isSparse) continue;
      pack.dissolve();
      opened++;
    }
  }

  #changeConfig(cluster: ClusterRuntime, config: Cluster): void {
    // Counters of requests in flight must end where they began, so another stat name is another cluster. So is one that
    // speaks another protocol.
    const { protocol } = cluster.config.upstreamHttp;
    const isSame = cluster.statName === config.statName && protocol === config.upstreamHttp.protocol;
    if (isSame) cluster.updateConfig(config);
    else this.#removeRuntime(cluster);
  }

  #create(name: string): ClusterRuntime | null {
    const config = this.#configs.get(name)?.told?.value();
    // One with HTTP/2 is for gRPC calls of our own: in HTTP/1.1 a request would only break there.
    if (config === undefined || config.upstreamHttp.protocol === 'http2') return null;
    const cluster = new ClusterRuntime(config, this.#assignments.get(name)?.told?.value() ?? null, this.#options);
    this.#runtimes.set(name, cluster);
    return cluster;
  }

  #remove(name: string): void {
    this.#forget(this.#configs, name);
    this.#forget(this.#assignments, name);
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

const mostDissolved = 2;

/** Of a name, looked up once for each time that it is told of. */
interface Slot<T> {
  /** Null: what is told of it is not served yet. */
  told: Told<T> | null;
}

interface PreparedSlot<T> {
  readonly name: string;
  readonly slot: Slot<T>;
  readonly told: Told<T>;
}

interface Prepared {
  readonly configs: PreparedSlot<Cluster>[];
  readonly assignments: PreparedSlot<LoadAssignment>[];
  readonly warming: string[];
}

function prepared<T>(slots: Map<string, Slot<T>>, name: string, told: Told<T>): PreparedSlot<T> {
  let slot = slots.get(name);
  if (slot === undefined) {
    slot = { told: null };
    slots.set(name, slot);
  }
  return { name, slot, told };
}

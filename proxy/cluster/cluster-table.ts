// All clusters of a worker by name, kept up to date by snapshot deltas. A cluster that no request has asked for is
// nothing but its configuration: of the thousands that a mesh pushes to every sidecar, few are ever used. With slow start it
// has its endpoints at once, because by its first request they must have been told apart by when they joined.

import type { Cluster } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import type { SnapshotDelta } from '../../config/snapshot.ts';
import { type ClusterEnvironment, ClusterRuntime } from './cluster-runtime.ts';
import { type ClusterPack, type Told, toldOf } from './packed-clusters.ts';
import { slowStartOf } from './slow-start.ts';

export class ClusterTable {
  readonly #environment: ClusterEnvironment;
  readonly #configs = new Map<string, Slot<Cluster>>();
  readonly #assignments = new Map<string, Slot<LoadAssignment>>();
  #prepared: Batch = emptyBatch();
  /** Served, and not taken in yet; the oldest first. Each step says what it cost. */
  readonly #untaken: Iterator<number, void>[] = [];
  readonly #runtimes = new Map<string, ClusterRuntime>();
  /** Not configured any more, though what was told of them is not forgotten yet. */
  #removed: Set<string> = new Set();
  /** Removed, with requests or connections that have not ended yet. */
  readonly #leaving = new Set<ClusterRuntime>();
  /** Packs to dissolve. */
  readonly #sparse = new Set<ClusterPack>();
  readonly #onUsed: (name: string) => void;

  /** `onUsed` hears of each cluster that is asked for, when it is first asked for. */
  constructor(environment: ClusterEnvironment, onUsed: (name: string) => void = () => undefined) {
    this.#environment = environment;
    this.#onUsed = onUsed;
  }

  /** Number of configured clusters, used or not. */
  get size(): number {
    let size = 0;
    for (const slot of this.#configs.values()) if (isServed(slot) && !this.#removed.has(slot.name)) size++;
    return size;
  }

  /** The cluster, made when it is first asked for; null when there is none that requests can be sent to. */
  get(name: string): ClusterRuntime | null {
    if (this.#untaken.length > 0) this.#takeInOf(name);
    return this.#runtimes.get(name) ?? this.#create(name);
  }

  has(name: string): boolean {
    const slot = this.#configs.get(name);
    return slot !== undefined && isServed(slot) && !this.#removed.has(name);
  }

  /** Clusters that were asked for. */
  inUse(): Iterable<ClusterRuntime> {
    return this.#runtimes.values();
  }

  /**
   * Takes what the next delta brings with it, so that applying it is to say that it is served. Clusters in use are opened
   * here, a pack between two turns.
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

  /**
   * Applies a delta between two events of the reactor. What was prepared is served at once, all of it: who asks for a cluster
   * finds it as it is now, and none that is removed. Members and connections of clusters in use follow with `takeIn`.
   */
  apply(delta: Pick<SnapshotDelta, 'clusters' | 'assignments'>): void {
    this.#dissolveSparse();
    const removed = new Set(delta.clusters.removed);
    this.#servePrepared();
    for (const name of delta.assignments.removed) {
      // With its cluster.
      if (removed.has(name)) continue;
      this.#takeInOf(name);
      this.#forget(this.#assignments, name);
      this.#runtimes.get(name)?.updateAssignment(null);
    }
    for (const [name, value] of delta.assignments.set) {
      this.#takeInOf(name);
      const told = toldOf(value);
      this.#tell(slotOf(this.#assignments, name), told);
      this.#runtimes.get(name)?.updateAssignment(value);
    }
    for (const [name, value] of delta.clusters.set) {
      this.#takeInOf(name);
      this.#tell(slotOf(this.#configs, name), toldOf(value));
      this.#changeConfig(name, value);
    }
    for (const [name, { loadBalancer }] of delta.clusters.set) {
      if (slowStartOf(loadBalancer) !== undefined) this.get(name)?.watchMembers();
    }
    this.#leave(removed);
  }

  /**
   * Takes in some of what was prepared and is served, or lets go of some of what was removed: in a few tenths of a
   * millisecond, where all of 10,000 clusters of which 500 are in use took 10 to 50 ms of CPU in one turn. Whether there is
   * more. Call it, a turn after another, before anything else is prepared or applied.
   */
  takeIn(): boolean {
    this.#dissolveSparse();
    for (let cost = 0; cost < mostTakenIn; ) {
      const step = this.#untaken[0]?.next();
      if (step === undefined) return false;
      if (step.done) this.#untaken.shift();
      else cost += step.value;
    }
    return this.#untaken.length > 0;
  }

  /** Drops original destinations nobody uses and counters of what has left; call it every second or so. */
  cleanUp(nowMs: number): void {
    this.#dissolveSparse();
    for (const cluster of this.#runtimes.values()) cluster.cleanUp(nowMs);
    let gone = 0;
    for (const cluster of this.#leaving) {
      cluster.cleanUp(nowMs);
      if (!cluster.isGone) continue;
      this.#leaving.delete(cluster);
      if (++gone === mostGone) return;
    }
  }

  #prepare<T>(slots: Map<string, Slot<T>>, name: string, told: Told<T>): Slot<T> {
    if (this.#runtimes.has(name)) told.value();
    if (this.#untaken.length > 0) this.#takeInOf(name);
    const slot = slotOf(slots, name);
    slot.next = told;
    slot.batch = this.#prepared;
    return slot;
  }

  #servePrepared(): void {
    const batch = this.#prepared;
    if (batch.configs.length + batch.assignments.length === 0) return;
    this.#prepared = emptyBatch();
    batch.isServed = true;
    this.#untaken.push(this.#takingIn(batch));
  }

  *#takingIn({ assignments, configs, warming }: Batch): Generator<number, void> {
    for (const { name } of assignments) yield this.#takeInOf(name);
    for (const { name } of configs) yield this.#takeInOf(name);
    for (const name of warming) {
      this.get(name)?.watchMembers();
      yield costOfUsed;
    }
  }

  /**
   * Configuration and members in one turn: who holds the cluster, such as a request that is tried again, must not find new
   * members with the transport socket of before. What it cost.
   */
  #takeInOf(name: string): number {
    if (this.#removed.has(name)) this.#forgetBoth(name);
    const assignment = this.#assignments.get(name);
    const config = this.#configs.get(name);
    const members = assignment === undefined ? 0 : this.#takeInAssignment(assignment);
    return costOfUnused + members + (config === undefined ? 0 : this.#takeInConfig(config));
  }

  #takeInAssignment(slot: Slot<LoadAssignment>): number {
    const told = this.#takeNext(slot);
    const cluster = told && this.#runtimes.get(slot.name);
    if (!cluster) return 0;
    cluster.updateAssignment(told!.value());
    return costOfUsed;
  }

  #takeInConfig(slot: Slot<Cluster>): number {
    const told = this.#takeNext(slot);
    if (told === null || !this.#runtimes.has(slot.name)) return 0;
    this.#changeConfig(slot.name, told.value());
    return costOfUsed;
  }

  /** Null when there is nothing to take in. */
  #takeNext<T>(slot: Slot<T>): Told<T> | null {
    const { next } = slot;
    if (next === null || !slot.batch!.isServed) return null;
    slot.next = null;
    slot.batch = null;
    this.#tell(slot, next);
    return next;
  }

  #tell<T>(slot: Slot<T>, told: Told<T>): void {
    this.#noteSparse(slot.told?.forget());
    slot.told = told;
  }

  #forget<T>(slots: Map<string, Slot<T>>, name: string): void {
    const slot = slots.get(name);
    if (slot === undefined) return;
    slots.delete(name);
    this.#noteSparse(slot.told?.forget());
    this.#noteSparse(slot.next?.forget());
    slot.next = null;
  }

  #forgetBoth(name: string): void {
    this.#removed.delete(name);
    this.#forget(this.#configs, name);
    this.#forget(this.#assignments, name);
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

  #changeConfig(name: string, config: Cluster): void {
    const cluster = this.#runtimes.get(name);
    if (cluster === undefined) return;
    // Counters of requests in flight must end where they began, so another stat name is another cluster. So is one that
    // speaks another protocol.
    const { protocol } = cluster.config.upstreamHttp;
    const isSame = cluster.statName === config.statName && protocol === config.upstreamHttp.protocol;
    if (isSame) cluster.updateConfig(config);
    else {
      this.#runtimes.delete(name);
      this.#letGo(cluster);
    }
  }

  #create(name: string): ClusterRuntime | null {
    const config = this.#configs.get(name)?.told?.value();
    // One with HTTP/2 is for gRPC calls of our own: in HTTP/1.1 a request would only break there.
    if (config === undefined || config.upstreamHttp.protocol === 'http2') return null;
    const cluster = new ClusterRuntime(config, this.#assignments.get(name)?.told?.value() ?? null, this.#environment);
    this.#runtimes.set(name, cluster);
    this.#onUsed(name);
    return cluster;
  }

  /** From now on nobody finds them, and who holds one finds no endpoint in it. */
  #leave(names: Set<string>): void {
    if (names.size === 0) return;
    const clusters: ClusterRuntime[] = [];
    for (const cluster of this.#runtimes.values()) {
      if (!names.has(cluster.name)) continue;
      this.#runtimes.delete(cluster.name);
      cluster.leave();
      clusters.push(cluster);
    }
    // Nearly always there is none of before.
    for (const name of this.#removed) names.add(name);
    this.#removed = names;
    this.#untaken.push(this.#lettingGo(names, clusters));
  }

  // All at once it was a turn of 43 ms for 10,000 clusters, 500 of them with two connections, 10 ms where none is in use; what
  // they count was given back in another, of 9 ms.
  *#lettingGo(names: ReadonlySet<string>, clusters: readonly ClusterRuntime[]): Generator<number, void> {
    for (const cluster of clusters) {
      this.#letGo(cluster);
      yield costOfUsed;
    }
    for (const name of names) {
      if (this.#removed.has(name)) this.#forgetBoth(name);
      yield costOfForgotten;
    }
  }

  #letGo(cluster: ClusterRuntime): void {
    cluster.remove();
    this.#leaving.add(cluster);
  }
}

const mostDissolved = 2;

/** What is taken in of a cluster that nobody uses, a twentieth of a microsecond once it is compiled. */
const costOfUnused = 1;
/** Of one that is removed: half a microsecond for what was told of it, as much for its members, in which packs are looked after. */
const costOfForgotten = 2;
/** Of one in use, whose members and connections are compared with what is told of them. */
const costOfUsed = 32;
const mostTakenIn = 256;
/** Removed clusters that give their counters back in one turn: 17 us each. */
const mostGone = 64;

/** What is told of a name, looked up once for each time that it is told of. */
interface Slot<T> {
  readonly name: string;
  /** Null: nothing of it was served, or nothing that was taken in. */
  told: Told<T> | null;
  /** Is told once its batch is served. */
  next: Told<T> | null;
  batch: Batch | null;
}

/** What is prepared for one delta. */
interface Batch {
  isServed: boolean;
  readonly configs: Slot<Cluster>[];
  readonly assignments: Slot<LoadAssignment>[];
  readonly warming: string[];
}

function emptyBatch(): Batch {
  return { isServed: false, configs: [], assignments: [], warming: [] };
}

function slotOf<T>(slots: Map<string, Slot<T>>, name: string): Slot<T> {
  let slot = slots.get(name);
  if (slot === undefined) {
    slot = { name, told: null, next: null, batch: null };
    slots.set(name, slot);
  }
  return slot;
}

function isServed<T>({ told, next, batch }: Slot<T>): boolean {
  return told !== null || (next !== null && batch!.isServed);
}

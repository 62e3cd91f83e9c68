// Clusters and their members as bytes that all workers share. A worker opens them when one is first asked for: of the
// thousands that a mesh pushes to every sidecar few are ever used, and as objects they kept a worker from its requests for
// 50 to 110 ms of each push.

import { deserialize } from 'node:v8';
import type { Cluster } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';

/** Structured-cloned without its bytes. */
export interface PackedClusters {
  readonly clusters: readonly string[];
  readonly assignments: readonly string[];
  /** Clusters whose members are to be known before the first request: those with slow start. */
  readonly warming: readonly string[];
  /** `PackedValues`, as V8 serializes them. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
}

/** In the order of the names. */
export interface PackedValues {
  readonly clusters: readonly Cluster[];
  readonly assignments: readonly LoadAssignment[];
}

/** What is configured of one name. */
export interface Told<T> {
  /** Opened when it is called for. */
  value(): T;
  /** It is not configured any more. The pack that it came in, when that keeps memory for few others. */
  forget(): ClusterPack | null;
}

/** A value that came by itself. */
export function toldOf<T>(value: T): Told<T> {
  return { value: () => value, forget: () => null };
}

/** The bytes of a whole pack are kept for no fewer than one value of four. */
const leastShare = 4;

/** Packed clusters where they are received. */
export class ClusterPack {
  readonly clusters: readonly string[];
  readonly assignments: readonly string[];
  readonly warming: readonly string[];
  /** Null once it was opened. */
  #bytes: Uint8Array | null;
  #values: PackedValues | null = null;
  readonly #handedOut: PackedValue[] = [];
  /** Of those, how many are still configured. */
  #live = 0;

  constructor(packed: PackedClusters) {
    this.clusters = packed.clusters;
    this.assignments = packed.assignments;
    this.warming = packed.warming;
    this.#bytes = packed.bytes;
  }

  cluster(index: number): Told<Cluster> {
    return this.#handOut(index) as Told<Cluster>;
  }

  assignment(index: number): Told<LoadAssignment> {
    return this.#handOut(this.clusters.length + index) as Told<LoadAssignment>;
  }

  /** Few of its values are still configured, and all of them are in memory. */
  get isSparse(): boolean {
    return this.#live > 0 && this.#live * leastShare <= this.clusters.length + this.assignments.length;
  }

  /** Gives each value to who has it, and keeps nothing. In less than a millisecond. */
  dissolve(): void {
    for (const each of this.#handedOut) each.detach();
    this.#handedOut.length = 0;
    this.#live = 0;
    this.#values = null;
  }

  /** One value is not configured any more. */
  forgetOne(): void {
    this.#live--;
  }

  /** By its place, clusters first. */
  valueAt(place: number): Cluster | LoadAssignment {
    const { clusters, assignments } = this.#open();
    return clusters[place] ?? assignments[place - clusters.length]!;
  }

  #handOut(place: number): PackedValue {
    const value = new PackedValue(this, place);
    this.#handedOut.push(value);
    this.#live++;
    return value;
  }

  /** In less than a millisecond, the first time. */
  #open(): PackedValues {
    if (this.#bytes !== null) {
      this.#values = deserialize(this.#bytes) as PackedValues;
      this.#bytes = null;
    }
    return this.#values!;
  }
}

// A push of 10,000 clusters makes 20,000 of them, and V8 copies each twice before it is old. With a closure each, and a set of
// those of a pack, what a push keeps was 6.1 MB where it is 3.5.
class PackedValue implements Told<Cluster | LoadAssignment> {
  /** Null: the value is its own, or it is not configured any more. */
  #pack: ClusterPack | null;
  readonly #place: number;
  #own: Cluster | LoadAssignment | null = null;

  constructor(pack: ClusterPack, place: number) {
    this.#pack = pack;
    this.#place = place;
  }

  value(): Cluster | LoadAssignment {
    return this.#own ?? this.#pack!.valueAt(this.#place);
  }

  forget(): ClusterPack | null {
    const pack = this.#pack;
    if (pack === null) return null;
    this.#pack = null;
    pack.forgetOne();
    return pack.isSparse ? pack : null;
  }

  /** Without the pack from now on. */
  detach(): void {
    if (this.#pack === null) return;
    this.#own = this.value();
    this.#pack = null;
  }
}

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
  /** Values that were handed out and are still configured. */
  readonly #live = new Set<PackedValue<unknown>>();

  constructor(packed: PackedClusters) {
    this.clusters = packed.clusters;
    this.assignments = packed.assignments;
    this.warming = packed.warming;
    this.#bytes = packed.bytes;
  }

  cluster(index: number): Told<Cluster> {
    return this.#handOut(() => this.#open().clusters[index]!);
  }

  assignment(index: number): Told<LoadAssignment> {
    return this.#handOut(() => this.#open().assignments[index]!);
  }

  /** Few of its values are still configured, and all of them are in memory. */
  get isSparse(): boolean {
    return this.#live.size > 0 && this.#live.size * leastShare <= this.clusters.length + this.assignments.length;
  }

  /** Gives each value to who has it, and keeps nothing. In less than a millisecond. */
  dissolve(): void {
    for (const each of this.#live) each.detach();
    this.#live.clear();
    this.#values = null;
  }

  /** Its value is not configured any more. */
  forget(value: PackedValue<unknown>): void {
    this.#live.delete(value);
  }

  #handOut<T>(read: () => T): Told<T> {
    const value = new PackedValue(this, read);
    this.#live.add(value);
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

class PackedValue<T> implements Told<T> {
  /** Null: the value is its own. */
  #pack: ClusterPack | null;
  #read: () => T;

  constructor(pack: ClusterPack, read: () => T) {
    this.#pack = pack;
    this.#read = read;
  }

  value(): T {
    return this.#read();
  }

  forget(): ClusterPack | null {
    const pack = this.#pack;
    pack?.forget(this);
    return pack?.isSparse ? pack : null;
  }

  /** Without the pack from now on. */
  detach(): void {
    const value = this.#read();
    this.#read = () => value;
    this.#pack = null;
  }
}

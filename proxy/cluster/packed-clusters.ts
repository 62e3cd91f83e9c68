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
  /** `PackedValues`, as V8 serializes them. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
}

/** In the order of the names. */
export interface PackedValues {
  readonly clusters: readonly Cluster[];
  readonly assignments: readonly LoadAssignment[];
}

/** What is configured of one name, opened when it is called for. */
export type Told<T> = () => T;

/** Packed clusters where they are received. */
export class ClusterPack {
  readonly clusters: readonly string[];
  readonly assignments: readonly string[];
  /** Null once it was opened. */
  #bytes: Uint8Array | null;
  #values: PackedValues | null = null;

  constructor(packed: PackedClusters) {
    this.clusters = packed.clusters;
    this.assignments = packed.assignments;
    this.#bytes = packed.bytes;
  }

  cluster(index: number): Told<Cluster> {
    return () => this.#open().clusters[index]!;
  }

  assignment(index: number): Told<LoadAssignment> {
    return () => this.#open().assignments[index]!;
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

// A large delta on its way to a worker, in parts: what one turn of the reactor receives is small, however much changed.
// A worker keeps the parts until the rest has come, and applies all in one step: requests never see half of it.
//
// All 10,000 clusters with their members at once kept a worker from its requests for 100 ms, as one message.

import type { Cluster } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import type { SnapshotDelta } from '../../config/snapshot.ts';

export interface SnapshotPart {
  readonly clusters: readonly (readonly [string, Cluster])[];
  readonly assignments: readonly (readonly [string, LoadAssignment])[];
}

type PartedDelta = Pick<SnapshotDelta, 'clusters' | 'assignments'>;

/** Clusters, and as many assignments, that are received in about a millisecond. */
const partLength = 200;

/** The parts that go ahead, and what is left: all of a small delta. */
export function splitDelta<D extends PartedDelta>(
  delta: D,
): { readonly parts: readonly SnapshotPart[]; readonly rest: D } {
  const { clusters, assignments } = delta;
  const length = Math.max(clusters.set.length, assignments.set.length);
  if (length <= partLength) return { parts: [], rest: delta };
  const parts: SnapshotPart[] = [];
  for (let from = 0; from < length; from += partLength) {
    const to = from + partLength;
    parts.push({ clusters: clusters.set.slice(from, to), assignments: assignments.set.slice(from, to) });
  }
  const rest = { ...delta, clusters: { ...clusters, set: [] }, assignments: { ...assignments, set: [] } };
  return { parts, rest };
}

/** The parts that a worker has so far. */
export class ReceivedParts {
  #parts: SnapshotPart[] = [];

  add(part: SnapshotPart): void {
    this.#parts.push(part);
  }

  /** The whole delta, and none of its parts is kept. */
  complete<D extends PartedDelta>(rest: D): D {
    if (this.#parts.length === 0) return rest;
    const parts = this.#parts;
    this.#parts = [];
    const { clusters, assignments } = rest;
    return {
      ...rest,
      clusters: { ...clusters, set: [...parts.flatMap((part) => part.clusters), ...clusters.set] },
      assignments: { ...assignments, set: [...parts.flatMap((part) => part.assignments), ...assignments.set] },
    };
  }
}

// A large delta on its way to a worker: clusters and their members go ahead in parts, as bytes. A worker learns of the names
// of a part between two turns, and all parts are served from one moment on: requests never see half of a delta.
//
// All 10,000 clusters with their members at once, as objects, kept a worker from its requests for 100 ms.

import { serialize } from 'node:v8';
import type { MapDelta, SnapshotDelta } from '../../config/snapshot.ts';
import type { PackedClusters, PackedValues } from '../cluster/packed-clusters.ts';
import { slowStartOf } from '../cluster/slow-start.ts';

type PartedDelta = Pick<SnapshotDelta, 'clusters' | 'assignments'>;

export interface UsedNames {
  has(cluster: string): boolean;
}

/** Clusters, and as many assignments: what a worker opens at once, and the most that it is sent as objects. */
const partLength = 32;

/**
 * The parts that go ahead, each made when it is asked for, and what is left: all of a small delta. Clusters that some worker
 * uses are together in the first: a control plane names them in any order, and 800 of 10,000, of which each made its worker
 * open the pack it was in, opened them all.
 */
export function splitDelta<D extends PartedDelta>(
  delta: D,
  used: UsedNames,
): { readonly parts: Iterable<PackedClusters>; readonly rest: D } {
  const { clusters, assignments } = delta;
  if (lengthOf(delta) <= partLength) return { parts: [], rest: delta };
  const rest = { ...delta, clusters: { ...clusters, set: [] }, assignments: { ...assignments, set: [] } };
  const ordered = { clusters: usedFirst(clusters, used), assignments: usedFirst(assignments, used) };
  return { parts: partsOf(ordered), rest };
}

function usedFirst<T>({ set, removed }: MapDelta<T>, used: UsedNames): MapDelta<T> {
  const { first = [], last = [] } = Object.groupBy(set, ([name]) => (used.has(name) ? 'first' : 'last'));
  return { set: [...first, ...last], removed };
}

function* partsOf(delta: PartedDelta): Generator<PackedClusters, void> {
  const { clusters, assignments } = delta;
  for (let from = 0; from < lengthOf(delta); from += partLength) {
    const to = from + partLength;
    yield pack(clusters.set.slice(from, to), assignments.set.slice(from, to));
  }
}

function lengthOf({ clusters, assignments }: PartedDelta): number {
  return Math.max(clusters.set.length, assignments.set.length);
}

function pack(
  clusters: PartedDelta['clusters']['set'],
  assignments: PartedDelta['assignments']['set'],
): PackedClusters {
  const values: PackedValues = {
    clusters: clusters.map(([, cluster]) => cluster),
    assignments: assignments.map(([, assignment]) => assignment),
  };
  const written = serialize(values);
  const bytes = new Uint8Array(new SharedArrayBuffer(written.length));
  bytes.set(written);
  return {
    clusters: clusters.map(([name]) => name),
    assignments: assignments.map(([name]) => name),
    warming: clusters.filter(([, { loadBalancer }]) => slowStartOf(loadBalancer) !== undefined).map(([name]) => name),
    bytes,
  };
}

// Clusters as workers receive the parts of a large change.

import { serialize } from 'node:v8';
import type { Cluster } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import type { PackedClusters, PackedValues } from '../../proxy/cluster/packed-clusters.ts';
import { slowStartOf } from '../../proxy/cluster/slow-start.ts';

export function packedClusters(
  clusters: readonly Cluster[],
  assignments: readonly (readonly [string, LoadAssignment])[],
): PackedClusters {
  const values: PackedValues = { clusters, assignments: assignments.map(([, members]) => members) };
  const written = serialize(values);
  const bytes = new Uint8Array(new SharedArrayBuffer(written.length));
  bytes.set(written);
  return {
    clusters: clusters.map(({ name }) => name),
    assignments: assignments.map(([name]) => name),
    warming: clusters.filter(({ loadBalancer }) => slowStartOf(loadBalancer) !== undefined).map(({ name }) => name),
    bytes,
  };
}

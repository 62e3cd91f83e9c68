// The first snapshot: what the bootstrap holds. Nothing in it waits for a control plane.

import type { Bootstrap } from '../config/bootstrap.ts';
import type { LoadAssignment } from '../config/endpoint.ts';
import type { Snapshot } from '../config/snapshot.ts';

/** Generation 1. DNS clusters have no assignment until they are resolved; those of original destinations never have. */
export function staticSnapshot(bootstrap: Bootstrap): Snapshot {
  const assignments = new Map<string, LoadAssignment>();
  for (const { name, discovery } of bootstrap.clusters) {
    if (discovery.kind === 'static') assignments.set(name, discovery.assignment);
  }
  return {
    generation: 1,
    listeners: new Map(bootstrap.listeners.map((listener) => [listener.name, listener])),
    clusters: new Map(bootstrap.clusters.map((cluster) => [cluster.name, cluster])),
    assignments,
    routes: new Map(),
    secrets: new Map(),
    runtime: bootstrap.runtime,
  };
}

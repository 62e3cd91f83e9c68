// The first snapshot: what the bootstrap holds. Nothing in it waits for a control plane.

import type { Bootstrap } from '../config/bootstrap.ts';
import type { LoadAssignment } from '../config/endpoint.ts';
import { Problems } from '../config/problems.ts';
import type { Secret } from '../config/secret.ts';
import { secretsOfCluster, secretsOfListener } from '../config/secret-references.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { loadSecret } from './decode/secret-loading.ts';
import { writtenSecretOf } from './decode/secret-source.ts';

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
    secrets: secretsOf(bootstrap),
    runtime: bootstrap.runtime,
  };
}

/** Those that are used. One that could be read with the bootstrap and cannot any more is missing, and is told as such. */
function secretsOf({ clusters, listeners, secrets: statics }: Bootstrap): ReadonlyMap<string, Secret> {
  const secrets = new Map<string, Secret>();
  for (const { reference } of [...clusters.flatMap(secretsOfCluster), ...listeners.flatMap(secretsOfListener)]) {
    const written = secrets.has(reference.key) ? undefined : writtenSecretOf(reference, statics);
    const secret = written && loadSecret(written, new Problems());
    if (secret !== undefined) secrets.set(reference.key, secret);
  }
  return secrets;
}

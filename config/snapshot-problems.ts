// What a snapshot lacks to be whole. It serves nevertheless: requests that need what is missing are answered by 404 or 503.

import type { Problem } from './problems.ts';
import { clustersOfListener, clustersOfRoutes, collectorsOfListener, namedRoutesOf } from './references.ts';
import { type NamedSecret, secretsOfCluster, secretsOfListener } from './secret-references.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * Paths say which of the snapshot's resources is not whole, such as `routes["web"]`. `forCalls` are the static clusters
 * that telemetry may be sent to besides those of the snapshot.
 */
export function snapshotProblems(
  snapshot: Snapshot,
  forCalls: ReadonlyMap<string, unknown> = new Map(),
): readonly Problem[] {
  const problems: Problem[] = [];
  for (const [name, cluster] of snapshot.clusters) {
    const path = pathOf('clusters', name);
    addMissingSecrets(secretsOfCluster(cluster), { snapshot, path }, problems);
    if (cluster.discovery.kind === 'original-dst' || snapshot.assignments.has(name)) continue;
    problems.push({ path, message: 'its members are not known' });
  }
  for (const [name, routes] of snapshot.routes) {
    addMissingClusters(clustersOfRoutes(routes), { snapshot, path: pathOf('routes', name) }, problems);
  }
  for (const [name, listener] of snapshot.listeners) {
    const path = pathOf('listeners', name);
    addMissingSecrets(secretsOfListener(listener), { snapshot, path }, problems);
    addMissingClusters(clustersOfListener(listener), { snapshot, path }, problems);
    for (const collector of collectorsOfListener(listener)) {
      if (!forCalls.has(collector) && !snapshot.clusters.has(collector)) problems.push(missingCluster(path, collector));
    }
    for (const { name: routes } of namedRoutesOf(listener)) {
      if (snapshot.routes.has(routes)) continue;
      problems.push({ path, message: `there is no route configuration ${JSON.stringify(routes)}` });
    }
  }
  return problems;
}

function addMissingClusters(
  names: ReadonlySet<string>,
  { snapshot, path }: { readonly snapshot: Snapshot; readonly path: string },
  problems: Problem[],
): void {
  for (const name of names) {
    const cluster = snapshot.clusters.get(name);
    if (cluster === undefined) problems.push(missingCluster(path, name));
    else if (cluster.upstreamHttp.protocol === 'http2') {
      problems.push({ path, message: `cluster ${JSON.stringify(name)} speaks HTTP/2, which is not offered yet` });
    }
  }
}

/** Without a secret, no connection is made or taken that needs it. */
function addMissingSecrets(
  secrets: readonly NamedSecret[],
  { snapshot, path }: { readonly snapshot: Snapshot; readonly path: string },
  problems: Problem[],
): void {
  for (const { reference } of secrets) {
    const known = snapshot.secrets.has(reference.key);
    if (!known) problems.push({ path, message: `the secret ${JSON.stringify(reference.name)} has not come` });
  }
}

function missingCluster(path: string, name: string): Problem {
  return { path, message: `there is no cluster ${JSON.stringify(name)}` };
}

function pathOf(part: string, name: string): string {
  return `${part}[${JSON.stringify(name)}]`;
}

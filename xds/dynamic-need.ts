// Whether a bootstrap needs anything that is not written in it. What does not has no use for a discovery client.

import type { Bootstrap } from '../config/bootstrap.ts';
import { asksForClusters, namedRoutesOf } from '../config/references.ts';
import { type NamedSecret, secretsOfCluster, secretsOfListener } from '../config/secret-references.ts';
import { writtenSecretOf } from './decode/secret-source.ts';

export function needsDynamicConfiguration(bootstrap: Bootstrap): boolean {
  const { clusters, listeners } = bootstrap.dynamicResources;
  return (
    clusters !== undefined ||
    listeners !== undefined ||
    bootstrap.runtimeLayers.some(({ kind }) => kind === 'rtds') ||
    bootstrap.clusters.some(({ discovery }) => discovery.kind === 'eds') ||
    bootstrap.listeners.some((listener) => namedRoutesOf(listener).length > 0) ||
    bootstrap.listeners.some(asksForClusters) ||
    bootstrap.clusters.some((cluster) => secretsOfCluster(cluster).some((each) => canChange(each, bootstrap))) ||
    bootstrap.listeners.some((listener) => secretsOfListener(listener).some((each) => canChange(each, bootstrap)))
  );
}

/** By SDS, or in files that are followed. */
function canChange({ reference }: NamedSecret, { secrets }: Bootstrap): boolean {
  const written = writtenSecretOf(reference, secrets);
  return reference.source.kind === 'sds' || (written?.watchedDirectories.length ?? 0) > 0;
}

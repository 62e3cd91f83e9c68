// Whether a bootstrap needs anything that is not written in it. What does not has no use for a discovery client.

import type { Bootstrap } from '../config/bootstrap.ts';
import { namedRoutesOf } from '../config/references.ts';

export function needsDynamicConfiguration(bootstrap: Bootstrap): boolean {
  const { clusters, listeners } = bootstrap.dynamicResources;
  return (
    clusters !== undefined ||
    listeners !== undefined ||
    bootstrap.runtimeLayers.some(({ kind }) => kind === 'rtds') ||
    bootstrap.clusters.some(({ discovery }) => discovery.kind === 'eds') ||
    bootstrap.listeners.some((listener) => namedRoutesOf(listener).length > 0)
  );
}

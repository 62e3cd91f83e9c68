// Whether a bootstrap needs anything that is not written in it. What does not has no use for a discovery client.

import type { Bootstrap } from '../config/bootstrap.ts';
import type { Listener } from '../config/listener.ts';

export function needsDynamicConfiguration(bootstrap: Bootstrap): boolean {
  const { clusters, listeners } = bootstrap.dynamicResources;
  return (
    clusters !== undefined ||
    listeners !== undefined ||
    bootstrap.runtimeLayers.some(({ kind }) => kind === 'rtds') ||
    bootstrap.clusters.some(({ discovery }) => discovery.kind === 'eds') ||
    bootstrap.listeners.some(namesRoutes)
  );
}

function namesRoutes({ filterChains, defaultFilterChain }: Listener): boolean {
  const chains = defaultFilterChain === undefined ? filterChains : [...filterChains, defaultFilterChain];
  return chains.some(({ filters }) =>
    filters.some((filter) => filter.kind === 'http-connection-manager' && filter.config.routes.kind === 'rds'),
  );
}

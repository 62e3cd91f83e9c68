// The trace provider of a bootstrap (`tracing.http`) is that of connection managers which trace and name none, as in Envoy.

import type { FilterChain, Listener, NetworkFilter } from '../../config/listener.ts';
import { filterChainsOf } from '../../config/references.ts';
import type { TraceProvider } from '../../config/tracing.ts';
import { given } from './given.ts';

/** The same listener when nothing in it lacks a provider. */
export function withTraceProvider(listener: Listener, provider: TraceProvider | undefined): Listener {
  if (provider === undefined || !filterChainsOf(listener).some(({ filters }) => filters.some(lacksProvider))) {
    return listener;
  }
  const { filterChains, defaultFilterChain } = listener;
  const complete = (chain: FilterChain) => ({
    ...chain,
    filters: chain.filters.map((filter) => (lacksProvider(filter) ? withProvider(filter, provider) : filter)),
  });
  return {
    ...listener,
    filterChains: filterChains.map(complete),
    ...given('defaultFilterChain', defaultFilterChain && complete(defaultFilterChain)),
  };
}

type ManagerFilter = NetworkFilter & { readonly kind: 'http-connection-manager' };

function lacksProvider(filter: NetworkFilter): filter is ManagerFilter {
  if (filter.kind !== 'http-connection-manager') return false;
  const { tracing } = filter.config;
  return tracing !== undefined && tracing.provider === undefined;
}

function withProvider(filter: ManagerFilter, provider: TraceProvider): NetworkFilter {
  return { ...filter, config: { ...filter.config, tracing: { ...filter.config.tracing!, provider } } };
}

// A listener as it is written, with configurations put where its filters are discovered.
//
// In place of one that has not come yet a filter stands that does nothing, so that all else can be checked. Where one does not
// come at all nothing gets past, as in Envoy: requests are answered with 500, connections are closed.

import type { FilterChain, HttpConnectionManager, HttpFilter, Listener } from '../generated/messages.ts';
import type { Any } from '../message/message-descriptor.ts';
import { managerType, tcpProxyType } from './written-filters.ts';

/** By the `config_discovery` of a filter. */
export type FillingOf = (discovery: object) => Any | 'awaited' | 'missing';

export function filledListener(listener: Listener, fillingOf: FillingOf): Listener {
  const { filterChains, defaultFilterChain } = listener;
  return {
    ...listener,
    ...(filterChains && { filterChains: filterChains.map((chain) => filledChain(chain, fillingOf)) }),
    ...(defaultFilterChain && { defaultFilterChain: filledChain(defaultFilterChain, fillingOf) }),
  };
}

function filledChain(chain: FilterChain, fillingOf: FillingOf): FilterChain {
  const { filters = [] } = chain;
  let isMissing = false;
  const filled = filters.map(({ configDiscovery, ...filter }, index) => {
    if (configDiscovery === undefined) return withFilledManager(filter, fillingOf);
    const filling = fillingOf(configDiscovery);
    isMissing ||= filling === 'missing';
    if (typeof filling === 'object') return { ...filter, typedConfig: filling };
    return { ...filter, typedConfig: index === filters.length - 1 ? closing(filter.name) : inert };
  });
  return { ...chain, filters: isMissing ? [lacking] : filled };
}

/** Whether nothing gets past for want of a network filter. */
export function lacksFilter({ filters = [] }: FilterChain): boolean {
  return filters[0] === lacking;
}

function withFilledManager<F extends { readonly typedConfig?: Any }>(filter: F, fillingOf: FillingOf): F {
  const { typedConfig } = filter;
  if (typedConfig?.typeName !== managerType) return filter;
  const message = filledManager(typedConfig.message as HttpConnectionManager, fillingOf);
  return { ...filter, typedConfig: { ...typedConfig, message } };
}

function filledManager(manager: HttpConnectionManager, fillingOf: FillingOf): HttpConnectionManager {
  const { httpFilters = [] } = manager;
  let isMissing = false;
  const filled = httpFilters.map(({ configDiscovery, ...filter }, index): HttpFilter => {
    if (configDiscovery === undefined) return filter;
    const filling = fillingOf(configDiscovery);
    isMissing ||= filling === 'missing';
    if (typeof filling === 'object') return { ...filter, typedConfig: filling };
    return { ...filter, typedConfig: index === httpFilters.length - 1 ? router : inert };
  });
  if (!isMissing) return { ...manager, httpFilters: filled };
  const { rds, ...rest } = manager;
  return { ...rest, httpFilters: filled, routeConfig: failing };
}

const inert = any('envoy.extensions.filters.http.istio_stats.v3.PluginConfig', {});
const router = any('envoy.extensions.filters.http.router.v3.Router', {});

/** Envoy's answer when a filter has no configuration. */
const failing: NonNullable<HttpConnectionManager['routeConfig']> = {
  name: 'a filter without configuration',
  virtualHosts: [
    { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, directResponse: { status: 500 } }] },
  ],
};

/** A cluster that is not there closes connections. */
function closing(filter = ''): Any {
  const cluster = `configuration of the filter ${JSON.stringify(filter)}`;
  return any(tcpProxyType, { statPrefix: 'missing', cluster });
}

const lacking: NonNullable<FilterChain['filters']>[number] = { name: 'missing', typedConfig: closing('missing') };

function any(typeName: string, message: Any['message']): Any {
  return { typeUrl: `type.googleapis.com/${typeName}`, typeName, message } as Any;
}

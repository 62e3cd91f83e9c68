// The network filters of a listener as it is written, each with its place: for checks of what they name elsewhere.

import type { Problems } from '../../config/problems.ts';
import type { Listener } from '../generated/messages.ts';
import type { Any } from '../message/message-descriptor.ts';

export const managerType = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
export const tcpProxyType = 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';

export interface WrittenFilter {
  readonly config: Any;
  /** At its `typed_config`. */
  readonly problems: Problems;
}

/** In the order of the file, those of the default filter chain last. `problems` is at the listener. */
export function* writtenFilters(listener: Listener, problems: Problems): Generator<WrittenFilter> {
  const { filterChains = [], defaultFilterChain } = listener;
  const chains = filterChains.map((chain, index) => ({ chain, place: problems.at('filter_chains').item(index) }));
  if (defaultFilterChain !== undefined) {
    chains.push({ chain: defaultFilterChain, place: problems.at('default_filter_chain') });
  }
  for (const { chain, place } of chains) {
    for (const [index, { typedConfig }] of (chain.filters ?? []).entries()) {
      if (typedConfig === undefined) continue;
      yield { config: typedConfig, problems: place.at('filters').item(index).at('typed_config') };
    }
  }
}

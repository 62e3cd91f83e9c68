// A listener of a control plane: whole, or with filters whose configuration comes apart from it.

import type { FilterChain, Listener } from '../../config/listener.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  ExtensionConfigSource,
  FilterChain as FilterChainMessage,
  HttpConnectionManager,
  Listener as ListenerMessage,
} from '../generated/messages.ts';
import type { Any } from '../message/message-descriptor.ts';
import { type DiscoveredFilter, decodeDiscoveredFilter, type FilterPlace } from './discovered-filter.ts';
import { filledListener, lacksFilter } from './filled-listener.ts';
import { isNetworkFilterType } from './filter-chain.ts';
import { given } from './given.ts';
import { isHttpFilterType } from './http-filter.ts';
import { managerType } from './written-filters.ts';

export interface WrittenListener {
  /** As far as it is known by itself: nothing that it discovers has come. */
  readonly listener: Listener;
  /** In the order of the file; the same one stands in several filter chains. */
  readonly discovered: readonly DiscoveredFilter[];
  /** With what came; undefined only with problems. */
  readonly fill: (fillingOf: FilterFilling, problems: Problems) => Listener | undefined;
}

export type FilterFilling = (filter: DiscoveredFilter) => Any | 'awaited' | 'missing';

/** `decode` makes a listener of one that is whole. */
export function decodeWrittenListener(
  message: ListenerMessage,
  decode: (message: ListenerMessage, problems: Problems) => Listener | undefined,
  problems: Problems,
): WrittenListener | undefined {
  const places = discoveredFilters(message, problems);
  const fill: WrittenListener['fill'] = (fillingOf, found) => {
    const filled = filledListener(message, (discovery) => {
      const filter = places.get(discovery);
      return filter === undefined ? 'awaited' : fillingOf(filter);
    });
    const listener = decode(filled, found);
    return listener && withoutFilters(listener, filled);
  };
  const listener = places.size === 0 && problems.isEmpty ? decode(message, problems) : fill(defaultOf, problems);
  return listener && { listener, discovered: [...places.values()], fill };
}

/** Says which filter chains lack a filter. */
function withoutFilters(listener: Listener, { filterChains = [], defaultFilterChain }: ListenerMessage): Listener {
  const marked = (chain: FilterChain, message: FilterChainMessage | undefined): FilterChain =>
    message !== undefined && lacksFilter(message) ? { ...chain, lacksFilter: true } : chain;
  return {
    ...listener,
    filterChains: listener.filterChains.map((chain, index) => marked(chain, filterChains[index])),
    ...(listener.defaultFilterChain && { defaultFilterChain: marked(listener.defaultFilterChain, defaultFilterChain) }),
  };
}

const defaultOf: FilterFilling = ({ fallback }) => fallback ?? 'awaited';

/** By their `config_discovery`; those that cannot be read are not among them. */
function discoveredFilters(
  { filterChains = [], defaultFilterChain }: ListenerMessage,
  problems: Problems,
): ReadonlyMap<object, DiscoveredFilter> {
  const found = new Map<object, DiscoveredFilter>();
  const chains = filterChains.map((chain, index) => ({ chain, place: problems.at('filter_chains').item(index) }));
  if (defaultFilterChain !== undefined) {
    chains.push({ chain: defaultFilterChain, place: problems.at('default_filter_chain') });
  }
  for (const { chain, place } of chains) {
    const filters = { filters: chain.filters ?? [], place: place.at('filters') };
    addDiscovered({ ...filters, kind: 'network-filter' }, isNetworkFilterType, found);
    for (const [index, { typedConfig }] of filters.filters.entries()) {
      if (typedConfig?.typeName !== managerType) continue;
      const { httpFilters = [] } = typedConfig.message as HttpConnectionManager;
      const httpPlace = filters.place.item(index).at('typed_config').at('http_filters');
      addDiscovered({ filters: httpFilters, place: httpPlace, kind: 'http-filter' }, isHttpFilterType, found);
    }
  }
  return found;
}

interface FilterList {
  readonly filters: readonly { readonly name?: string; readonly configDiscovery?: ExtensionConfigSource }[];
  readonly place: Problems;
  readonly kind: FilterPlace;
}

function addDiscovered(
  { filters, place, kind }: FilterList,
  isSupported: (typeName: string) => boolean,
  found: Map<object, DiscoveredFilter>,
): void {
  for (const [index, { name, configDiscovery: discovery }] of filters.entries()) {
    if (discovery === undefined) continue;
    const own = place.item(index).at('config_discovery');
    const filter = decodeDiscoveredFilter({ place: kind, ...given('name', name), discovery }, isSupported, own);
    if (filter !== undefined) found.set(discovery, filter);
  }
}

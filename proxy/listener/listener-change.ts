// What becomes of the sockets and connections of a listener whose configuration changes, as in Envoy: where only filter
// chains differ, those that stay keep their connections; otherwise all connections are drained, and the sockets stay as
// long as addresses and socket options do. Found out on the main thread, so that workers compare nothing.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/lds#filter-chain-only-update

import type { FilterChain, Listener } from '../../config/listener.ts';
import { filterChainsOf } from '../../config/references.ts';
import { isSameData } from '../../config/same-data.ts';

export type ListenerChange =
  | { readonly kind: 'sockets' }
  | { readonly kind: 'listener' }
  | { readonly kind: 'filter-chains'; readonly kept: readonly KeptFilterChain[] };

/** A filter chain that is the same as before; numbers of `filterChainsOf`. */
export interface KeptFilterChain {
  readonly index: number;
  readonly earlierIndex: number;
}

/** The listeners have one name. */
export function compareListeners(before: Listener, after: Listener): ListenerChange {
  if (!hasSameSockets(before, after)) return { kind: 'sockets' };
  if (!isSameData(withoutFilterChains(before), withoutFilterChains(after))) return { kind: 'listener' };
  return { kind: 'filter-chains', kept: keptFilterChains(filterChainsOf(before), filterChainsOf(after)) };
}

/** Whether sockets that were opened for one serve the other; the backlog can be changed while a socket listens. */
export function hasSameSockets(before: Listener, after: Listener): boolean {
  return isSameData(socketsOf(before), socketsOf(after));
}

function socketsOf(listener: Listener) {
  const { address, additionalAddresses, bindToPort, reusePort, ipv4Compatible, transparent, freebind } = listener;
  const { keepAlive } = listener;
  return { address, additionalAddresses, bindToPort, reusePort, ipv4Compatible, transparent, freebind, keepAlive };
}

function withoutFilterChains({ filterChains, defaultFilterChain, ...rest }: Listener) {
  return rest;
}

function keptFilterChains(before: readonly FilterChain[], after: readonly FilterChain[]): readonly KeptFilterChain[] {
  const kept: KeptFilterChain[] = [];
  const left = new Set(before.keys());
  for (const [index, chain] of after.entries()) {
    for (const earlierIndex of left) {
      const earlier = before[earlierIndex]!;
      // A name is compared first: it tells most chains apart before all that they hold is looked at.
      if (earlier.name !== chain.name || !isSameData(earlier, chain)) continue;
      left.delete(earlierIndex);
      kept.push({ index, earlierIndex });
      break;
    }
  }
  return kept;
}

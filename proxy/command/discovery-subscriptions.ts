// Whose statistics a resource is counted in: clusters by their name in statistics, connection managers by their prefix, the
// rest by itself. Which secrets, routes and filters are subscribed to is remembered: control planes may send others.

import type { Listener } from '../../config/listener.ts';
import { filterChainsOf } from '../../config/references.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import type { FilterPlace } from '../../xds/decode/discovered-filter.ts';
import type { Subscription } from '../telemetry/discovery-stats.ts';

const prefix = 'type.googleapis.com/envoy.';
export const clusterType = `${prefix}config.cluster.v3.Cluster`;
export const listenerType = `${prefix}config.listener.v3.Listener`;
export const assignmentType = `${prefix}config.endpoint.v3.ClusterLoadAssignment`;
export const routeType = `${prefix}config.route.v3.RouteConfiguration`;
export const virtualHostType = `${prefix}config.route.v3.VirtualHost`;
export const secretType = `${prefix}extensions.transport_sockets.tls.v3.Secret`;
export const filterType = `${prefix}config.core.v3.TypedExtensionConfig`;
export const runtimeType = `${prefix}service.runtime.v3.Runtime`;

/** Everything of a type. */
export const everything = '*';

export class DiscoverySubscriptions {
  readonly #snapshot: () => Snapshot | null;
  readonly #routes = new Set<string>();
  readonly #secrets = new Set<string>();
  readonly #filters = new Map<string, Set<FilterPlace>>();

  /** `snapshot` is what is served; null before the first. */
  constructor(snapshot: () => Snapshot | null) {
    this.#snapshot = snapshot;
  }

  add(typeUrl: string, name: string): void {
    if (typeUrl === routeType) this.#routes.add(name);
    if (typeUrl === secretType) this.#secrets.add(name);
  }

  delete(typeUrl: string, name: string): void {
    if (typeUrl === routeType) this.#routes.delete(name);
    if (typeUrl === secretType) this.#secrets.delete(name);
    if (typeUrl === filterType) this.#filters.delete(name);
  }

  /** False when it was known. */
  addFilter(place: FilterPlace, name: string): boolean {
    const places = this.#filters.get(name) ?? new Set();
    if (places.has(place)) return false;
    this.#filters.set(name, places.add(place));
    return true;
  }

  /** Of a virtual host by the name of its route configuration. Empty where nobody counts it, or not yet. */
  *of(typeUrl: string, name: string): Generator<Subscription> {
    switch (typeUrl) {
      case clusterType:
        yield { kind: name === everything ? 'cds' : 'odcds' };
        return;
      case listenerType:
        yield { kind: 'lds' };
        return;
      case runtimeType:
        yield { kind: 'rtds' };
        return;
      case assignmentType: {
        const cluster = this.#snapshot()?.clusters.get(name);
        if (cluster !== undefined) yield { kind: 'eds', cluster: cluster.statName };
        return;
      }
      // Its user may wait for it, and is not in the snapshot then.
      case secretType:
        if (this.#secrets.has(name)) yield { kind: 'sds', secret: name };
        return;
      case filterType:
        for (const place of this.#filters.get(name) ?? []) yield { kind: place, name };
        return;
      case routeType:
        for (const statPrefix of this.#prefixes(name)) yield { kind: 'rds', statPrefix, routeConfiguration: name };
        return;
      case virtualHostType:
        yield* this.#ofVirtualHosts(name);
    }
  }

  /** Whether who counts it is known later: a listener that does not serve before its routes are there. */
  isAwaited(typeUrl: string, name: string): boolean {
    if (typeUrl !== routeType && typeUrl !== virtualHostType) return false;
    return name === everything ? this.#routes.size > 0 : this.#routes.has(name);
  }

  *#ofVirtualHosts(name: string): Generator<Subscription> {
    const routes = this.#snapshot()?.routes;
    if (routes === undefined) return;
    for (const routeConfiguration of name === everything ? routes.keys() : [name]) {
      if (routes.get(routeConfiguration)?.hasVirtualHostSource !== true) continue;
      for (const statPrefix of this.#prefixes(routeConfiguration)) {
        yield { kind: 'vhds', statPrefix, routeConfiguration };
      }
    }
  }

  #prefixes(routes: string): ReadonlySet<string> {
    const prefixes = new Set<string>();
    for (const listener of this.#snapshot()?.listeners.values() ?? []) {
      for (const each of prefixesOf(listener, routes)) prefixes.add(each);
    }
    return prefixes;
  }
}

function* prefixesOf(listener: Listener, routes: string): Generator<string> {
  for (const { filters } of filterChainsOf(listener)) {
    for (const filter of filters) {
      if (filter.kind !== 'http-connection-manager') continue;
      const { routes: source, statPrefix } = filter.config;
      if (source.kind === 'rds' && source.name === routes) yield statPrefix;
    }
  }
}

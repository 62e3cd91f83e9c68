// What configurations refer to by name: a cluster or route configuration must be there before what names it, and may go
// when nothing does. Names that arrive with a request (`cluster_header`) are not known before.

import type { AccessLog, AccessLogSink } from './access-log.ts';
import type { Admin } from './bootstrap.ts';
import type { RouteSource } from './http-connection-manager.ts';
import type { FilterChain, Listener } from './listener.ts';
import type { ForwardTarget, RouteConfiguration } from './route.ts';

export type NamedRoutes = RouteSource & { readonly kind: 'rds' };

const none: ReadonlySet<string> = new Set();

/** Clusters that the routes of a table forward to. */
export function clustersOfRoutes(routes: RouteConfiguration): ReadonlySet<string> {
  const names = new Set<string>();
  addRoutes(routes, names);
  return names;
}

/** Clusters of a listener's `tcp_proxy` filters, and of the routes that are written in place. */
export function clustersOfListener(listener: Listener): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { filters } of filterChainsOf(listener)) {
    for (const filter of filters) {
      if (filter.kind === 'tcp-proxy') for (const { name } of filter.config.clusters) names.add(name);
      else if (filter.config.routes.kind === 'inline') addRoutes(filter.config.routes.routes, names);
    }
  }
  return names.size === 0 ? none : names;
}

/** Clusters that what a listener records is sent to: spans and access logs. Static ones for gRPC are among them. */
export function collectorsOfListener(listener: Listener): ReadonlySet<string> {
  const names = new Set<string>();
  addCollectors(listener.accessLogs, names);
  for (const { filters } of filterChainsOf(listener)) {
    for (const { config } of filters) {
      addCollectors(config.accessLogs, names);
      if ('tracing' in config && config.tracing?.provider !== undefined)
        names.add(config.tracing.provider.service.cluster);
    }
  }
  return names.size === 0 ? none : names;
}

function addCollectors(logs: readonly AccessLog[], names: Set<string>): void {
  for (const log of logs) if ('collector' in log) names.add(log.collector.service.cluster);
}

/** Where a listener and its filters write lines to. */
export function logSinksOf(listener: Listener): readonly AccessLogSink[] {
  const filters = filterChainsOf(listener).flatMap((chain) => chain.filters);
  const logs = [...listener.accessLogs, ...filters.flatMap(({ config }) => config.accessLogs)];
  return logs.flatMap((log) => ('sink' in log ? [log.sink] : []));
}

/** Where the admin interface writes lines to. */
export function adminLogSinks(admin: Admin | undefined): readonly AccessLogSink[] {
  return admin?.accessLogs?.map(({ sink }) => sink) ?? [];
}

/** Whether requests of a listener may wait for clusters that the control plane is asked for. */
export function asksForClusters(listener: Listener): boolean {
  return filterChainsOf(listener).some(({ filters }) =>
    filters.some(({ config }) => 'onDemand' in config && config.onDemand?.clusters !== undefined),
  );
}

/** Route configurations that a listener has by name, each once. */
export function namedRoutesOf(listener: Listener): readonly NamedRoutes[] {
  const found = new Map<string, NamedRoutes>();
  for (const { filters } of filterChainsOf(listener)) {
    for (const filter of filters) {
      if (filter.kind !== 'http-connection-manager') continue;
      const { routes } = filter.config;
      if (routes.kind === 'rds') found.set(routes.name, routes);
    }
  }
  return [...found.values()];
}

/** Of a listener; the default one is last. */
export function filterChainsOf({ filterChains, defaultFilterChain }: Listener): readonly FilterChain[] {
  return defaultFilterChain === undefined ? filterChains : [...filterChains, defaultFilterChain];
}

function addRoutes({ virtualHosts }: RouteConfiguration, names: Set<string>): void {
  for (const { routes } of virtualHosts) {
    for (const { action } of routes) if (action.kind === 'forward') addTarget(action.target, names);
  }
}

function addTarget(target: ForwardTarget, names: Set<string>): void {
  if (target.kind === 'cluster') names.add(target.name);
  else if (target.kind === 'weighted') {
    for (const each of target.clusters) if (each.target.kind === 'cluster') names.add(each.target.name);
  }
}

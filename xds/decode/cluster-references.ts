// Routes of a static route table may name only clusters that are there, as Envoy has it for route tables that are written
// in place (`validate_clusters`). A static bootstrap is complete: a name that is missing is a slip of the pen. So is the
// name of a cluster that is for calls of our own.

import type { Problems } from '../../config/problems.ts';
import type {
  Bootstrap_StaticResources,
  HttpConnectionManager,
  RouteAction,
  RouteConfiguration,
  TcpProxy,
} from '../generated/messages.ts';
import { nearestName } from '../message/nearest-name.ts';
import { managerType, tcpProxyType, writtenFilters } from './written-filters.ts';

/** `forCalls` are the static clusters that requests cannot be sent to. */
export function checkClusterReferences(
  message: Bootstrap_StaticResources,
  forCalls: ReadonlyMap<string, unknown>,
  problems: Problems,
): void {
  const known = new Set<string>();
  for (const { name } of message.clusters ?? []) if (name !== undefined && !forCalls.has(name)) known.add(name);
  const names = { known, forCalls };
  for (const [index, listener] of (message.listeners ?? []).entries()) {
    for (const { config, problems: place } of writtenFilters(listener, problems.at('listeners').item(index))) {
      if (config.typeName === tcpProxyType) checkTcpProxy(config.message as TcpProxy, names, place);
      else if (config.typeName === managerType) checkManager(config.message as HttpConnectionManager, names, place);
    }
  }
}

interface Names {
  readonly known: ReadonlySet<string>;
  readonly forCalls: ReadonlyMap<string, unknown>;
}

function checkManager({ routeConfig }: HttpConnectionManager, names: Names, problems: Problems): void {
  if (routeConfig === undefined || routeConfig.validateClusters === false) return;
  checkRouteConfiguration(routeConfig, names, problems.at('route_config'));
}

/** Envoy lets a TCP proxy name a cluster that is not there. */
function checkTcpProxy({ cluster, weightedClusters }: TcpProxy, names: Names, problems: Problems): void {
  if (names.forCalls.has(cluster ?? '')) addMissing(cluster!, names, problems.at('cluster'));
  for (const [index, { name = '' }] of (weightedClusters?.clusters ?? []).entries()) {
    const place = problems.at('weighted_clusters').at('clusters').item(index).at('name');
    if (names.forCalls.has(name)) addMissing(name, names, place);
  }
}

function checkRouteConfiguration(message: RouteConfiguration, names: Names, problems: Problems): void {
  for (const [hostIndex, { routes }] of (message.virtualHosts ?? []).entries()) {
    for (const [index, { route }] of (routes ?? []).entries()) {
      if (route === undefined || !namesMissing(route, names)) continue;
      report(route, names, problems.at('virtual_hosts').item(hostIndex).at('routes').item(index).at('route'));
    }
  }
}

/** Paths are made only for routes that need one: there may be tens of thousands. */
function namesMissing(route: RouteAction, names: Names): boolean {
  if (isMissing(route.cluster, names)) return true;
  return (route.weightedClusters?.clusters ?? []).some(({ name }) => isMissing(name, names));
}

function isMissing(name: string | undefined, names: Names): boolean {
  return name !== undefined && name !== '' && !names.known.has(name);
}

function report(route: RouteAction, names: Names, problems: Problems): void {
  if (isMissing(route.cluster, names)) addMissing(route.cluster!, names, problems.at('cluster'));
  for (const [index, { name }] of (route.weightedClusters?.clusters ?? []).entries()) {
    const place = problems.at('weighted_clusters').at('clusters').item(index).at('name');
    if (isMissing(name, names)) addMissing(name!, names, place);
  }
}

function addMissing(name: string, { known, forCalls }: Names, problems: Problems): void {
  if (forCalls.has(name)) {
    problems.add(`cluster ${JSON.stringify(name)} is for gRPC calls of our own; requests cannot be sent to it`);
    return;
  }
  const meant = nearestName(name, known);
  const hint = meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`;
  problems.add(`there is no cluster ${JSON.stringify(name)}${hint}`);
}

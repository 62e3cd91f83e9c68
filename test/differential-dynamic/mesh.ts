// What a control plane serves in a step, as Envoy's JSON, and the pieces that the sequences make it of.

import { accessLog, type Json } from '../differential/bootstrap.ts';

/** Resources by name. */
export interface Mesh {
  readonly clusters?: Resources;
  readonly assignments?: Resources;
  readonly listeners?: Resources;
  readonly routes?: Resources;
  readonly runtime?: Resources;
}

export type Resources = Readonly<Record<string, Json>>;

/** Stands for the address of the proxy that the resources are for: both serve the same ports. */
export const ownAddress = '<own address>';

const TYPES = 'type.googleapis.com/envoy.extensions';
export function adsSource(initialFetchTimeout: string): Json {
  return { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: initialFetchTimeout };
}

const ads = adsSource('1s');

export function edsCluster(more: Json = {}, source: Json = ads): Json {
  return { type: 'EDS', connect_timeout: '1s', eds_cluster_config: { eds_config: source }, ...more };
}

export function staticCluster(name: string, ports: readonly number[], more: Json = {}): Json {
  return { type: 'STATIC', connect_timeout: '1s', load_assignment: assignment(name, [members(ports)]), ...more };
}

export function assignment(clusterName: string, localities: readonly Json[], more: Json = {}): Json {
  return { cluster_name: clusterName, endpoints: localities, ...more };
}

/** One locality. */
export function members(ports: readonly number[], locality: Json = {}, member: Json = {}): Json {
  return { lb_endpoints: ports.map((port) => ({ endpoint: { address: socket(port) }, ...member })), ...locality };
}

export function socket(port: number, address = '127.0.0.1'): Json {
  return { socket_address: { address, port_value: port } };
}

export function listener(port: number, filterChains: readonly Json[], more: Json = {}): Json {
  return { address: socket(port, ownAddress), filter_chains: filterChains, ...more };
}

/** Serves the route configuration of this name. */
export function rdsChain(routes: string, chain: Json = {}, source: Json = ads): Json {
  return managerChain({ rds: { route_config_name: routes, config_source: source } }, chain);
}

export function managerChain(manager: Json, chain: Json = {}): Json {
  const typedConfig = {
    '@type': `${TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'in',
    http_filters: [{ name: 'router', typed_config: { '@type': `${TYPES}.filters.http.router.v3.Router` } }],
    access_log: accessLog,
    ...manager,
  };
  return { filters: [{ name: 'http', typed_config: typedConfig }], ...chain };
}

export function routesTo(cluster: string, action: Json = {}, route: Json = {}): Json {
  return { virtual_hosts: [virtualHost([{ match: { prefix: '/' }, route: { cluster, ...action }, ...route }])] };
}

export function virtualHost(routes: readonly Json[]): Json {
  return { name: 'all', domains: ['*'], routes };
}

/** Cluster `app` of these members, and a listener that sends everything to it. */
export function appMesh(port: number, ports: readonly number[]): Mesh {
  return {
    clusters: { app: edsCluster() },
    assignments: { app: assignment('app', [members(ports)]) },
    listeners: { web: listener(port, [rdsChain('all')]) },
    routes: { all: routesTo('app') },
  };
}

/** A mesh with some resources added or replaced, and without those whose value is null. */
export function changed(
  mesh: Mesh,
  change: { readonly [type in keyof Mesh]?: Readonly<Record<string, Json | null>> },
): Mesh {
  const types = new Set([...Object.keys(mesh), ...Object.keys(change)]) as Set<keyof Mesh>;
  const merged = [...types].map((type) => {
    const all = Object.entries({ ...mesh[type], ...change[type] });
    return [type, Object.fromEntries(all.filter(([, resource]) => resource !== null))] as const;
  });
  return Object.fromEntries(merged) as Mesh;
}

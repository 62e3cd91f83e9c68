// The short form of a service for people: one mapping instead of a listener, a route configuration, a cluster and an
// assignment, which all follow from it under the service's name. What it does not have is written as Envoy resources.
//
//   service: shop
//   listen: 127.0.0.1:8080
//   endpoints: [127.0.0.1:9001, {address: 127.0.0.1:9002, weight: 3}]
//   routes:
//     - match: {prefix: /api, headers: {x-user: ann}}
//       to: {shop: 90, shop-canary: 10}
//       timeout: 2s
//       retries: 2

import type { Problems } from '../config/problems.ts';
import { readAddress, type ServiceAddress } from './service-address.ts';
import { checkKeys, isMapping, type Mapping, readNumber, readText } from './service-fields.ts';
import { serviceRoute } from './service-route.ts';

/** Envoy resources in proto3 JSON with `@type`. Records problems, with paths in the short form; then they are incomplete. */
export function serviceResources(tree: Mapping, problems: Problems): readonly Mapping[] {
  checkKeys(tree, ['service', 'listen', 'protocol', 'endpoints', 'routes'], problems);
  const name = readText(tree['service'], problems.at('service')) ?? '';
  const endpoints = readEndpoints(tree['endpoints'], problems.at('endpoints'));
  if (endpoints === undefined && tree['routes'] === undefined) {
    problems.add('has neither endpoints nor routes to other services');
  }
  const resources = endpoints === undefined ? [] : clusterOf(name, endpoints);
  if (tree['listen'] !== undefined) return [...resources, ...entryOf(tree, name, problems)];
  for (const key of ['protocol', 'routes']) {
    if (tree[key] !== undefined)
      problems.at(key).add('is for a service with `listen`, the address that takes requests');
  }
  return resources;
}

/** Where requests or connections for the service come in, and what is done with them. */
function entryOf(tree: Mapping, name: string, problems: Problems): readonly Mapping[] {
  const { listen, protocol = 'http', endpoints, routes } = tree;
  const address = readAddress(listen, problems.at('listen'));
  if (address?.kind === 'name') problems.at('listen').add(`${JSON.stringify(listen)} is not a literal IP address`);
  if (protocol !== 'tcp') {
    if (protocol !== 'http') problems.at('protocol').add('expected http or tcp');
    const table = routeConfiguration(name, routes, problems.at('routes'));
    return address === undefined ? [] : [httpListener(name, address), table];
  }
  if (routes !== undefined) problems.at('routes').add('routes are for protocol http');
  if (endpoints === undefined) problems.at('endpoints').add('endpoints are required for protocol tcp');
  return address === undefined ? [] : [tcpListener(name, address)];
}

const type = (name: string) => ({ '@type': `type.googleapis.com/${name}` });
const extensions = 'envoy.extensions.filters';
/** On the stream on which the resource itself came. */
const ads = { ads: {}, resource_api_version: 'V3' };

interface ServiceEndpoint {
  readonly address: ServiceAddress;
  readonly weight?: number;
}

function readEndpoints(value: unknown, problems: Problems): readonly ServiceEndpoint[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) {
    problems.add('expected a list of addresses such as 127.0.0.1:9001');
    return [];
  }
  const endpoints = value.map((item, index) => readEndpoint(item, problems.item(index)));
  return endpoints.filter((endpoint) => endpoint !== undefined);
}

function readEndpoint(item: unknown, problems: Problems): ServiceEndpoint | undefined {
  if (!isMapping(item)) {
    const address = readAddress(item, problems);
    return address && { address };
  }
  checkKeys(item, ['address', 'weight'], problems);
  const address = readAddress(item['address'], problems.at('address'));
  const weight = readNumber(item['weight'] ?? 1, { least: 1, most: 1_000_000 }, problems.at('weight'));
  return address && weight === undefined ? { address } : address && { address, weight: weight! };
}

/** Names are for the DNS of the data plane; everything else changes without the cluster being touched, by EDS. */
function clusterOf(name: string, endpoints: readonly ServiceEndpoint[]): readonly Mapping[] {
  const assignment = {
    cluster_name: name,
    endpoints: [
      {
        lb_endpoints: endpoints.map(({ address, weight }) => ({
          endpoint: { address: address.message },
          ...(weight !== undefined && { load_balancing_weight: weight }),
        })),
      },
    ],
  };
  const cluster = { ...type('envoy.config.cluster.v3.Cluster'), name };
  if (endpoints.some(({ address }) => address.kind === 'name')) {
    return [{ ...cluster, type: 'STRICT_DNS', load_assignment: assignment }];
  }
  return [
    { ...cluster, type: 'EDS', eds_cluster_config: { eds_config: ads } },
    { ...type('envoy.config.endpoint.v3.ClusterLoadAssignment'), ...assignment },
  ];
}

function routeConfiguration(name: string, routes: unknown, problems: Problems): Mapping {
  const items = routes === undefined ? [{ to: name }] : routes;
  if (!Array.isArray(items)) problems.add('expected a list of routes, each with `to`');
  const virtualHost = {
    name,
    domains: ['*'],
    routes: (Array.isArray(items) ? items : []).map((item, index) => serviceRoute(item, problems.item(index))),
  };
  return { ...type('envoy.config.route.v3.RouteConfiguration'), name, virtual_hosts: [virtualHost] };
}

function httpListener(name: string, { message }: ServiceAddress): Mapping {
  const manager = {
    ...type(`${extensions}.network.http_connection_manager.v3.HttpConnectionManager`),
    stat_prefix: name,
    rds: { route_config_name: name, config_source: ads },
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: type(`${extensions}.http.router.v3.Router`) }],
  };
  const filters = [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }];
  return { ...type('envoy.config.listener.v3.Listener'), name, address: message, filter_chains: [{ filters }] };
}

function tcpListener(name: string, { message }: ServiceAddress): Mapping {
  const proxy = { ...type(`${extensions}.network.tcp_proxy.v3.TcpProxy`), stat_prefix: name, cluster: name };
  const filters = [{ name: 'envoy.filters.network.tcp_proxy', typed_config: proxy }];
  return { ...type('envoy.config.listener.v3.Listener'), name, address: message, filter_chains: [{ filters }] };
}

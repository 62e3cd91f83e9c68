// What the tests of discovery on demand serve and ask: a listener with the filter, virtual hosts and clusters to be asked for.

import { request } from 'node:http';
import type { RouteConfiguration } from '../../config/route.ts';
import { encodedOf } from './assembly-bench.ts';
import type { SentResource } from './discovery-messages.ts';
import { noMutations } from './route-fixtures.ts';

const filters = 'type.googleapis.com/envoy.extensions.filters';
const router = `{name: router, typed_config: {'@type': ${filters}.http.router.v3.Router}}`;

/** `fields` are those of the filter; `filters` stand before it, each with a comma. */
export function demandingListener({
  fields = '',
  filters: before = '',
  routes = 'routes',
  manager = '',
  ip = '127.0.0.1',
}): SentResource {
  const demand = `{name: demand, typed_config: {'@type': ${filters}.http.on_demand.v3.OnDemand, ${fields}}}`;
  const type = `${filters}.network.http_connection_manager.v3.HttpConnectionManager`;
  const rds = `rds: {route_config_name: ${routes}, config_source: {ads: {}, resource_api_version: V3}}`;
  const config = `{'@type': ${type}, stat_prefix: in, ${rds}, http_filters: [${before}${demand}, ${router}], ${manager}}`;
  const chain = `{filters: [{name: http, typed_config: ${config}}]}`;
  return listenerNamed('web', `address: {socket_address: {address: ${ip}, port_value: 0}}, filter_chains: [${chain}]`);
}

function listenerNamed(name: string, fields: string): SentResource {
  return { name, bytes: encodedOf('envoy.config.listener.v3.Listener', `{name: ${name}, ${fields}}`) };
}

export function routesNamed(name: string, fields: string): SentResource {
  return { name, bytes: encodedOf('envoy.config.route.v3.RouteConfiguration', `{name: ${name}, ${fields}}`) };
}

export const vhds = 'vhds: {config_source: {ads: {}, resource_api_version: V3}}';
export const odcds = 'odcds: {source: {ads: {}, resource_api_version: V3}}';

/** Answers with its text, as the answer to these hosts. */
export function hostSaying(text: string, name: string, ...hosts: readonly string[]): SentResource {
  const route = `{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: ${text}}}}`;
  return virtualHost(name, hosts, route);
}

export function virtualHost(name: string, hosts: readonly string[], route: string): SentResource {
  const yaml = `{name: ${name}, domains: [${hosts.join(', ')}], routes: [${route}]}`;
  const bytes = encodedOf('envoy.config.route.v3.VirtualHost', yaml);
  return { name: `routes/${name}`, aliases: hosts.map((host) => `routes/${host}`), bytes };
}

export function clusterAt(name: string, port: number): SentResource {
  const endpoint = `{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: ${port}}}}}`;
  const members = `load_assignment: {cluster_name: ${name}, endpoints: [{lb_endpoints: [${endpoint}]}]}`;
  const yaml = `{name: ${name}, type: STATIC, connect_timeout: 1s, ${members}}`;
  return { name, bytes: encodedOf('envoy.config.cluster.v3.Cluster', yaml) };
}

/** Follows the control plane at this port. */
export function followingBootstrap(port: number): object {
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  const load_assignment = { cluster_name: 'xds', endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] };
  const grpc_services = [{ envoy_grpc: { cluster_name: 'xds' } }];
  const source = { ads: {}, resource_api_version: 'V3' };
  return {
    node: { id: 'sidecar', cluster: 'tests' },
    dynamic_resources: {
      ads_config: { api_type: 'DELTA_GRPC', transport_api_version: 'V3', grpc_services },
      lds_config: source,
    },
    static_resources: {
      clusters: [{ name: 'xds', type: 'STATIC', connect_timeout: '5s', http2_protocol_options: {}, load_assignment }],
    },
  };
}

export interface Asking {
  readonly host?: string;
  readonly cluster?: string;
  readonly body?: string;
  /** Address of the client; that of the loopback when left out. */
  readonly from?: string;
}

/** `200 body`; `gone` when the request was given up by `signal`. */
export function askFor(
  port: number,
  { host = 'any', cluster, body, from }: Asking,
  signal?: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { host, ...(cluster !== undefined && { 'x-cluster': cluster }) };
    const method = body === undefined ? 'GET' : 'POST';
    const place = { host: '127.0.0.1', port, ...(from !== undefined && { localAddress: from }) };
    const sent = request({ ...place, headers, method, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      response.once('end', () => resolve(`${response.statusCode} ${text}`));
    });
    sent.once('error', (error) => (signal?.aborted === true ? resolve('gone') : reject(error)));
    // A connection that only ends may still be read from: its response would be waited for.
    signal?.addEventListener('abort', () => sent.socket?.resetAndDestroy());
    sent.end(body);
  });
}

/** Its virtual hosts arrive apart. */
export function routeConfigurationOf(name: string, ignorePortInHostMatching: boolean): RouteConfiguration {
  return {
    name,
    virtualHosts: [],
    headers: noMutations,
    internalOnlyHeaders: [],
    mostSpecificHeaderMutationsWins: false,
    ignorePortInHostMatching,
    maxDirectResponseBodyBytes: 0,
    virtualHostSource: { kind: 'ads', initialFetchTimeoutMs: 0 },
  };
}

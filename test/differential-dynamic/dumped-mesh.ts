// What the comparison of /config_dump serves from files: resources of all types, and in a second state one of each that waits,
// is refused, or was removed while it is in use.

import { httpManager, type Json, routesOf } from '../differential/bootstrap.ts';
import { certificateYaml, type SecretFiles } from '../support/secret-fixtures.ts';

export interface DumpedPlaces {
  readonly controlPlane: number;
  /** Where nobody listens. */
  readonly nobody: number;
  readonly files: SecretFiles;
}

const TYPES = 'type.googleapis.com/envoy';
const filters = `${TYPES}.extensions.filters`;
const ads = 'ads: {}, resource_api_version: V3';
const never =
  'resource_api_version: V3, initial_fetch_timeout: 0s, api_config_source: ' +
  '{api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: nobody}}]}';
/** Of no machine (RFC 5737). */
const foreign = '192.0.2.1';

export function firstState({ files }: DumpedPlaces): string {
  return yamlOf([
    ...steady(files),
    listener('changed', '127.0.0.1', rds('all')),
    listener('gone', '127.0.0.1', rds('all')),
  ]);
}

export function secondState({ files }: DumpedPlaces): string {
  return yamlOf([
    ...steady(files),
    edsCluster('waiting', never),
    listener('waiting', '127.0.0.1', rds('waiting', never)),
    listener('changed', foreign, rds('all'), 80),
    listener('refused', foreign, rds('all'), 81),
  ]);
}

export function bootstrapOf({ controlPlane, nobody, files }: DumpedPlaces): Json {
  const source = { ads: {}, resource_api_version: 'V3' };
  const metadata = [{ key: 'authorization', value: 'a token' }];
  const service = { envoy_grpc: { cluster_name: 'control-plane' }, initial_metadata: metadata };
  const key = { inline_bytes: Buffer.from(files.other.keyPem).toString('base64') };
  const own = httpManager('own', {
    ...routesOf([{ match: { prefix: '/' }, route: { cluster: 'local' } }]),
    name: 'own',
  });
  return {
    node: { id: 'dumped', cluster: 'tests', metadata: { A: 'b' } },
    admin: { address: { pipe: { path: 'admin.sock' } } },
    dynamic_resources: {
      ads_config: { api_type: 'DELTA_GRPC', transport_api_version: 'V3', grpc_services: [service] },
      cds_config: source,
      lds_config: source,
    },
    static_resources: {
      clusters: [grpcCluster('control-plane', controlPlane), grpcCluster('nobody', nobody), camelCaseCluster],
      listeners: [
        {
          name: 'own',
          address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
          filter_chains: [{ filters: [own] }],
        },
      ],
      secrets: [
        {
          name: 'kept',
          tls_certificate: { certificate_chain: { inline_string: files.other.chainPem }, private_key: key },
        },
      ],
    },
  };
}

const member = { endpoint: { hostname: 'h', address: { socket_address: { address: '127.0.0.1', port_value: 9 } } } };

const camelCaseCluster = {
  name: 'local',
  type: 'STATIC',
  connectTimeout: '1s',
  loadAssignment: { clusterName: 'local', endpoints: [{ lbEndpoints: [member] }] },
};

function grpcCluster(name: string, port: number): Json {
  const endpoint = { address: { socket_address: { address: '127.0.0.1', port_value: port } } };
  const load_assignment = { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] };
  return { name, type: 'STATIC', connect_timeout: '5s', http2_protocol_options: {}, load_assignment };
}

function steady(files: SecretFiles): readonly string[] {
  const key = Buffer.from(files.leaf.keyPem).toString('base64');
  const chain = JSON.stringify(files.leaf.chainPem);
  return [
    edsCluster('app', ads),
    assignment('app'),
    edsCluster('secured', ads, tls),
    assignment('secured'),
    `'@type': ${TYPES}.config.cluster.v3.Cluster
name: fixed
type: STATIC
connect_timeout: 0.25s
load_assignment: {cluster_name: fixed, endpoints: [{lb_endpoints: [${endpoint(9)}]}]}`,
    `'@type': ${TYPES}.config.route.v3.RouteConfiguration
name: all
virtual_hosts: [{name: all, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: app, timeout: 3s}}]}]`,
    secret('text', `tls_certificate: ${certificateYaml(files.leaf, 'inline')}`),
    secret(
      'bytes',
      `tls_certificate: {certificate_chain: {inline_string: ${chain}}, private_key: {inline_bytes: ${key}}}`,
    ),
    secret('roots', `validation_context: {trusted_ca: {inline_string: ${JSON.stringify(files.root.chainPem)}}}`),
    listener('web', '127.0.0.1', rds('all')),
  ];
}

const context = `${TYPES}.extensions.transport_sockets.tls.v3.UpstreamTlsContext`;
const named = (name: string): string => `{name: ${name}, sds_config: {${ads}}}`;
const tls = `
transport_socket:
  name: tls
  typed_config:
    '@type': ${context}
    common_tls_context:
      tls_certificate_sds_secret_configs: [${named('text')}]
      validation_context_sds_secret_config: ${named('roots')}
transport_socket_matches:
  - name: other
    match: {a: b}
    transport_socket:
      name: tls
      typed_config: {'@type': ${context}, common_tls_context: {tls_certificate_sds_secret_configs: [${named('bytes')}]}}`;

function secret(name: string, fields: string): string {
  return `'@type': ${TYPES}.extensions.transport_sockets.tls.v3.Secret\nname: ${name}\n${fields}`;
}

function edsCluster(name: string, source: string, more = ''): string {
  return `'@type': ${TYPES}.config.cluster.v3.Cluster
name: ${name}
type: EDS
connect_timeout: 0.25s
eds_cluster_config: {eds_config: {${source}}}${more}`;
}

function assignment(name: string): string {
  const states = ['UNHEALTHY', 'DRAINING', 'TIMEOUT', 'DEGRADED'].map((state, index) =>
    endpoint(10 + index, `, health_status: ${state}`),
  );
  const first = endpoint(9, ', load_balancing_weight: 3, metadata: {filter_metadata: {envoy.lb: {a: b}}}');
  return `'@type': ${TYPES}.config.endpoint.v3.ClusterLoadAssignment
cluster_name: ${name}
endpoints:
  - locality: {region: r, zone: z}
    lb_endpoints: [${[first, ...states].join(', ')}]
  - {priority: 1, lb_endpoints: [${endpoint(20)}]}`;
}

function endpoint(port: number, more = ''): string {
  return `{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: ${port}}}}${more}}`;
}

function listener(name: string, ip: string, routes: string, port = 0): string {
  const router = `{name: router, typed_config: {'@type': ${filters}.http.router.v3.Router}}`;
  const type = `${filters}.network.http_connection_manager.v3.HttpConnectionManager`;
  const manager = `{'@type': ${type}, stat_prefix: in, ${routes}, http_filters: [${router}]}`;
  return `'@type': ${TYPES}.config.listener.v3.Listener
name: ${name}
address: {socket_address: {address: ${ip}, port_value: ${port}}}
filter_chains: [{filters: [{name: http, typed_config: ${manager}}]}]`;
}

function rds(name: string, source = ads): string {
  return `rds: {route_config_name: ${name}, config_source: {${source}}}`;
}

function yamlOf(resources: readonly string[]): string {
  return `${resources.join('\n---\n')}\n`;
}

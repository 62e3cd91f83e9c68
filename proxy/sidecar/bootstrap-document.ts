// The bootstrap of a sidecar, as Istio's agent would write it into a file: who we are, where the control plane is, and the
// cluster by whose name listeners and clusters of a mesh ask for their certificates. Everything else is told by istiod.

import type { SidecarEnvironment } from './environment.ts';
import type { SidecarNode } from './sidecar-node.ts';

/** In the folder that a pod mounts; who finds a socket here already, such as SPIRE's, gets its certificates from there. */
export const workloadSocketPath = '/var/run/secrets/workload-spiffe-uds/socket';

/** The name that istiod's listeners and clusters use. */
export const secretsCluster = 'sds-grpc';

/** `config.bootstrap.v3.Bootstrap` in proto3 JSON. */
export function bootstrapDocument(environment: SidecarEnvironment, node: SidecarNode): object {
  const fromAds = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' };
  return {
    node,
    admin: { address: socketAddress('127.0.0.1', environment.proxyConfig.adminPort) },
    dynamic_resources: {
      cds_config: fromAds,
      lds_config: fromAds,
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [controlPlane(environment)],
      },
    },
    static_resources: { clusters: [secrets] },
    stats_config: { use_all_default_tags: false, stats_tags: statsTags },
  };
}

/** As in the bootstrap of Istio's agent: istiod ends the names of clusters for statistics with a semicolon, to be found by it. */
const statsTags = [
  { tag_name: 'cluster_name', regex: '^cluster(\\.(.+);)' },
  { tag_name: 'http_conn_manager_prefix', regex: '^http\\.(((?:[_.\\w]*|[_\\[\\]a-fA-F\\w:]*));\\.)' },
  { tag_name: 'tcp_prefix', regex: '^tcp\\.((.*?)\\.)\\w+?$' },
  { tag_name: 'response_code', regex: '_rq(_(\\d{3}))$' },
  { tag_name: 'response_code_class', regex: '_rq(_(\\dxx))$' },
  { tag_name: 'http_conn_manager_listener_prefix', regex: '^listener(?=\\.).*?\\.http\\.(([^.]*)\\.)' },
  { tag_name: 'listener_address', regex: '^listener\\.(((?:[_.0-9]*|[_\\[\\]a-fA-F0-9]*))\\.)' },
];

/** Port 15010 is istiod's for meshes without TLS between it and its proxies: nobody is authenticated there. */
export function isPlainText(address: string): boolean {
  return address.endsWith(':15010');
}

/** `config.core.v3.GrpcService`. */
function controlPlane(environment: SidecarEnvironment): object {
  const { proxyConfig, clusterId, rootCertificate, tokenPath, istiodName } = environment;
  const { discoveryAddress } = proxyConfig;
  const initial_metadata = [{ key: 'clusterid', value: clusterId }];
  const common = { target_uri: discoveryAddress, stat_prefix: 'xds' };
  if (isPlainText(discoveryAddress)) return { google_grpc: common, initial_metadata };
  const roots = rootCertificate.kind === 'file' ? { root_certs: { filename: rootCertificate.path } } : {};
  const token = {
    '@type': 'type.googleapis.com/envoy.config.grpc_credential.v3.FileBasedMetadataConfig',
    secret_data: { filename: tokenPath },
    header_key: 'authorization',
    header_prefix: 'Bearer ',
  };
  const fileBased = 'envoy.grpc_credentials.file_based_metadata';
  return {
    google_grpc: {
      ...common,
      ...(istiodName !== undefined && {
        channel_args: { args: { 'grpc.ssl_target_name_override': { string_value: istiodName } } },
      }),
      channel_credentials: { ssl_credentials: roots },
      credentials_factory_name: fileBased,
      call_credentials: [{ from_plugin: { name: fileBased, typed_config: token } }],
    },
    initial_metadata,
  };
}

const secrets = {
  name: secretsCluster,
  type: 'STATIC',
  connect_timeout: '1s',
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
  load_assignment: {
    cluster_name: secretsCluster,
    endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: workloadSocketPath } } } }] }],
  },
};

function socketAddress(address: string, port: number): object {
  return { socket_address: { address, port_value: port } };
}

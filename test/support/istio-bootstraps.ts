// Bootstraps of Istio sidecars: the one that pilot-agent writes, with itself as the control plane on a Unix socket, and
// one that goes to istiod directly.

const http2 =
  'typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http2_protocol_options: {}}}}';
const endpoint = (address: string) =>
  `{cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: ${address}}}]}]}`;
const port = (ip: string, number: number) => `{socket_address: {protocol: TCP, address: ${ip}, port_value: ${number}}}`;
const node = `
node:
  id: sidecar~10.0.0.7~shop-1.market~market.svc.cluster.local
  cluster: shop.market
  locality: {}
  metadata: {NAMESPACE: market, CLUSTER_ID: Kubernetes, ISTIO_VERSION: 1.30.3, INSTANCE_IPS: 10.0.0.7, LABELS: {app: shop}}
`;
const fromAds = 'ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3';
const dynamicResources = (service: string) => `
dynamic_resources:
  lds_config: {${fromAds}}
  cds_config: {${fromAds}}
  ads_config:
    api_type: DELTA_GRPC
    set_node_on_first_message_only: true
    transport_api_version: V3
    grpc_services:
    - ${service}
`;
const plain = (name: string, number: number) => `
  - {name: ${name}, alt_stat_name: "${name};", type: STATIC, connect_timeout: 0.250s, load_assignment: ${endpoint(port('127.0.0.1', number))}}`;
const router =
  '{name: envoy.filters.http.router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}';
const compressor =
  '{name: envoy.filters.http.compressor.gzip, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.compressor.v3.Compressor, compressor_library: {name: gzip, typed_config: {"@type": type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip}}}}';
const listener = (number: number, prefix: string, cluster: string) => `
  - name: 0.0.0.0_${number}
    address: ${port('0.0.0.0', number)}
    ignore_global_conn_limit: true
    bypass_overload_manager: true
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          codec_type: AUTO
          stat_prefix: ${cluster}
          route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: ${prefix}}, route: {cluster: ${cluster}}}]}]}
          http_filters: [${compressor}, ${router}]`;

/** Calls go to two Unix sockets below `directory`: `XDS` for the control plane, `socket` for certificates. */
export function pilotAgentBootstrap(directory: string): string {
  return `${node}${dynamicResources('envoy_grpc: {cluster_name: xds-grpc}')}
layered_runtime: {layers: [{name: global config, static_layer: {re2.max_program_size.error_level: "32768"}}, {name: admin, admin_layer: {}}]}
bootstrap_extensions:
- name: envoy.bootstrap.internal_listener
  typed_config:
    "@type": type.googleapis.com/udpa.type.v1.TypedStruct
    type_url: type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener
    value: {buffer_size_kb: 64}
stats_config:
  use_all_default_tags: false
  stats_tags: [{tag_name: cluster_name, regex: "^cluster(\\\\.(.+);)"}]
  stats_matcher: {inclusion_list: {patterns: [{prefix: component}, {prefix: istio}]}}
admin: {profile_path: /var/lib/istio/data/envoy.prof, address: ${port('127.0.0.1', 15000)}}
static_resources:
  clusters:${plain('prometheus_stats', 15000)}${plain('agent', 15020)}
  - {name: sds-grpc, alt_stat_name: "sds-grpc;", type: STATIC, connect_timeout: 1s, load_assignment: ${endpoint(`{pipe: {path: ${directory}/socket}}`)}, ${http2}}
  - name: xds-grpc
    type: STATIC
    connect_timeout: 1s
    lb_policy: ROUND_ROBIN
    load_assignment: ${endpoint(`{pipe: {path: ${directory}/XDS}}`)}
    circuit_breakers: {thresholds: [{priority: DEFAULT, max_connections: 100000}, {priority: HIGH, max_connections: 100000}]}
    upstream_connection_options: {tcp_keepalive: {keepalive_time: 300}}
    max_requests_per_connection: 1
    ${http2}
  listeners:${listener(15090, '/stats/prometheus', 'prometheus_stats')}${listener(15021, '/healthz/ready', 'agent')}
cluster_manager: {outlier_detection: {event_log_path: /dev/stdout}}
deferred_stat_options: {enable_deferred_creation_stats: true}
`;
}

const istiod = `google_grpc:
        target_uri: istiod.istio-system.svc:15012
        stat_prefix: istiod
        credentials_factory_name: envoy.grpc_credentials.file_based_metadata
        channel_credentials: {ssl_credentials: {root_certs: {filename: /var/run/secrets/istio/root-cert.pem}}}
        call_credentials:
        - from_plugin:
            name: envoy.grpc_credentials.file_based_metadata
            typed_config:
              "@type": type.googleapis.com/envoy.config.grpc_credential.v3.FileBasedMetadataConfig
              secret_data: {filename: /var/run/secrets/tokens/istio-token}
              header_prefix: "Bearer "
      initial_metadata: [{key: ClusterID, value: Kubernetes}]`;

/** The token and the root are those that Kubernetes mounts. */
export const directIstiodBootstrap = `${node}${dynamicResources(istiod)}`;

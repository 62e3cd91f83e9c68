// Fields that Envoy's messages have got since the proto files of the npm package were written, up to Envoy 1.40. On the wire
// a field that is not known would be skipped in silence; one that is listed here is carried or refused by its row.

/**
 * A scalar, the full name of a message, the names of an enum from 0 on, or `unread`: any other message. `repeated` may
 * stand in front.
 */
export type NewerFieldType = string | readonly string[];

type NewerField = readonly [number: number, type: NewerFieldType, options?: NewerFieldOptions];

interface NewerFieldOptions {
  /** Those of protoc-gen-validate. */
  readonly rules?: { readonly [rule: string]: number };
  readonly oneof?: string;
}

const core = 'envoy.config.core.v3';
const tls = 'envoy.extensions.transport_sockets.tls.v3';

export const newerFields: {
  readonly [message: string]: { readonly [field: string]: NewerField };
} = {
  'envoy.config.bootstrap.v3.Bootstrap': {
    stats_eviction_interval: [42, 'google.protobuf.Duration'],
    enable_worker_cpu_affinity: [43, 'bool'],
  },
  'envoy.config.bootstrap.v3.Admin': { allow_paths: [7, 'repeated envoy.type.matcher.v3.StringMatcher'] },
  'envoy.config.listener.v3.Listener': {
    fcds_config: [36, 'unread'],
    tcp_keepalive: [37, 'unread'],
    per_connection_buffer_high_watermark_timeout: [38, 'google.protobuf.Duration'],
    stats_matcher: [39, 'unread'],
  },
  'envoy.config.listener.v3.AdditionalAddress': { tcp_keepalive: [3, 'unread'] },
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy': {
    backoff_options: [18, 'unread'],
    proxy_protocol_tlvs: [19, 'unread'],
    max_downstream_connection_duration_jitter_percentage: [20, 'unread'],
    upstream_connect_mode: [21, ['IMMEDIATE', 'ON_DOWNSTREAM_DATA', 'ON_DOWNSTREAM_TLS_HANDSHAKE']],
    max_early_data_bytes: [22, 'google.protobuf.UInt32Value'],
    proxy_protocol_tlv_merge_policy: [
      23,
      ['ADD_IF_ABSENT', 'OVERWRITE_BY_TYPE_IF_EXISTS_OR_ADD', 'APPEND_IF_EXISTS_OR_ADD'],
    ],
    check_drain_close: [24, 'google.protobuf.BoolValue'],
  },
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TcpAccessLogOptions': {
    flush_access_log_on_start: [3, 'bool'],
  },
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager': {
    http1_safe_max_connection_duration: [58, 'bool'],
    stream_flush_timeout: [59, 'google.protobuf.Duration'],
    forward_client_cert_matcher: [60, 'unread'],
    forward_proto_config: [61, 'unread'],
    drain_timeout_jitter: [62, 'unread'],
    record_route_resolution_stats: [63, 'bool'],
  },
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing': {
    operation: [11, 'string'],
    upstream_operation: [12, 'string'],
    no_context_propagation: [13, 'bool'],
  },
  'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector': {
    enable_ja4_fingerprinting: [3, 'google.protobuf.BoolValue'],
    close_connection_on_client_hello_parsing_errors: [4, 'bool'],
    max_client_hello_size: [5, 'google.protobuf.UInt32Value', { rules: { gt: 255, lte: 16_384 } }],
  },
  'envoy.extensions.filters.http.router.v3.Router': {
    reject_connect_request_early_data: [10, 'google.protobuf.BoolValue'],
  },
  'envoy.config.core.v3.HttpProtocolOptions': {
    max_response_headers_kb: [7, 'google.protobuf.UInt32Value', { rules: { gt: 0, lte: 8192 } }],
    max_connection_duration_jitter: [8, 'unread'],
  },
  'envoy.config.core.v3.Http1ProtocolOptions': { ignore_http_11_upgrade: [11, 'unread'] },
  'envoy.config.core.v3.SocketAddress': { network_namespace_filepath: [7, 'string'] },
  'envoy.config.core.v3.SocketOption': {
    type: [7, 'unread'],
    ip_version: [8, ['SOCKET_IP_VERSION_UNSPECIFIED', 'SOCKET_IP_VERSION_IPV4', 'SOCKET_IP_VERSION_IPV6']],
  },
  'envoy.config.core.v3.BindConfig': { validate_network_namespaces: [7, 'bool'] },
  'envoy.config.route.v3.RouteConfiguration': { vhost_header: [18, 'string'], route_specifiers: [19, 'unread'] },
  'envoy.config.route.v3.VirtualHost': {
    request_body_buffer_limit: [25, 'google.protobuf.UInt64Value'],
    route_specifiers: [26, 'unread'],
  },
  'envoy.config.route.v3.Route': {
    request_body_buffer_limit: [20, 'google.protobuf.UInt64Value'],
    route_specifiers: [21, 'unread'],
  },
  'envoy.config.route.v3.RouteMatch': {
    filter_state: [16, 'unread'],
    cookies: [17, 'repeated envoy.config.route.v3.CookieMatcher'],
  },
  'envoy.config.route.v3.RouteAction': {
    flush_timeout: [42, 'google.protobuf.Duration'],
    host_rewrite: [44, 'string', { oneof: 'host_rewrite_specifier' }],
    path_rewrite: [45, 'string'],
  },
  'envoy.config.route.v3.RedirectAction': {
    path_rewrite: [10, 'string', { oneof: 'path_rewrite_specifier' }],
  },
  'envoy.config.route.v3.DirectResponseAction': { body_format: [3, `${core}.SubstitutionFormatString`] },
  'envoy.config.route.v3.RetryPolicy': { refresh_cluster_on_retry: [14, 'bool'] },
  'envoy.config.route.v3.WeightedCluster': { use_hash_policy: [5, 'google.protobuf.BoolValue'] },
  'envoy.config.cluster.v3.Cluster': {
    dns_jitter: [58, 'google.protobuf.Duration'],
    transport_socket_matcher: [59, 'unread'],
    per_connection_buffer_high_watermark_timeout: [60, 'google.protobuf.Duration'],
    stats_matcher: [61, 'unread'],
    queuing_policies: [62, 'unread'],
  },
  'envoy.config.endpoint.v3.Endpoint': { observability_name: [5, 'string'] },
  'envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig': {
    query_timeout_seconds: [6, 'google.protobuf.UInt64Value'],
    query_tries: [7, 'google.protobuf.UInt32Value'],
    rotate_nameservers: [8, 'bool'],
    edns0_max_payload_size: [9, 'google.protobuf.UInt32Value'],
    max_udp_channel_duration: [10, 'google.protobuf.Duration'],
    reinit_channel_on_timeout: [11, 'bool'],
    qcache_max_ttl: [12, 'google.protobuf.UInt32Value'],
  },
  'envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig': {
    num_retries: [1, 'google.protobuf.UInt32Value'],
    num_resolver_threads: [2, 'google.protobuf.UInt32Value'],
  },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    outlier_detection: [8, 'unread'],
    request_mirror_policies: [9, 'unread'],
    hash_policy: [10, 'unread'],
    retry_policy: [11, 'unread'],
  },
  [`${tls}.UpstreamTlsContext`]: { auto_host_sni: [6, 'bool'], auto_sni_san_validation: [7, 'bool'] },
  [`${tls}.DownstreamTlsContext`]: { prefer_client_ciphers: [11, 'bool'] },
  [`${tls}.CommonTlsContext`]: { custom_tls_certificate_selector: [16, 'unread'] },
  // An enum; text takes the names of JSON and the packed numbers of the wire alike, and both are refused.
  [`${tls}.TlsParameters`]: { compliance_policies: [6, 'repeated string'] },
  [`${tls}.TlsCertificate`]: { tls_params: [9, 'unread'] },
  [`${tls}.CertificateValidationContext`]: { suppress_client_ca_list: [18, 'bool'] },
  [`${tls}.GenericSecret`]: { secrets: [2, 'unread'] },
  [`${tls}.SPIFFECertValidatorConfig`]: { trust_bundles: [2, 'unread'] },
  [`${tls}.SPIFFECertValidatorConfig.TrustDomain`]: { workload_trust_domain: [3, 'string'] },
  [`${core}.GrpcService.GoogleGrpc`]: {
    channel_credentials_plugin: [9, 'unread'],
    call_credentials_plugin: [10, 'unread'],
  },
  [`${core}.HttpService`]: { formatters: [3, 'unread'] },
  'envoy.config.trace.v3.OpenTelemetryConfig': {
    max_cache_size: [6, 'google.protobuf.UInt32Value'],
    set_telemetry_sdk_resource_attributes: [7, 'google.protobuf.BoolValue'],
    set_service_name_resource_attribute: [8, 'google.protobuf.BoolValue'],
    set_instrumentation_scope: [9, 'google.protobuf.BoolValue'],
    exporter: [10, 'unread'],
  },
  'envoy.config.trace.v3.ZipkinConfig': {
    trace_context_option: [8, ['USE_B3', 'USE_B3_WITH_W3C_PROPAGATION']],
    collector_service: [9, `${core}.HttpService`],
    timestamp_trace_ids: [10, 'bool'],
  },
  'envoy.type.tracing.v3.CustomTag': {
    value: [6, 'string', { oneof: 'type' }],
    value_type: [7, ['UNSPECIFIED', 'STRING', 'INT', 'DOUBLE', 'BOOL']],
  },
  'envoy.config.route.v3.Tracing': { operation: [5, 'string'], upstream_operation: [6, 'string'] },
  'envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig': {
    http_service: [8, `${core}.HttpService`],
    grpc_service: [9, `${core}.GrpcService`],
    log_name: [10, 'string'],
    buffer_flush_interval: [11, 'google.protobuf.Duration'],
    buffer_size_bytes: [12, 'google.protobuf.UInt32Value'],
    filter_state_objects_to_log: [13, 'repeated string'],
    custom_tags: [14, 'repeated envoy.type.tracing.v3.CustomTag'],
    resource_detectors: [15, `repeated ${core}.TypedExtensionConfig`],
  },
  'envoy.extensions.stat_sinks.open_telemetry.v3.SinkConfig': {
    resource_detectors: [7, `repeated ${core}.TypedExtensionConfig`],
    custom_metric_conversions: [8, 'unread'],
    http_service: [9, `${core}.HttpService`, { oneof: 'protocol_specifier' }],
    max_data_points_per_request: [10, 'uint32'],
  },
};

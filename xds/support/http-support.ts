// Fields of the HTTP connection manager, its filters, its protocol options and its access logs.

import type { SupportTable } from './support-table.ts';

const inPlace = 'extension discovery is not offered; write typed_config';
const http2NotServed = 'options of a protocol that is not served yet; connections that speak it are refused';
const withoutMutualTls = 'without mutual TLS the x-forwarded-client-cert header is removed in any case';
const grpcCounts = 'gRPC calls are not counted yet: they come over HTTP/2';
const noFault = 'fault injection is not offered yet';
const HCM = 'envoy.extensions.filters.network.http_connection_manager.v3';

export const httpSupport: SupportTable = {
  [`${HCM}.HttpConnectionManager`]: {
    supported: [
      'codec_type',
      'stat_prefix',
      'rds',
      'route_config',
      'http_filters',
      'common_http_protocol_options',
      'http_protocol_options',
      'server_name',
      'server_header_transformation',
      'scheme_header_transformation',
      'max_request_headers_kb',
      'stream_idle_timeout',
      'request_timeout',
      'request_headers_timeout',
      'delayed_close_timeout',
      'access_log',
      'use_remote_address',
      'xff_num_trusted_hops',
      'internal_address_config',
      'skip_xff_append',
      'via',
      'generate_request_id',
      'preserve_external_request_id',
      'always_set_request_id_in_response',
      'proxy_100_continue',
      'upgrade_configs',
      'normalize_path',
      'merge_slashes',
      'path_with_escaped_slashes_action',
      'local_reply_config',
      'strip_matching_host_port',
      'strip_any_host_port',
      'stream_error_on_invalid_http_message',
      'strip_trailing_host_dot',
      'tracing',
      'request_id_extension',
    ],
    ignored: {
      drain_timeout_jitter: 'acts on drain_timeout, which has no effect',
      record_route_resolution_stats: 'these counters are not kept',
      drain_timeout: 'spaces out the two notices by which HTTP/2 closes; HTTP/1.1 closes after the response in flight',
      http2_protocol_options: http2NotServed,
      http3_protocol_options: http2NotServed,
      set_current_client_cert_details: withoutMutualTls,
      add_proxy_protocol_connection_state: 'acts only with the PROXY protocol, which is refused',
    },
    unsupported: {
      scoped_routes: 'write route_config or rds',
      represent_ipv4_remote_address_as_ipv4_mapped_ipv6: {
        unless: [false],
        why: 'IPv4 addresses are written as such',
      },
      add_user_agent: { unless: [false], why: 'user-agent is forwarded as received' },
      access_log_flush_interval: 'a request is logged at its end',
      flush_access_log_on_new_request: 'a request is logged at its end',
      access_log_options: 'a request is logged at its end',
      original_ip_detection_extensions: 'use use_remote_address and xff_num_trusted_hops',
      early_header_mutation_extensions: 'use request_headers_to_add of the route configuration',
      forward_client_cert_details: {
        unless: ['SANITIZE', 'FORWARD_ONLY', 'APPEND_FORWARD', 'SANITIZE_SET'],
        why: 'x-forwarded-client-cert of a connection without mutual TLS is always removed',
      },
      path_normalization_options: 'use normalize_path and merge_slashes',
      proxy_status_config: 'the proxy-status header is not sent',
      typed_header_validation_config: 'headers are always validated strictly',
      append_x_forwarded_port: 'x-forwarded-port is not appended',
      http1_safe_max_connection_duration: 'max_connection_duration ends a connection between two requests',
      stream_flush_timeout: 'use stream_idle_timeout',
      forward_client_cert_matcher: 'x-forwarded-client-cert of a connection without mutual TLS is always removed',
      forward_proto_config: 'x-forwarded-proto is as with use_remote_address',
      append_local_overload: 'x-envoy-local-overloaded is not appended',
    },
  },
  [`${HCM}.Rds`]: { supported: ['config_source', 'route_config_name'] },
  [`${HCM}.HttpConnectionManager.Tracing`]: {
    supported: [
      'client_sampling',
      'random_sampling',
      'overall_sampling',
      'verbose',
      'max_path_tag_length',
      'custom_tags',
      'provider',
      'spawn_upstream_span',
      'operation',
      'upstream_operation',
      'no_context_propagation',
    ],
  },
  [`${HCM}.RequestIDExtension`]: { supported: ['typed_config'] },
  'envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig': {
    supported: ['pack_trace_reason', 'use_request_id_for_trace_sampling'],
  },
  [`${HCM}.HttpConnectionManager.InternalAddressConfig`]: {
    supported: ['cidr_ranges'],
    unsupported: { unix_sockets: 'peers on Unix sockets are external' },
  },
  [`${HCM}.HttpConnectionManager.UpgradeConfig`]: {
    supported: ['upgrade_type', 'enabled'],
    unsupported: { filters: 'upgraded requests pass the filters of the connection manager' },
  },
  [`${HCM}.LocalReplyConfig`]: { supported: ['mappers', 'body_format'] },
  [`${HCM}.ResponseMapper`]: {
    supported: ['filter', 'status_code', 'body', 'body_format_override', 'headers_to_add'],
  },
  [`${HCM}.HttpFilter`]: {
    supported: ['name', 'typed_config'],
    ignored: { is_optional: 'a filter that is not known is refused in any case' },
    unsupported: {
      config_discovery: inPlace,
      disabled: 'remove the filter',
    },
  },
  'envoy.extensions.filters.http.router.v3.Router': {
    supported: ['suppress_envoy_headers', 'start_child_span'],
    ignored: {
      dynamic_stats: 'statistics of clusters are kept in any case; not keeping them would save nothing',
    },
    unsupported: {
      upstream_log: 'the access log of the connection manager has the upstream of the last attempt',
      strict_check_headers: 'x-envoy-* headers with a wrong value are ignored',
      respect_expected_rq_timeout: 'the timeout of the route applies',
      upstream_log_options: 'an upstream request is logged at its end',
      suppress_grpc_request_failure_code_stats: 'failed gRPC calls are always counted',
      upstream_http_filters: 'upstream HTTP filters are not offered',
      reject_connect_request_early_data: 'bytes behind CONNECT wait until the endpoint has answered',
    },
  },
  'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig': {
    supported: [],
    ignored: {
      emit_filter_state: grpcCounts,
      individual_method_stats_allowlist: grpcCounts,
      stats_for_all_methods: grpcCounts,
      enable_upstream_stats: grpcCounts,
      replace_dots_in_grpc_service_name: grpcCounts,
    },
  },
  'envoy.extensions.filters.http.fault.v3.HTTPFault': {
    supported: [],
    ignored: { disable_downstream_cluster_stats: 'no fault is injected that could be counted' },
    unsupported: {
      delay: noFault,
      abort: noFault,
      upstream_cluster: noFault,
      headers: noFault,
      downstream_nodes: noFault,
      max_active_faults: noFault,
      response_rate_limit: noFault,
      delay_percent_runtime: noFault,
      abort_percent_runtime: noFault,
      delay_duration_runtime: noFault,
      abort_http_status_runtime: noFault,
      max_active_faults_runtime: noFault,
      response_rate_limit_percent_runtime: noFault,
      abort_grpc_status_runtime: noFault,
      filter_metadata: noFault,
    },
  },
  'envoy.extensions.filters.http.cors.v3.Cors': { supported: [] },
  'envoy.config.core.v3.SchemeHeaderTransformation': {
    supported: ['scheme_to_overwrite'],
    unsupported: { match_upstream: 'it arrives with TLS' },
  },
  'envoy.config.core.v3.HttpProtocolOptions': {
    supported: [
      'idle_timeout',
      'max_connection_duration',
      'max_headers_count',
      'max_stream_duration',
      'headers_with_underscores_action',
      'max_requests_per_connection',
      'max_response_headers_kb',
    ],
    unsupported: { max_connection_duration_jitter: 'max_connection_duration is exact' },
  },
  'envoy.config.core.v3.Http1ProtocolOptions': {
    supported: [
      'allow_absolute_url',
      'accept_http_10',
      'default_host_for_http_10',
      'header_key_format',
      'enable_trailers',
      'override_stream_error_on_invalid_http_message',
      'allow_custom_methods',
    ],
    ignored: { use_balsa_parser: 'chooses between two parsers inside Envoy' },
    unsupported: {
      allow_chunked_length: 'a message with both framings is refused (RFC 9112 section 6.3)',
      ignore_http_11_upgrade: 'use upgrade_configs',
      send_fully_qualified_url: 'origin form is sent upstream',
    },
  },
  'envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat': {
    supported: ['proper_case_words', 'stateful_formatter'],
  },
  'envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat.ProperCaseWords': { supported: [] },
  'envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig': {
    supported: [],
    unsupported: {
      forward_reason_phrase: 'it cannot be chosen',
      formatter_type_on_envoy_headers: 'headers that are added keep their own spelling',
    },
  },
};

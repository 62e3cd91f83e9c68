// Fields of listeners, filter chains, listener filters and the TCP proxy.

import type { SupportTable } from './support-table.ts';

const proxyProtocol = 'the PROXY protocol is not sent to endpoints';
const inPlace = 'configurations of listener filters are not discovered; write typed_config';
const onDemand = 'only requests wait for what is asked for on demand: use the HTTP filter on_demand';

const subsets = 'read only by the subset balancer, which is refused';

export const listenerSupport: SupportTable = {
  'envoy.config.listener.v3.Listener': {
    supported: [
      'name',
      'address',
      'additional_addresses',
      'stat_prefix',
      'filter_chains',
      'use_original_dst',
      'default_filter_chain',
      'per_connection_buffer_limit_bytes',
      'deprecated_v1',
      'drain_type',
      'listener_filters',
      'transparent',
      'freebind',
      'socket_options',
      'traffic_direction',
      'enable_reuse_port',
      'access_log',
      'tcp_backlog_size',
      'max_connections_to_accept_per_socket_event',
      'bind_to_port',
      'ignore_global_conn_limit',
      'bypass_overload_manager',
      'metadata',
      'listener_filters_timeout',
      'continue_on_listener_filters_timeout',
    ],
    ignored: {
      stats_matcher: 'all statistics are kept',
      reuse_port: 'enable_reuse_port says it, as in Envoy',
    },
    unsupported: {
      filter_chain_matcher: 'use filter_chain_match',
      tcp_fast_open_queue_length: { unless: [0], why: 'TCP fast open is not offered' },
      udp_listener_config: 'listeners are TCP or Unix sockets',
      api_listener: 'listeners are TCP or Unix sockets',
      connection_balance_config: 'the kernel spreads connections over the workers',
      internal_listener: 'internal listeners are not offered',
      fcds_config: 'filter chains come with their listener',
      tcp_keepalive: 'write it as socket_options',
      per_connection_buffer_high_watermark_timeout: 'a peer that does not read is ended by idle timeouts',
      enable_mptcp: 'multipath TCP is not offered',
    },
  },
  'envoy.config.listener.v3.Listener.DeprecatedV1': { supported: ['bind_to_port'] },
  'envoy.config.listener.v3.AdditionalAddress': {
    supported: ['address'],
    unsupported: {
      socket_options: 'set them on the listener',
      tcp_keepalive: 'set it on the listener, as socket_options',
    },
  },
  'envoy.config.listener.v3.ListenerFilter': {
    supported: ['name', 'typed_config', 'filter_disabled'],
    unsupported: { config_discovery: inPlace },
  },
  'envoy.config.listener.v3.ListenerFilterChainMatchPredicate': {
    supported: ['or_match', 'and_match', 'not_match', 'any_match', 'destination_port_range'],
  },
  'envoy.config.listener.v3.ListenerFilterChainMatchPredicate.MatchSet': { supported: ['rules'] },
  'envoy.type.v3.Int32Range': { supported: ['start', 'end'] },
  'envoy.extensions.filters.listener.original_dst.v3.OriginalDst': { supported: [] },
  'envoy.extensions.filters.listener.http_inspector.v3.HttpInspector': { supported: [] },
  'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector': {
    supported: ['close_connection_on_client_hello_parsing_errors', 'max_client_hello_size'],
    ignored: { initial_read_buffer_size: 'connections are looked at in one buffer of the worker, and need none' },
    unsupported: {
      enable_ja3_fingerprinting: { unless: [false], why: 'fingerprints of clients are not made' },
      enable_ja4_fingerprinting: { unless: [false], why: 'fingerprints of clients are not made' },
    },
  },
  'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol': {
    supported: ['allow_requests_without_proxy_protocol', 'disallowed_versions'],
    ignored: { stat_prefix: 'all listeners are counted together' },
    unsupported: {
      rules: 'what is added to a header is not read',
      pass_through_tlvs: 'what is added to a header is not passed on',
    },
  },
  'envoy.config.listener.v3.FilterChain': {
    supported: [
      'filter_chain_match',
      'filters',
      'transport_socket',
      'transport_socket_connect_timeout',
      'name',
      'metadata',
    ],
    unsupported: {
      use_proxy_proto: { unless: [false], why: 'write the listener filter envoy.filters.listener.proxy_protocol' },
      on_demand_configuration: onDemand,
    },
  },
  'envoy.config.listener.v3.FilterChainMatch': {
    supported: [
      'destination_port',
      'prefix_ranges',
      'direct_source_prefix_ranges',
      'source_type',
      'source_prefix_ranges',
      'source_ports',
      'server_names',
      'transport_protocol',
      'application_protocols',
    ],
    unsupported: {
      address_suffix: 'Envoy does not implement it either',
      suffix_len: 'Envoy does not implement it either',
    },
  },
  'envoy.config.listener.v3.Filter': { supported: ['name', 'typed_config', 'config_discovery'] },
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy': {
    supported: [
      'stat_prefix',
      'cluster',
      'weighted_clusters',
      'idle_timeout',
      'access_log',
      'max_connect_attempts',
      'max_downstream_connection_duration',
      'access_log_flush_interval',
      'flush_access_log_on_connected',
      'access_log_options',
    ],
    ignored: { metadata_match: subsets, hash_policy: 'read only by the hash balancers, which are refused' },
    unsupported: {
      on_demand: onDemand,
      backoff_options: 'further attempts to connect follow at once',
      proxy_protocol_tlvs: proxyProtocol,
      proxy_protocol_tlv_merge_policy: { unless: ['ADD_IF_ABSENT'], why: proxyProtocol },
      max_downstream_connection_duration_jitter_percentage: 'max_downstream_connection_duration is exact',
      upstream_connect_mode: { unless: ['IMMEDIATE'], why: 'the endpoint is connected at once' },
      max_early_data_bytes: 'bytes wait in the socket until the endpoint is connected',
      check_drain_close: 'connections end with the drain time of their listener',
      downstream_idle_timeout: 'use idle_timeout',
      upstream_idle_timeout: 'use idle_timeout',
      tunneling_config: 'tunnelling over HTTP CONNECT is not offered',
    },
  },
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster': { supported: ['clusters'] },
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight': {
    supported: ['name', 'weight'],
    ignored: { metadata_match: subsets },
  },
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TcpAccessLogOptions': {
    supported: ['access_log_flush_interval', 'flush_access_log_on_connected'],
    unsupported: { flush_access_log_on_start: 'use flush_access_log_on_connected' },
  },
};

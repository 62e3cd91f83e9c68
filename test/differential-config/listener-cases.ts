// Listeners, filter chains and network filters.

import { type ConfigCase, oursRefuses, refuses, takes } from './config-case.ts';
import * as at from './config-place.ts';

export const listenerCases: readonly ConfigCase[] = [
  takes(at.listenerAddress, '{socket_address: {address: 127.0.0.1, port_value: 0}}'),
  refuses(
    at.listenerAddress,
    '{socket_address: {address: 127.0.0.1, port_value: 65536}}',
    'socket_address.port_value: must be at most 65535, got 65536',
  ),
  refuses(
    at.listenerAddress,
    '{socket_address: {address: 127.0.0.1, port_value: -1}}',
    'socket_address.port_value: expected a whole number from 0 to 4294967295, got -1',
  ),
  refuses(
    at.networkFilters,
    '{name: a, typed_config: {"@type": type.googleapis.com/no.such.Type}}',
    'filters[0].typed_config: network filter type.googleapis.com/no.such.Type is not supported; supported are',
  ),
  refuses(
    at.networkFilters,
    '{name: a, typed_config: {stat_prefix: a}}',
    'filters[0].typed_config: expected an object with "@type", the type URL of its message',
  ),
  takes(
    at.networkFilters,
    '{name: a, typed_config: {"@type": example.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: a, cluster: c}}',
  ),
  refuses(
    at.networkFilters,
    '{name: envoy.tcp_proxy, typed_config: {"@type": type.googleapis.com/envoy.config.filter.network.tcp_proxy.v2.TcpProxy, stat_prefix: a, cluster: c}}',
    'filters[0].typed_config: network filter type.googleapis.com/envoy.config.filter.network.tcp_proxy.v2.TcpProxy',
  ),
  refuses(
    at.tcpProxy,
    'cluster: c, nope: 1',
    'typed_config.nope: unknown field of envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
  ),
  takes(
    at.networkFilters,
    '{name: envoy.filters.network.tcp_proxy, typed_config: {"@type": type.googleapis.com/xds.type.v3.TypedStruct, type_url: type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, value: {stat_prefix: a, cluster: c}}}',
  ),
  refuses(
    at.networkFilters,
    '{name: envoy.filters.network.tcp_proxy}',
    'filters[0].typed_config: typed_config is required: it says which network filter this is',
  ),
  refuses(
    at.networkFilters,
    '{typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: a, cluster: c}}',
    'filters[0].name: name is required',
  ),
  oursRefuses(
    at.networkFilters,
    '{name: e, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo}}',
    'filters[0].typed_config: network filter type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo is',
  ),
  refuses(at.tcpProxy, '', 'filters[0].typed_config: one of cluster, weighted_clusters is required'),
  takes(at.tcpProxy, 'cluster: nowhere'),
  refuses(at.listener, '', 'listeners[0].filter_chains: a listener needs a filter chain'),
  oursRefuses(at.filterChains, '{}', 'filter_chains[0].filters: the last filter must be terminal, one of'),
  refuses(
    at.listenerAddress,
    '{socket_address: {protocol: UDP, address: 127.0.0.1, port_value: 1}}',
    'socket_address.protocol: UDP is not supported; write TCP',
  ),
  takes(at.listenerAddress, '{pipe: {path: /tmp/x.sock}}'),
  refuses(
    at.listenerAddress,
    '{pipe: {path: "@x", mode: 511}}',
    'pipe.mode: an abstract socket has no file, so no mode',
  ),
  refuses(
    at.listenerAddress,
    '{pipe: {path: /xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}}',
    'pipe.path: must have at most 107 bytes, has 121',
  ),
  refuses(
    at.listeners,
    '{name: l, bind_to_port: false, address: {socket_address: {address: 127.0.0.1, port_value: 1}}}, {name: m, bind_to_port: false, address: {socket_address: {address: 127.0.0.1, port_value: 1}}}',
    'listeners[1].address: 127.0.0.1:1 is the address of listeners[0] already',
  ),
  takes(at.servingListener, 'additional_addresses: [{address: {socket_address: {address: 127.0.0.1, port_value: 0}}}]'),
  takes(
    at.filterChains,
    '{filters: [{name: tcp, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c}}], name: a}, {filters: [{name: tcp, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c}}], name: a, filter_chain_match: {destination_port: 1}}',
  ),
  refuses(
    at.filterChains,
    '{filters: [{name: tcp, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c}}], filter_chain_match: {server_names: [b.com, b.com]}}',
    'filter_chain_match.server_names: must not hold a value twice',
  ),
  refuses(
    at.filterChains,
    '{filters: [{name: tcp, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c}}], filter_chain_match: {server_names: ["w*.com"]}}',
    'filter_chain_match.server_names[0]: "w*.com": a wildcard may only be the whole first label, as in',
  ),
  oursRefuses(
    at.filterChains,
    '{filters: [{name: tcp, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c}}], filter_chain_match: {prefix_ranges: [{address_prefix: 10.0.0.0, prefix_len: 33}]}}',
    'prefix_ranges[0].prefix_len: must be at most 32 for 10.0.0.0, got 33',
  ),
  takes(
    at.listener,
    'default_filter_chain: {filters: [{name: tcp, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c}}], filter_chain_match: {destination_port: 1}}',
  ),
  takes(at.servingListener, 'per_connection_buffer_limit_bytes: 0'),
  takes(at.servingListener, 'listener_filters_timeout: 0s'),
  refuses(
    at.servingListener,
    'max_connections_to_accept_per_socket_event: 0',
    'listeners[0].max_connections_to_accept_per_socket_event: must be more than 0, got 0',
  ),
  takes(at.servingListener, 'tcp_backlog_size: 0'),
  takes(
    at.servingListener,
    'listener_filters: [{name: o, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst}}]',
  ),
  refuses(
    at.servingListener,
    'listener_filters: [{name: envoy.filters.listener.original_dst}]',
    'listener_filters[0].typed_config: typed_config is required: it says which listener filter this is',
  ),
  takes(
    at.servingListener,
    'listener_filters_timeout: 0s, continue_on_listener_filters_timeout: true, listener_filters: [{name: o, filter_disabled: {or_match: {rules: [{destination_port_range: {start: 80, end: 81}}, {not_match: {any_match: true}}]}}, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector, initial_read_buffer_size: 512, max_client_hello_size: 16384, close_connection_on_client_hello_parsing_errors: true, enable_ja4_fingerprinting: false}}, {name: h, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector}}]',
  ),
  refuses(
    at.servingListener,
    'listener_filters: [{name: o, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector, max_client_hello_size: 16385}}]',
    'max_client_hello_size: must be at most 16384, got 16385',
  ),
  takes(
    at.servingListener,
    'listener_filters: [{name: o, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol}}]',
  ),
  refuses(
    at.servingListener,
    'listener_filters: [{name: o, typed_config: {"@type": type.googleapis.com/no.Such}}]',
    'listener_filters[0].typed_config: listener filter type.googleapis.com/no.Such is not supported; supported are',
  ),
  takes(at.servingListener, 'reuse_port: true'),
  takes(at.servingListener, 'enable_reuse_port: false'),
  takes(at.servingListener, 'deprecated_v1: {bind_to_port: false}'),
  takes(at.servingListener, 'socket_options: [{level: 1, name: 9, int_value: 1, state: STATE_PREBIND}]'),
  takes(at.servingListener, 'drain_type: MODIFY_ONLY'),
  takes(at.servingListener, 'traffic_direction: OUTBOUND'),
  takes(at.servingListener, 'metadata: {filter_metadata: {a: {b: 1}}}'),
  takes(at.tcpProxy, 'weighted_clusters: {clusters: [{name: c, weight: 1}]}'),
  refuses(
    at.tcpProxy,
    'weighted_clusters: {clusters: [{name: c, weight: 0}]}',
    'clusters[0].weight: weight is required',
  ),
  refuses(
    at.tcpProxy,
    'cluster: c, max_connect_attempts: 0',
    'typed_config.max_connect_attempts: must be at least 1, got 0',
  ),
  takes(at.tcpProxy, 'cluster: c, idle_timeout: 0s'),
  refuses(
    at.tcpProxy,
    'cluster: c, access_log_options: {access_log_flush_interval: 0.0005s}',
    'access_log_options.access_log_flush_interval: must be at least 0.001s, got 0.0005s',
  ),
  refuses(
    at.tcpProxy,
    'cluster: c, access_log_flush_interval: 1s, access_log_options: {access_log_flush_interval: 1s}',
    'typed_config.access_log_options: may not be set together with the older fields of the same meaning',
  ),
  oursRefuses(
    at.tcpProxy,
    'cluster: c, tunneling_config: {hostname: a}',
    'typed_config.tunneling_config: tunneling_config is not supported; tunnelling over HTTP CONNECT is not offered',
  ),
  refuses(
    at.tcpProxy,
    'cluster: c, max_downstream_connection_duration: 0s',
    'typed_config.max_downstream_connection_duration: must be at least 0.001s, got 0s',
  ),
];

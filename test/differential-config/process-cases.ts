// Documents, and what concerns the whole process.

import { type ConfigCase, oursRefuses, refuses, takes } from './config-case.ts';
import * as at from './config-place.ts';

export const processCases: readonly ConfigCase[] = [
  refuses(at.document, '', ': is empty; the least that can be started is {}'),
  takes(at.document, '{}'),
  refuses(at.document, '[]', ': expected an object, got a list'),
  refuses(at.document, 'null', ': is empty; the least that can be started is {}'),
  refuses(at.document, 'hello', ': expected an object, got "hello"'),
  refuses(at.bootstrap, 'nod: {}', 'nod: unknown field of envoy.config.bootstrap.v3.Bootstrap; did you mean `node`?'),
  takes(at.document, '{staticResources: {clusters: [{name: c, connectTimeout: 1s}]}}'),
  takes(at.document, '{static_resources: {clusters: [{name: c, connectTimeout: 1s, lb_policy: RANDOM}]}}'),
  refuses(
    at.document,
    '{static_resources: {clusters: [null]}}',
    'static_resources.clusters[0]: expected an object, got null',
  ),
  oursRefuses(
    at.document,
    '{static_resources: {clusters: {name: c}}}',
    'static_resources.clusters: expected a list, got an object',
  ),
  refuses(at.document, '{static_resources: []}', 'static_resources: expected an object, got a list'),
  refuses(at.document, '{static_resources: 1}', 'static_resources: expected an object, got 1'),
  oursRefuses(at.document, '{}\n---\n{}\n', ': expected a single document in the stream, but found more'),
  refuses(at.document, '{static_resources: {clusters: [{}]}}', 'clusters[0].name: name is required'),
  refuses(at.document, '{static_resources: {listeners: [{name: a}]}}', 'listeners[0].address: address is required'),
  takes(
    at.document,
    '{static_resources: {listeners: [{address: {socket_address: {address: 127.0.0.1, port_value: 0}}, filter_chains: [{filters: [{name: tcp, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c}}]}]}], clusters: [{name: c}]}}',
  ),
  takes(at.bootstrap, 'admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}'),
  takes(at.bootstrap, 'admin: {}'),
  takes(
    at.bootstrap,
    'admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}, allow_paths: [{prefix: /stats}]}',
  ),
  takes(
    at.bootstrap,
    'admin: {access_log_path: /dev/null, address: {socket_address: {address: 127.0.0.1, port_value: 0}}}',
  ),
  refuses(
    at.bootstrap,
    'admin: {address: {socket_address: {address: localhost, port_value: 0}}}',
    'socket_address.address: "localhost" is not a literal IP address',
  ),
  takes(
    at.bootstrap,
    'node: {id: a, cluster: b, locality: {region: r, zone: z, sub_zone: s}, metadata: {A: {b: [1, null]}}}',
  ),
  takes(
    at.bootstrap,
    'layered_runtime: {layers: [{name: s, static_layer: {a: {b: 1}, c: x, d: true}}, {name: admin, admin_layer: {}}]}',
  ),
  refuses(
    at.bootstrap,
    'layered_runtime: {layers: [{name: s, static_layer: {}}, {name: s, static_layer: {}}]}',
    'layers[1].name: s exists already',
  ),
  refuses(
    at.bootstrap,
    'layered_runtime: {layers: [{name: s, admin_layer: {}}, {name: t, admin_layer: {}}]}',
    'layers[1].admin_layer: there is an admin layer already',
  ),
  oursRefuses(
    at.bootstrap,
    'layered_runtime: {layers: [{name: a, static_layer: {a: {numerator: 1, denominator: HUNDRED}}}]}',
    'layers[0].static_layer["a"]: a fractional percent for a is not supported; write a percentage as a number',
  ),
  takes(at.bootstrap, 'stats_config: {stats_matcher: {reject_all: true}}'),
  takes(at.bootstrap, 'stats_config: {stats_tags: [{tag_name: a, regex: "b"}]}'),
  takes(at.bootstrap, 'stats_config: {histogram_bucket_settings: [{match: {prefix: a}, buckets: [1, 2]}]}'),
  refuses(
    at.bootstrap,
    'stats_config: {histogram_bucket_settings: [{match: {prefix: a}, buckets: [1, 1]}]}',
    'histogram_bucket_settings[0].buckets: must not hold an element twice',
  ),
  oursRefuses(
    at.bootstrap,
    'stats_config: {histogram_bucket_settings: [{match: {prefix: a}}]}',
    'histogram_bucket_settings[0].buckets: buckets is required',
  ),
  takes(
    at.bootstrap,
    'overload_manager: {resource_monitors: [{name: envoy.resource_monitors.global_downstream_max_connections, typed_config: {"@type": type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig, max_active_downstream_connections: 10}}]}',
  ),
  refuses(
    at.bootstrap,
    'overload_manager: {resource_monitors: [{name: envoy.resource_monitors.global_downstream_max_connections, typed_config: {"@type": type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig, max_active_downstream_connections: 0}}]}',
    'typed_config.max_active_downstream_connections: max_active_downstream_connections is required',
  ),
  refuses(
    at.bootstrap,
    'overload_manager: {resource_monitors: [{name: whatever, typed_config: {"@type": type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig, max_active_downstream_connections: 10}}]}',
    'resource_monitors[0].name: must be envoy.resource_monitors.global_downstream_max_connections',
  ),
  takes(at.bootstrap, 'dynamic_resources: {}'),
  refuses(at.bootstrap, 'dynamic_resources: {cds_config: {}}', 'cds_config: one of path, path_config_source, '),
  refuses(
    at.bootstrap,
    'dynamic_resources: {cds_config: {self: {}}}',
    'cds_config.self: self is not supported; name the',
  ),
  oursRefuses(
    at.bootstrap,
    'node: {id: i, cluster: c}, dynamic_resources: {cds_config: {ads: {}}}',
    'dynamic_resources.cds_config: there is no ads_config in the bootstrap that ads could mean',
  ),
  refuses(
    at.bootstrap,
    'node: {id: i, cluster: c}, dynamic_resources: {cds_config: {api_config_source: {api_type: GRPC, transport_api_version: V2, grpc_services: [{envoy_grpc: {cluster_name: nowhere}}]}}}',
    'cds_config.api_config_source.transport_api_version: V2 is not supported; write V3',
  ),
  refuses(
    at.bootstrap,
    'node: {id: i, cluster: c}, dynamic_resources: {cds_config: {api_config_source: {api_type: AGGREGATED_GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: nowhere}}]}}}',
    'cds_config.api_config_source.api_type: AGGREGATED_GRPC is not supported; write ads_config',
  ),
  oursRefuses(
    at.bootstrap,
    'node: {id: i, cluster: c}, dynamic_resources: {cds_config: {api_config_source: {api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: nowhere}}]}}}',
    'dynamic_resources.cds_config: there is no static cluster "nowhere" for gRPC',
  ),
  refuses(
    at.bootstrap,
    'stats_sinks: [{name: envoy.stat_sinks.statsd}]',
    'stats_sinks[0].typed_config: typed_config is required: it says which stats sink this is',
  ),
  oursRefuses(at.bootstrap, 'flags_path: /tmp', 'flags_path: flags_path is not supported; use the runtime layers'),
  oursRefuses(
    at.bootstrap,
    'header_prefix: x-foo',
    'header_prefix: header_prefix: "x-foo" is not supported; headers are always named x-envoy-…',
  ),
  refuses(
    at.bootstrap,
    'cluster_manager: {local_cluster_name: nowhere}',
    'cluster_manager.local_cluster_name: local_cluster_name is not supported; zone aware routing is not offered',
  ),
  refuses(
    at.document,
    '{static_resources: {secrets: [{name: a}]}}',
    'static_resources.secrets[0]: one of tls_certificate, session_ticket_keys,',
  ),
  refuses(
    at.document,
    'static_resources:\n  clusters:\n  - &a {name: c, connect_timeout: 1s}\n  - <<: *a\n    name: d\n',
    'clusters[1].<<: unknown field of envoy.config.cluster.v3.Cluster',
  ),
  takes(at.document, 'static_resources: !!map {clusters: [{name: !!str c}]}'),
  oursRefuses(
    at.document,
    'node: {id: !!binary aGk=}',
    ': line 1, column 12: unknown scalar tag !<tag:yaml.org,2002:binary>',
  ),
  takes(at.document, 'node: {id: 2001-01-01}'),
  refuses(
    at.document,
    'static_resources:\n\tclusters: []\n',
    ': line 2, column 1: tab characters must not be used in indentation',
  ),
  takes(at.document, '﻿{static_resources: {}}'),
  refuses(
    at.bootstrap,
    'stats_config: {stats_matcher: {reject_all: true, inclusion_list: {patterns: [{prefix: a}]}}}',
    'stats_matcher.inclusion_list: only one of reject_all and inclusion_list may be set',
  ),
  takes(at.bootstrap, 'stats_config: {stats_matcher: {inclusion_list: {patterns: [{prefix: a}]}}}'),
  refuses(
    at.bootstrap,
    'stats_config: {stats_matcher: {}}',
    'stats_config.stats_matcher: one of reject_all, exclusion_list, inclusion_list is required',
  ),
  refuses(
    at.bootstrap,
    'stats_config: {stats_matcher: {exclusion_list: {}}}',
    'stats_config.stats_matcher.exclusion_list.patterns: ',
  ),
];

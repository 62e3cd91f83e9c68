// Fields of the bootstrap and of what concerns the whole process: node, admin, runtime, stats, overload.

import type { SupportTable } from './support-table.ts';

const withXds = 'it arrives with the xDS client';
const onlySentToControlPlane = 'only sent to a control plane';

export const bootstrapSupport: SupportTable = {
  'envoy.config.bootstrap.v3.Bootstrap': {
    supported: [
      'node',
      'static_resources',
      'cluster_manager',
      'stats_config',
      'layered_runtime',
      'admin',
      'overload_manager',
    ],
    ignored: {
      stats_flush_interval: 'stats are summed when they are read; there is no sink to flush to',
      stats_flush_on_admin: 'stats are summed when they are read',
      deferred_stat_options: 'counters are created on first use in any case',
      inline_headers: "a speed hint for Envoy's header map",
      application_log_config: 'log lines are JSON, as with --log-format',
      memory_allocator_manager: 'tunes an allocator that is not used here',
    },
    unsupported: {
      node_context_params: withXds,
      dynamic_resources: withXds,
      hds_config: 'health discovery is not offered',
      flags_path: 'use the runtime layers',
      stats_sinks: 'scrape /stats/prometheus',
      watchdog: 'a stuck or crashed worker ends the process in any case',
      watchdogs: 'a stuck or crashed worker ends the process in any case',
      tracing: 'it arrives with tracing',
      enable_dispatcher_stats: 'event loop histograms are not recorded',
      header_prefix: { unless: ['x-envoy'], why: 'headers are always named x-envoy-…' },
      stats_server_version_override: 'server.version always shows the running version',
      use_tcp_for_dns_lookups: 'DNS uses UDP and falls back to TCP for truncated answers',
      dns_resolution_config: 'set it on the cluster',
      typed_dns_resolver_config: 'set it on the cluster',
      bootstrap_extensions: 'extensions cannot be loaded',
      fatal_actions: 'extensions cannot be loaded',
      config_sources: withXds,
      default_config_source: withXds,
      default_socket_interface: 'there is one socket interface',
      certificate_provider_instances: 'it arrives with TLS',
      perf_tracing_file_path: 'use a CPU profile',
      default_regex_engine: 'regular expressions always have RE2 syntax and linear time',
      xds_delegate_extension: withXds,
      xds_config_tracker_extension: withXds,
      listener_manager: 'there is one listener manager',
      grpc_async_client_manager_config: withXds,
    },
  },
  'envoy.config.bootstrap.v3.Bootstrap.StaticResources': {
    supported: ['listeners', 'clusters'],
    unsupported: { secrets: 'it arrives with TLS' },
  },
  'envoy.config.bootstrap.v3.ClusterManager': {
    supported: ['upstream_bind_config'],
    ignored: { enable_deferred_cluster_creation: 'runtime objects of a cluster are made on first use in any case' },
    unsupported: {
      local_cluster_name: 'zone aware routing is not offered',
      outlier_detection: 'outlier detection is not offered yet',
      load_stats_config: withXds,
    },
  },
  'envoy.config.bootstrap.v3.Admin': {
    supported: ['access_log', 'address'],
    ignored: {
      profile_path: "path of Envoy's own CPU profiler",
      ignore_global_conn_limit: 'admin connections never count against the limit',
    },
    unsupported: {
      access_log_path: { unless: ['/dev/null'], why: 'admin requests are not logged' },
      socket_options: 'the admin listener has no socket options',
    },
  },
  'envoy.config.bootstrap.v3.LayeredRuntime': { supported: ['layers'] },
  'envoy.config.bootstrap.v3.RuntimeLayer': {
    supported: ['name', 'static_layer', 'admin_layer'],
    unsupported: { disk_layer: 'write the values in a static_layer', rtds_layer: withXds },
  },
  'envoy.config.bootstrap.v3.RuntimeLayer.AdminLayer': { supported: [] },
  'envoy.config.core.v3.Node': {
    supported: ['id', 'cluster', 'metadata', 'locality'],
    ignored: {
      dynamic_parameters: onlySentToControlPlane,
      user_agent_name: onlySentToControlPlane,
      user_agent_version: onlySentToControlPlane,
      user_agent_build_version: onlySentToControlPlane,
      extensions: onlySentToControlPlane,
      client_features: onlySentToControlPlane,
      listening_addresses: onlySentToControlPlane,
    },
  },
  'envoy.config.core.v3.Locality': { supported: ['region', 'zone', 'sub_zone'] },
  'envoy.config.metrics.v3.StatsConfig': {
    supported: ['stats_matcher', 'histogram_bucket_settings'],
    unsupported: {
      stats_tags: "Envoy's default tags are extracted",
      use_all_default_tags: { unless: [true], why: "Envoy's default tags are always extracted" },
    },
  },
  'envoy.config.metrics.v3.StatsMatcher': {
    supported: ['reject_all'],
    unsupported: {
      exclusion_list: 'filter when scraping: /stats?filter=',
      inclusion_list: 'filter when scraping: /stats?filter=',
    },
  },
  'envoy.config.metrics.v3.HistogramBucketSettings': { supported: ['match', 'buckets'] },
  'envoy.config.overload.v3.OverloadManager': {
    supported: ['resource_monitors'],
    ignored: { refresh_interval: 'the one supported monitor counts, it is not polled' },
    unsupported: {
      actions: 'only the limit of downstream connections is offered',
      loadshed_points: 'only the limit of downstream connections is offered',
      buffer_factory_config: 'memory is bounded per connection',
    },
  },
  'envoy.config.overload.v3.ResourceMonitor': { supported: ['name', 'typed_config'] },
  'envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig': {
    supported: ['max_active_downstream_connections'],
  },
};

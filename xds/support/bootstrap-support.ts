// Fields of the bootstrap and of what concerns the whole process: node, admin, runtime, stats, overload.

import type { SupportTable } from './support-table.ts';

const noXdstp = 'xdstp:// names are not offered';
const noDelegates = 'extensions cannot be loaded';

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
      'dynamic_resources',
      'bootstrap_extensions',
      'stats_sinks',
      'stats_flush_interval',
      'stats_flush_on_admin',
      'tracing',
    ],
    ignored: {
      stats_eviction_interval: 'counters of what left the configuration go with its last connection',
      deferred_stat_options: 'counters are created on first use in any case',
      inline_headers: "a speed hint for Envoy's header map",
      application_log_config: 'log lines are JSON, as with --log-format',
      memory_allocator_manager: 'tunes an allocator that is not used here',
    },
    unsupported: {
      enable_worker_cpu_affinity: { unless: [false], why: 'pin the process from outside, as with taskset' },
      node_context_params: noXdstp,
      hds_config: 'health discovery is not offered',
      flags_path: 'use the runtime layers',
      watchdog: 'a stuck or crashed worker ends the process in any case',
      watchdogs: 'a stuck or crashed worker ends the process in any case',
      enable_dispatcher_stats: 'event loop histograms are not recorded',
      header_prefix: { unless: ['x-envoy'], why: 'headers are always named x-envoy-…' },
      stats_server_version_override: 'server.version always shows the running version',
      use_tcp_for_dns_lookups: 'DNS uses UDP and falls back to TCP for truncated answers',
      dns_resolution_config: 'set it on the cluster',
      typed_dns_resolver_config: 'set it on the cluster',
      fatal_actions: 'extensions cannot be loaded',
      config_sources: noXdstp,
      default_config_source: noXdstp,
      default_socket_interface: 'there is one socket interface',
      certificate_provider_instances: 'write the certificates in place, name their files or use SDS',
      perf_tracing_file_path: 'use a CPU profile',
      default_regex_engine: 'regular expressions always have RE2 syntax and linear time',
      xds_delegate_extension: noDelegates,
      xds_config_tracker_extension: noDelegates,
      listener_manager: 'there is one listener manager',
      grpc_async_client_manager_config: 'a connection to a control plane is kept as long as its streams',
    },
  },
  'envoy.config.bootstrap.v3.Bootstrap.DynamicResources': {
    supported: ['lds_config', 'cds_config', 'ads_config'],
    unsupported: { lds_resources_locator: noXdstp, cds_resources_locator: noXdstp },
  },
  'envoy.extensions.bootstrap.internal_listener.v3.InternalListener': {
    supported: [],
    ignored: { buffer_size_kb: 'internal listeners are refused where one is written' },
  },
  'envoy.config.bootstrap.v3.Bootstrap.StaticResources': {
    supported: ['listeners', 'clusters', 'secrets'],
  },
  'envoy.config.bootstrap.v3.ClusterManager': {
    supported: ['upstream_bind_config'],
    ignored: {
      enable_deferred_cluster_creation: 'runtime objects of a cluster are made on first use in any case',
      outlier_detection: 'its log has nothing to say: outlier_detection of clusters is refused',
    },
    unsupported: {
      local_cluster_name: 'zone aware routing is not offered',
      load_stats_config: 'load is not reported',
    },
  },
  'envoy.config.bootstrap.v3.Admin': {
    supported: ['access_log', 'access_log_path', 'address', 'allow_paths'],
    ignored: {
      profile_path: "path of Envoy's own CPU profiler",
      ignore_global_conn_limit: 'admin connections never count against the limit',
    },
    unsupported: {
      socket_options: 'the admin listener has no socket options',
    },
  },
  'envoy.config.bootstrap.v3.LayeredRuntime': { supported: ['layers'] },
  'envoy.config.bootstrap.v3.RuntimeLayer': {
    supported: ['name', 'static_layer', 'admin_layer', 'rtds_layer'],
    unsupported: { disk_layer: 'write the values in a static_layer' },
  },
  'envoy.config.bootstrap.v3.RuntimeLayer.RtdsLayer': { supported: ['name', 'rtds_config'] },
  'envoy.config.bootstrap.v3.RuntimeLayer.AdminLayer': { supported: [] },
  'envoy.config.core.v3.Node': {
    supported: [
      'id',
      'cluster',
      'metadata',
      'locality',
      'dynamic_parameters',
      'extensions',
      'client_features',
      'listening_addresses',
    ],
    ignored: {
      user_agent_name: 'a control plane is told who we are, as Envoy does',
      user_agent_version: 'a control plane is told who we are, as Envoy does',
      user_agent_build_version: 'a control plane is told who we are, as Envoy does',
    },
  },
  'xds.core.v3.ContextParams': { supported: ['params'] },
  'envoy.config.core.v3.BuildVersion': { supported: ['version', 'metadata'] },
  'envoy.type.v3.SemanticVersion': { supported: ['major_number', 'minor_number', 'patch'] },
  'envoy.config.core.v3.Extension': {
    supported: ['name', 'category', 'type_descriptor', 'version', 'disabled', 'type_urls'],
  },
  'envoy.config.core.v3.Locality': { supported: ['region', 'zone', 'sub_zone'] },
  'envoy.config.metrics.v3.StatsConfig': {
    supported: ['stats_tags', 'use_all_default_tags', 'stats_matcher', 'histogram_bucket_settings'],
  },
  'envoy.config.metrics.v3.TagSpecifier': { supported: ['tag_name', 'regex', 'fixed_value'] },
  'envoy.config.metrics.v3.StatsMatcher': {
    supported: ['reject_all', 'exclusion_list', 'inclusion_list'],
  },
  'envoy.config.metrics.v3.StatsSink': { supported: ['name', 'typed_config'] },
  'envoy.extensions.stat_sinks.open_telemetry.v3.SinkConfig': {
    supported: [
      'grpc_service',
      'http_service',
      'resource_detectors',
      'report_counters_as_deltas',
      'report_histograms_as_deltas',
      'emit_tags_as_attributes',
      'use_tag_extracted_name',
      'prefix',
      'max_data_points_per_request',
    ],
    unsupported: { custom_metric_conversions: 'convert metrics in the collector' },
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

// Fields of clusters and endpoints.

import type { MessageSupport, SupportTable } from './support-table.ts';

const C = 'envoy.config.cluster.v3';
const E = 'envoy.config.endpoint.v3';
const DNS = 'envoy.extensions.network.dns_resolver';
const LB = 'envoy.extensions.load_balancing_policies';
const noLocalCluster = 'acts only with cluster_manager.local_cluster_name, which is refused';
const noLoadReports = 'load is not reported';
const hashBalancers = 'hash load balancing is not offered yet';
const noHealthChecks = 'acts only with health checks, which are refused';
const ownResolver = "tunes Envoy's resolver; Node's has times of its own";
const slowStart: MessageSupport = { supported: ['slow_start_window', 'aggression', 'min_weight_percent'] };

export const clusterSupport: SupportTable = {
  [`${C}.Cluster`]: {
    supported: [
      'name',
      'alt_stat_name',
      'type',
      'connect_timeout',
      'per_connection_buffer_limit_bytes',
      'lb_policy',
      'load_balancing_policy',
      'eds_cluster_config',
      'load_assignment',
      'max_requests_per_connection',
      'circuit_breakers',
      'common_http_protocol_options',
      'http_protocol_options',
      'http2_protocol_options',
      'typed_extension_protocol_options',
      'upstream_http_protocol_options',
      'dns_refresh_rate',
      'dns_failure_refresh_rate',
      'respect_dns_ttl',
      'dns_lookup_family',
      'dns_jitter',
      'dns_resolvers',
      'dns_resolution_config',
      'typed_dns_resolver_config',
      'cleanup_interval',
      'upstream_bind_config',
      'original_dst_lb_config',
      'least_request_lb_config',
      'round_robin_lb_config',
      'common_lb_config',
      'transport_socket',
      'transport_socket_matches',
      'filters',
      'metadata',
      'upstream_connection_options',
    ],
    ignored: {
      stats_matcher: 'all statistics are kept',
      protocol_selection: 'connections on both sides speak HTTP/1.1',
      close_connections_on_host_health_failure: noHealthChecks,
      ignore_health_on_host_removal: noHealthChecks,
    },
    unsupported: {
      cluster_type: 'use type',
      transport_socket_matcher: 'write transport_socket_matches',
      per_connection_buffer_high_watermark_timeout: 'a peer that does not read is ended by idle timeouts',
      queuing_policies: 'requests wait in the order in which they came',
      health_checks: 'active health checks are not offered yet',
      use_tcp_for_dns_lookups: 'DNS uses UDP and falls back to TCP for truncated answers',
      wait_for_warm_on_init: { unless: [true], why: 'a cluster is used when its first resolution is done' },
      outlier_detection: 'outlier detection is not offered yet',
      lb_subset_config: 'subset load balancing is not offered yet',
      ring_hash_lb_config: hashBalancers,
      maglev_lb_config: hashBalancers,
      lrs_server: noLoadReports,
      lrs_report_endpoint_metrics: noLoadReports,
      track_timeout_budgets: 'timeout budget histograms are not recorded',
      upstream_config: 'extension upstreams are not offered',
      track_cluster_stats: 'extra cluster histograms are not recorded',
      preconnect_policy: 'connections are opened on demand',
      connection_pool_per_downstream_connection: 'pools are shared by the connections of a worker',
    },
  },
  [`${C}.Cluster.EdsClusterConfig`]: { supported: ['eds_config', 'service_name'] },
  [`${C}.Filter`]: {
    supported: ['name', 'typed_config'],
    unsupported: { config_discovery: 'write typed_config' },
  },
  [`${C}.Cluster.TransportSocketMatch`]: { supported: ['name', 'match', 'transport_socket'] },
  [`${C}.Cluster.RefreshRate`]: { supported: ['base_interval', 'max_interval'] },
  [`${C}.Cluster.RoundRobinLbConfig`]: { supported: ['slow_start_config'] },
  [`${C}.Cluster.LeastRequestLbConfig`]: {
    supported: ['choice_count', 'active_request_bias', 'slow_start_config'],
  },
  [`${C}.Cluster.SlowStartConfig`]: slowStart,
  [`${LB}.common.v3.SlowStartConfig`]: slowStart,
  [`${C}.LoadBalancingPolicy`]: { supported: ['policies'] },
  [`${C}.LoadBalancingPolicy.Policy`]: { supported: ['typed_extension_config'] },
  [`${LB}.round_robin.v3.RoundRobin`]: {
    supported: ['locality_lb_config', 'slow_start_config'],
  },
  [`${LB}.least_request.v3.LeastRequest`]: {
    supported: ['choice_count', 'active_request_bias', 'locality_lb_config', 'slow_start_config'],
    ignored: { enable_full_scan: 'Envoy does not read it either' },
    unsupported: {
      selection_method: { unless: ['N_CHOICES'], why: 'endpoints are drawn, as many as choice_count says' },
    },
  },
  [`${LB}.random.v3.Random`]: { supported: ['locality_lb_config'] },
  [`${LB}.cluster_provided.v3.ClusterProvided`]: { supported: [] },
  [`${LB}.common.v3.LocalityLbConfig`]: {
    supported: ['locality_weighted_lb_config'],
    ignored: { zone_aware_lb_config: noLocalCluster },
  },
  [`${LB}.common.v3.LocalityLbConfig.LocalityWeightedLbConfig`]: { supported: [] },
  [`${C}.Cluster.OriginalDstLbConfig`]: {
    supported: ['use_http_header', 'http_header_name', 'upstream_port_override'],
    unsupported: { metadata_key: 'use use_http_header' },
  },
  [`${C}.Cluster.CommonLbConfig`]: {
    supported: ['healthy_panic_threshold', 'locality_weighted_lb_config'],
    ignored: {
      zone_aware_lb_config: noLocalCluster,
      update_merge_window: 'changes that arrive together are applied as one in any case',
      ignore_new_hosts_until_first_hc: noHealthChecks,
      consistent_hashing_lb_config: 'acts only with the hash balancers, which are refused',
      override_host_status: 'acts only with session affinity filters, which are refused',
    },
    unsupported: { close_connections_on_host_set_change: 'connections to endpoints that stay are kept' },
  },
  [`${C}.Cluster.CommonLbConfig.LocalityWeightedLbConfig`]: { supported: [] },
  [`${C}.CircuitBreakers`]: {
    supported: ['thresholds'],
    unsupported: { per_host_thresholds: 'limits are those of the cluster' },
  },
  [`${C}.CircuitBreakers.Thresholds`]: {
    supported: [
      'priority',
      'max_connections',
      'max_pending_requests',
      'max_requests',
      'max_retries',
      'retry_budget',
      'track_remaining',
    ],
    unsupported: { max_connection_pools: 'the number of pools is bounded by the endpoints' },
  },
  [`${C}.CircuitBreakers.Thresholds.RetryBudget`]: { supported: ['budget_percent', 'min_retry_concurrency'] },
  [`${C}.UpstreamConnectionOptions`]: {
    supported: ['tcp_keepalive'],
    unsupported: {
      set_local_interface_name_on_upstream_connections: 'interface names are not recorded',
      happy_eyeballs_config: 'one address of an endpoint is tried per attempt',
    },
  },
  [`${E}.ClusterLoadAssignment`]: {
    supported: ['cluster_name', 'endpoints', 'policy'],
    unsupported: { named_endpoints: 'write the endpoints in place' },
  },
  [`${E}.ClusterLoadAssignment.Policy`]: {
    supported: ['overprovisioning_factor'],
    unsupported: {
      drop_overloads: 'dropping a share of requests is not offered',
      endpoint_stale_after: 'members stay until the control plane changes them',
      weighted_priority_health: 'endpoints count as one each in priority health',
    },
  },
  [`${E}.LocalityLbEndpoints`]: {
    supported: ['locality', 'lb_endpoints', 'load_balancing_weight', 'priority'],
    ignored: {
      metadata: 'shown in /config_dump; nothing that is supported reads it',
      proximity: 'Envoy does not implement it either',
    },
    unsupported: {
      load_balancer_endpoints: 'use lb_endpoints',
      leds_cluster_locality_config: 'write the endpoints in place',
    },
  },
  [`${E}.LbEndpoint`]: {
    supported: ['endpoint', 'health_status', 'metadata', 'load_balancing_weight'],
    unsupported: { endpoint_name: 'write the endpoint in place' },
  },
  [`${E}.Endpoint`]: {
    supported: ['address', 'hostname'],
    ignored: { health_check_config: noHealthChecks, observability_name: 'statistics are by address' },
    unsupported: { additional_addresses: 'write one endpoint for each address' },
  },
  'envoy.config.core.v3.DnsResolutionConfig': { supported: ['resolvers', 'dns_resolver_options'] },
  'envoy.config.core.v3.DnsResolverOptions': {
    supported: [],
    unsupported: {
      use_tcp_for_dns_lookups: 'DNS uses UDP and falls back to TCP for truncated answers',
      no_default_search_domain: 'the search domains of the system apply',
    },
  },
  [`${DNS}.cares.v3.CaresDnsResolverConfig`]: {
    supported: ['resolvers', 'dns_resolver_options'],
    ignored: {
      udp_max_queries: 'each query has its own socket',
      query_timeout_seconds: ownResolver,
      query_tries: ownResolver,
      rotate_nameservers: ownResolver,
      edns0_max_payload_size: ownResolver,
      max_udp_channel_duration: ownResolver,
      reinit_channel_on_timeout: ownResolver,
      qcache_max_ttl: ownResolver,
    },
    unsupported: {
      use_resolvers_as_fallback: 'the resolvers that are listed are used first and only',
      filter_unroutable_families: 'choose the family with dns_lookup_family',
    },
  },
  [`${DNS}.getaddrinfo.v3.GetAddrInfoDnsResolverConfig`]: {
    supported: [],
    ignored: { num_retries: ownResolver, num_resolver_threads: ownResolver },
  },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    supported: [
      'upstream_http_protocol_options',
      'common_http_protocol_options',
      'explicit_http_config',
      'use_downstream_protocol_config',
    ],
    unsupported: {
      auto_config: 'HTTP/2 to endpoints is not offered yet; use explicit_http_config.http_protocol_options',
      http_filters: 'upstream HTTP filters are not offered',
      outlier_detection: 'outlier detection is not offered yet',
      request_mirror_policies: 'request mirroring is not offered',
      hash_policy: hashBalancers,
      retry_policy: 'write it on the route',
      header_validation_config: 'headers are always validated strictly',
    },
  },
  'envoy.config.core.v3.UpstreamHttpProtocolOptions': {
    supported: ['auto_sni', 'auto_san_validation'],
    unsupported: {
      override_auto_sni_header: { unless: [''], why: 'the name is taken from the host of the request' },
    },
  },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig': {
    supported: ['http_protocol_options', 'http2_protocol_options'],
    unsupported: { http3_protocol_options: 'HTTP/3 is not offered' },
  },
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig': {
    supported: ['http_protocol_options'],
    ignored: {
      http2_protocol_options: 'no downstream connection speaks HTTP/2 yet',
      http3_protocol_options: 'no downstream connection speaks HTTP/3',
    },
  },
};

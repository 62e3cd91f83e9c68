// Fields of route configurations.

import type { SupportTable } from './support-table.ts';

const R = 'envoy.config.route.v3';
const redirects = 'envoy.extensions.internal_redirect';
const mirroring = 'request mirroring is not offered: leave it out (in Istio, mirror and mirrors of the VirtualService)';
const rateLimits = 'rate limiting is not offered';
const filterCors = 'write typed_per_filter_config with envoy.extensions.filters.http.cors.v3.CorsPolicy';
const hedging = 'request hedging is not offered';
const typedRetry = 'write retry_policy';
const clusterPlugins = 'cluster specifier plugins are not offered';
const internalRedirects = 'write internal_redirect_policy';
const metadataUnread = 'shown in /config_dump; nothing that is supported reads it';
const subsets = 'read only by the subset balancer, which is refused';
const routeSpecifiers = 'extensions that choose routes are not offered';
const bodyLimit = 'use per_connection_buffer_limit_bytes of the listener';
const headerMutations = [
  'request_headers_to_add',
  'request_headers_to_remove',
  'response_headers_to_add',
  'response_headers_to_remove',
];

export const routeSupport: SupportTable = {
  [`${R}.RouteConfiguration`]: {
    supported: [
      'name',
      'virtual_hosts',
      'internal_only_headers',
      ...headerMutations,
      'most_specific_header_mutations_wins',
      'validate_clusters',
      'max_direct_response_body_size_bytes',
      'ignore_port_in_host_matching',
      'typed_per_filter_config',
      'vhds',
    ],
    ignored: { metadata: metadataUnread },
    unsupported: {
      vhost_header: 'virtual hosts are found by the host header',
      route_specifiers: routeSpecifiers,
      cluster_specifier_plugins: clusterPlugins,
      request_mirror_policies: mirroring,
      ignore_path_parameters_in_path_matching: 'path parameters are part of the path',
    },
  },
  [`${R}.Vhds`]: { supported: ['config_source'] },
  [`${R}.VirtualHost`]: {
    supported: [
      'name',
      'domains',
      'routes',
      'require_tls',
      ...headerMutations,
      'typed_per_filter_config',
      'include_request_attempt_count',
      'include_attempt_count_in_response',
      'retry_policy',
      'metadata',
    ],
    unsupported: {
      matcher: 'use routes',
      virtual_clusters: 'statistics are kept by cluster, connection manager and route (stat_prefix)',
      rate_limits: rateLimits,
      cors: filterCors,
      retry_policy_typed_config: typedRetry,
      hedge_policy: hedging,
      include_is_timeout_retry_header: 'x-envoy-is-timeout-retry is not sent',
      per_request_buffer_limit_bytes: bodyLimit,
      request_body_buffer_limit: bodyLimit,
      route_specifiers: routeSpecifiers,
      request_mirror_policies: mirroring,
    },
  },
  [`${R}.Route`]: {
    supported: [
      'name',
      'match',
      'route',
      'redirect',
      'direct_response',
      'metadata',
      'typed_per_filter_config',
      'stat_prefix',
      'decorator',
      'tracing',
      ...headerMutations,
    ],
    unsupported: {
      filter_action: 'extension actions are not offered',
      non_forwarding_action: 'a proxy forwards, redirects or replies',
      per_request_buffer_limit_bytes: bodyLimit,
      request_body_buffer_limit: bodyLimit,
      route_specifiers: routeSpecifiers,
    },
  },
  [`${R}.Decorator`]: { supported: ['operation', 'propagate'] },
  [`${R}.Tracing`]: {
    supported: [
      'client_sampling',
      'random_sampling',
      'overall_sampling',
      'custom_tags',
      'operation',
      'upstream_operation',
    ],
  },
  [`${R}.FilterConfig`]: {
    supported: ['config', 'disabled'],
    ignored: { is_optional: 'a configuration that is not known is refused in any case' },
  },
  [`${R}.RouteMatch`]: {
    supported: [
      'prefix',
      'path',
      'safe_regex',
      'connect_matcher',
      'path_separated_prefix',
      'path_match_policy',
      'case_sensitive',
      'runtime_fraction',
      'headers',
      'query_parameters',
      'cookies',
      'grpc',
    ],
    unsupported: {
      tls_context: 'who may connect is said by the validation context of the listener',
      dynamic_metadata: 'dynamic metadata does not exist yet',
      filter_state: 'filter state does not exist yet',
    },
  },
  'envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig': { supported: ['path_template'] },
  'envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig': { supported: ['path_template_rewrite'] },
  [`${R}.CookieMatcher`]: { supported: ['name', 'string_match', 'invert_match'] },
  [`${R}.RouteMatch.GrpcRouteMatchOptions`]: { supported: [] },
  [`${R}.RouteMatch.ConnectMatcher`]: { supported: [] },
  [`${R}.RouteAction`]: {
    supported: [
      'cluster',
      'cluster_header',
      'weighted_clusters',
      'cluster_not_found_response_code',
      'prefix_rewrite',
      'path_rewrite_policy',
      'regex_rewrite',
      'path_rewrite',
      'host_rewrite_literal',
      'auto_host_rewrite',
      'host_rewrite_header',
      'host_rewrite_path_regex',
      'host_rewrite',
      'append_x_forwarded_host',
      'timeout',
      'idle_timeout',
      'retry_policy',
      'priority',
      'upgrade_configs',
      'max_stream_duration',
      'internal_redirect_policy',
      'max_grpc_timeout',
      'grpc_timeout_offset',
    ],
    ignored: { hash_policy: 'read only by the hash balancers, which are refused', metadata_match: subsets },
    unsupported: {
      cluster_specifier_plugin: clusterPlugins,
      inline_cluster_specifier_plugin: clusterPlugins,
      flush_timeout: 'use idle_timeout',
      early_data_policy: 'TLS early data is not offered',
      retry_policy_typed_config: typedRetry,
      request_mirror_policies: mirroring,
      rate_limits: rateLimits,
      include_vh_rate_limits: { unless: [false], why: rateLimits },
      cors: filterCors,
      internal_redirect_action: internalRedirects,
      max_internal_redirects: internalRedirects,
      hedge_policy: hedging,
    },
  },
  [`${R}.RouteAction.UpgradeConfig`]: {
    supported: ['upgrade_type', 'enabled', 'connect_config'],
  },
  [`${R}.RouteAction.UpgradeConfig.ConnectConfig`]: {
    supported: ['allow_post'],
    unsupported: { proxy_protocol_config: 'endpoints of a tunnel are not told who the client is' },
  },
  [`${R}.RouteAction.MaxStreamDuration`]: {
    supported: ['max_stream_duration', 'grpc_timeout_header_max', 'grpc_timeout_header_offset'],
  },
  [`${R}.RedirectAction`]: {
    supported: [
      'https_redirect',
      'scheme_redirect',
      'host_redirect',
      'port_redirect',
      'path_redirect',
      'prefix_rewrite',
      'regex_rewrite',
      'path_rewrite',
      'response_code',
      'strip_query',
    ],
  },
  [`${R}.DirectResponseAction`]: {
    supported: ['status', 'body', 'body_format'],
  },
  [`${R}.RetryPolicy`]: {
    supported: [
      'retry_on',
      'num_retries',
      'per_try_timeout',
      'per_try_idle_timeout',
      'retry_host_predicate',
      'host_selection_retry_max_attempts',
      'retriable_status_codes',
      'retry_back_off',
      'rate_limited_retry_back_off',
      'retriable_headers',
      'retriable_request_headers',
    ],
    unsupported: {
      retry_priority: 'retries use the priorities of the cluster',
      retry_options_predicates: 'extension predicates are not offered',
      refresh_cluster_on_retry: 'a retry goes to the same cluster',
    },
  },
  [`${R}.RetryPolicy.RetryBackOff`]: { supported: ['base_interval', 'max_interval'] },
  [`${R}.RetryPolicy.RateLimitedRetryBackOff`]: { supported: ['reset_headers', 'max_interval'] },
  [`${R}.RetryPolicy.ResetHeader`]: { supported: ['name', 'format'] },
  [`${R}.RetryPolicy.RetryHostPredicate`]: { supported: ['name', 'typed_config'] },
  'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate': { supported: [] },
  [`${R}.InternalRedirectPolicy`]: {
    supported: [
      'max_internal_redirects',
      'redirect_response_codes',
      'predicates',
      'allow_cross_scheme_redirect',
      'response_headers_to_copy',
    ],
  },
  [`${redirects}.allow_listed_routes.v3.AllowListedRoutesConfig`]: { supported: ['allowed_route_names'] },
  [`${redirects}.previous_routes.v3.PreviousRoutesConfig`]: { supported: [] },
  [`${redirects}.safe_cross_scheme.v3.SafeCrossSchemeConfig`]: { supported: [] },
  [`${R}.WeightedCluster`]: {
    supported: ['clusters', 'runtime_key_prefix', 'header_name'],
    ignored: { total_weight: 'the sum of the weights is what counts, as in Envoy' },
    unsupported: { use_hash_policy: 'the choice is random, or by header_name' },
  },
  [`${R}.WeightedCluster.ClusterWeight`]: {
    supported: [
      'name',
      'cluster_header',
      'weight',
      ...headerMutations,
      'typed_per_filter_config',
      'host_rewrite_literal',
    ],
    ignored: { metadata_match: subsets },
  },
  [`${R}.HeaderMatcher`]: {
    supported: [
      'name',
      'exact_match',
      'safe_regex_match',
      'range_match',
      'present_match',
      'prefix_match',
      'suffix_match',
      'contains_match',
      'string_match',
      'invert_match',
      'treat_missing_header_as_empty',
    ],
  },
  [`${R}.QueryParameterMatcher`]: { supported: ['name', 'string_match', 'present_match'] },
};

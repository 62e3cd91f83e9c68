// What is counted of a cluster. https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats

import {
  counter,
  defineStats,
  gauge,
  histogram,
  optionalGauge,
  ownGauge,
  type StatBlock,
  statusCodes,
} from './stats.ts';

// Responses are counted once for the cluster and once more by the kind of caller.
const responseStats = {
  upstreamRqCompleted: counter('upstream_rq_completed'),
  upstreamRq1xx: counter('upstream_rq_1xx'),
  upstreamRq2xx: counter('upstream_rq_2xx'),
  upstreamRq3xx: counter('upstream_rq_3xx'),
  upstreamRq4xx: counter('upstream_rq_4xx'),
  upstreamRq5xx: counter('upstream_rq_5xx'),
  upstreamRqCode: statusCodes('upstream_rq'),
  upstreamRqTime: histogram('upstream_rq_time', 'ms'),
};

/** Written by the workers. Gauges that every worker sets to the same fact are combined by their greatest value. */
export const clusterStats = defineStats('cluster.{envoy_cluster_name}', {
  upstreamCxTotal: counter('upstream_cx_total'),
  upstreamCxActive: gauge('upstream_cx_active'),
  upstreamCxHttp1Total: counter('upstream_cx_http1_total'),
  upstreamCxHttp2Total: counter('upstream_cx_http2_total'),
  upstreamCxConnectFail: counter('upstream_cx_connect_fail'),
  upstreamCxConnectTimeout: counter('upstream_cx_connect_timeout'),
  upstreamCxConnectAttemptsExceeded: counter('upstream_cx_connect_attempts_exceeded'),
  upstreamCxConnectMs: histogram('upstream_cx_connect_ms', 'ms'),
  upstreamCxLengthMs: histogram('upstream_cx_length_ms', 'ms'),
  upstreamRqPerCx: histogram('upstream_rq_per_cx', 'count'),
  upstreamCxDestroy: counter('upstream_cx_destroy'),
  upstreamCxDestroyLocal: counter('upstream_cx_destroy_local'),
  upstreamCxDestroyRemote: counter('upstream_cx_destroy_remote'),
  upstreamCxDestroyWithActiveRq: counter('upstream_cx_destroy_with_active_rq'),
  upstreamCxDestroyLocalWithActiveRq: counter('upstream_cx_destroy_local_with_active_rq'),
  upstreamCxDestroyRemoteWithActiveRq: counter('upstream_cx_destroy_remote_with_active_rq'),
  upstreamCxCloseNotify: counter('upstream_cx_close_notify'),
  upstreamCxRxBytesTotal: counter('upstream_cx_rx_bytes_total'),
  upstreamCxRxBytesBuffered: gauge('upstream_cx_rx_bytes_buffered'),
  upstreamCxTxBytesTotal: counter('upstream_cx_tx_bytes_total'),
  upstreamCxTxBytesBuffered: gauge('upstream_cx_tx_bytes_buffered'),
  upstreamCxOverflow: counter('upstream_cx_overflow'),
  upstreamCxPoolOverflow: counter('upstream_cx_pool_overflow'),
  upstreamCxNoneHealthy: counter('upstream_cx_none_healthy'),
  upstreamCxIdleTimeout: counter('upstream_cx_idle_timeout'),
  upstreamCxMaxDurationReached: counter('upstream_cx_max_duration_reached'),
  upstreamCxMaxRequests: counter('upstream_cx_max_requests'),
  upstreamCxProtocolError: counter('upstream_cx_protocol_error'),
  upstreamRqTotal: counter('upstream_rq_total'),
  upstreamRqActive: gauge('upstream_rq_active'),
  upstreamRqActiveOverflow: counter('upstream_rq_active_overflow'),
  upstreamRqPendingTotal: counter('upstream_rq_pending_total'),
  upstreamRqPendingActive: gauge('upstream_rq_pending_active'),
  upstreamRqPendingOverflow: counter('upstream_rq_pending_overflow'),
  upstreamRqPendingFailureEject: counter('upstream_rq_pending_failure_eject'),
  upstreamRqCancelled: counter('upstream_rq_cancelled'),
  upstreamRqTimeout: counter('upstream_rq_timeout'),
  upstreamRqMaxDurationReached: counter('upstream_rq_max_duration_reached'),
  upstreamRqPerTryTimeout: counter('upstream_rq_per_try_timeout'),
  upstreamRqPerTryIdleTimeout: counter('upstream_rq_per_try_idle_timeout'),
  upstreamRqMaintenanceMode: counter('upstream_rq_maintenance_mode'),
  upstreamRqRxReset: counter('upstream_rq_rx_reset'),
  upstreamRqRxResetNoError: counter('upstream_rq_rx_reset_no_error'),
  upstreamRqTxReset: counter('upstream_rq_tx_reset'),
  upstreamRqRetry: counter('upstream_rq_retry'),
  upstreamRqRetrySuccess: counter('upstream_rq_retry_success'),
  upstreamRqRetryOverflow: counter('upstream_rq_retry_overflow'),
  upstreamRqRetryLimitExceeded: counter('upstream_rq_retry_limit_exceeded'),
  upstreamRqRetryBackoffExponential: counter('upstream_rq_retry_backoff_exponential'),
  upstreamRqRetryBackoffRatelimited: counter('upstream_rq_retry_backoff_ratelimited'),
  retryOrShadowAbandoned: counter('retry_or_shadow_abandoned'),
  upstreamFlowControlPausedReadingTotal: counter('upstream_flow_control_paused_reading_total'),
  upstreamFlowControlResumedReadingTotal: counter('upstream_flow_control_resumed_reading_total'),
  upstreamFlowControlBackedUpTotal: counter('upstream_flow_control_backed_up_total'),
  upstreamFlowControlDrainedTotal: counter('upstream_flow_control_drained_total'),
  upstreamInternalRedirectFailedTotal: counter('upstream_internal_redirect_failed_total'),
  upstreamInternalRedirectSucceededTotal: counter('upstream_internal_redirect_succeeded_total'),
  bindErrors: counter('bind_errors'),
  originalDstHostInvalid: counter('original_dst_host_invalid'),
  lbHealthyPanic: counter('lb_healthy_panic'),
  maxHostWeight: gauge('max_host_weight', 'max'),
  membershipTotal: gauge('membership_total', 'max'),
  membershipHealthy: gauge('membership_healthy', 'max'),
  membershipDegraded: gauge('membership_degraded', 'max'),
  membershipExcluded: gauge('membership_excluded', 'max'),
  ...responseStats,
});

/** Requests that are not known to come from within the mesh (Envoy's `external.` stats). */
export const externalResponseStats = defineStats('cluster.{envoy_cluster_name}.external', responseStats);

/** Requests from internal addresses (Envoy's `internal.` stats). */
export const internalResponseStats = defineStats('cluster.{envoy_cluster_name}.internal', responseStats);

/** Responses that were followed by a retry (Envoy's `retry.` stats): they are in no other count. */
export const retryResponseStats = defineStats('cluster.{envoy_cluster_name}.retry', responseStats);

/** Responses by where the request came from, and those that nobody saw. */
export const callerResponseStats = {
  internal: internalResponseStats,
  external: externalResponseStats,
  retry: retryResponseStats,
} as const;

/** Discovery of a cluster's members: written by the main thread only, so that an update counts once. */
export const clusterDiscoveryStats = defineStats('cluster.{envoy_cluster_name}', {
  membershipChange: counter('membership_change'),
  updateAttempt: counter('update_attempt'),
  updateSuccess: counter('update_success'),
  updateFailure: counter('update_failure'),
  updateEmpty: counter('update_empty'),
  updateNoRebuild: counter('update_no_rebuild'),
  updateRejected: counter('update_rejected'),
  assignmentStale: counter('assignment_stale'),
  assignmentTimeoutReceived: counter('assignment_timeout_received'),
  assignmentUseCached: counter('assignment_use_cached'),
  version: gauge('version'),
  warmingState: gauge('warming_state'),
});

const breakerStats = {
  cxOpen: gauge('cx_open', 'max'),
  cxPoolOpen: gauge('cx_pool_open', 'max'),
  rqOpen: gauge('rq_open', 'max'),
  rqPendingOpen: gauge('rq_pending_open', 'max'),
  rqRetryOpen: gauge('rq_retry_open', 'max'),
  remainingCx: optionalGauge('remaining_cx'),
  remainingPending: optionalGauge('remaining_pending'),
  remainingRetries: optionalGauge('remaining_retries'),
  remainingRq: optionalGauge('remaining_rq'),
  // What a budget of retries is a part of; written only where there is one, for `/clusters`.
  rqActive: ownGauge('rq_active'),
};

/** Circuit breakers by routing priority. The `remaining_*` gauges only when `track_remaining` is set. */
export const circuitBreakerStats = {
  default: defineStats('cluster.{envoy_cluster_name}.circuit_breakers.default', breakerStats),
  high: defineStats('cluster.{envoy_cluster_name}.circuit_breakers.high', breakerStats),
} as const;

/**
 * Responses of a route that has a `stat_prefix`; a block takes the virtual host's name and the prefix.
 * https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#route-statistics
 */
export const routeStats = defineStats('vhost.{envoy_virtual_host}.route.{envoy_route}', {
  upstreamRqTotal: counter('upstream_rq_total'),
  upstreamRqTimeout: counter('upstream_rq_timeout'),
  ...responseStats,
});

type ResponseStats = typeof externalResponseStats;

/** Counts a final response of status `code` in a block of `stats`: its completion, its class and its code. */
export function countUpstreamResponse(
  block: Pick<StatBlock, 'inc' | 'incCode'>,
  stats: Pick<ResponseStats, ResponseKey>,
  code: number,
): void {
  block.inc(stats.upstreamRqCompleted);
  // Classes lie in order behind `upstream_rq_1xx`; a code outside of them (600 …) has none.
  if (code >= 100 && code < 600) block.inc(stats.upstreamRq1xx + ((code / 100) | 0) - 1);
  block.incCode(stats.upstreamRqCode, code);
}

type ResponseKey = 'upstreamRqCompleted' | 'upstreamRq1xx' | 'upstreamRqCode';

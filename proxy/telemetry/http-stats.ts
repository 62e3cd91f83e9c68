// What is counted of a connection manager, its router and its codec.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/stats

import { counter, defineStats, gauge, histogram, type StatBlock } from './stats.ts';

/** Named by the connection manager's `stat_prefix`; connection managers with the same prefix share it. */
export const httpStats = defineStats('http.{envoy_http_conn_manager_prefix}', {
  downstreamCxTotal: counter('downstream_cx_total'),
  downstreamCxActive: gauge('downstream_cx_active'),
  downstreamCxHttp1Total: counter('downstream_cx_http1_total'),
  downstreamCxHttp1Active: gauge('downstream_cx_http1_active'),
  downstreamCxHttp1SoftDrain: counter('downstream_cx_http1_soft_drain'),
  downstreamCxHttp2Total: counter('downstream_cx_http2_total'),
  downstreamCxHttp2Active: gauge('downstream_cx_http2_active'),
  downstreamCxSslTotal: counter('downstream_cx_ssl_total'),
  downstreamCxSslActive: gauge('downstream_cx_ssl_active'),
  downstreamCxUpgradesTotal: counter('downstream_cx_upgrades_total'),
  downstreamCxUpgradesActive: gauge('downstream_cx_upgrades_active'),
  downstreamCxDestroy: counter('downstream_cx_destroy'),
  downstreamCxDestroyLocal: counter('downstream_cx_destroy_local'),
  downstreamCxDestroyRemote: counter('downstream_cx_destroy_remote'),
  downstreamCxDestroyActiveRq: counter('downstream_cx_destroy_active_rq'),
  downstreamCxDestroyLocalActiveRq: counter('downstream_cx_destroy_local_active_rq'),
  downstreamCxDestroyRemoteActiveRq: counter('downstream_cx_destroy_remote_active_rq'),
  downstreamCxDrainClose: counter('downstream_cx_drain_close'),
  downstreamCxDelayedCloseTimeout: counter('downstream_cx_delayed_close_timeout'),
  downstreamCxIdleTimeout: counter('downstream_cx_idle_timeout'),
  downstreamCxMaxDurationReached: counter('downstream_cx_max_duration_reached'),
  downstreamCxMaxRequestsReached: counter('downstream_cx_max_requests_reached'),
  downstreamCxOverloadDisableKeepalive: counter('downstream_cx_overload_disable_keepalive'),
  downstreamCxProtocolError: counter('downstream_cx_protocol_error'),
  downstreamCxLengthMs: histogram('downstream_cx_length_ms', 'ms'),
  downstreamCxRxBytesTotal: counter('downstream_cx_rx_bytes_total'),
  downstreamCxRxBytesBuffered: gauge('downstream_cx_rx_bytes_buffered'),
  downstreamCxTxBytesTotal: counter('downstream_cx_tx_bytes_total'),
  downstreamCxTxBytesBuffered: gauge('downstream_cx_tx_bytes_buffered'),
  downstreamFlowControlPausedReadingTotal: counter('downstream_flow_control_paused_reading_total'),
  downstreamFlowControlResumedReadingTotal: counter('downstream_flow_control_resumed_reading_total'),
  downstreamRqTotal: counter('downstream_rq_total'),
  downstreamRqActive: gauge('downstream_rq_active'),
  downstreamRqHttp1Total: counter('downstream_rq_http1_total'),
  downstreamRqHttp2Total: counter('downstream_rq_http2_total'),
  downstreamRqCompleted: counter('downstream_rq_completed'),
  downstreamRq1xx: counter('downstream_rq_1xx'),
  downstreamRq2xx: counter('downstream_rq_2xx'),
  downstreamRq3xx: counter('downstream_rq_3xx'),
  downstreamRq4xx: counter('downstream_rq_4xx'),
  downstreamRq5xx: counter('downstream_rq_5xx'),
  downstreamRqTime: histogram('downstream_rq_time', 'ms'),
  downstreamRqRxReset: counter('downstream_rq_rx_reset'),
  downstreamRqTxReset: counter('downstream_rq_tx_reset'),
  downstreamRqTooLarge: counter('downstream_rq_too_large'),
  downstreamRqTooManyPrematureResets: counter('downstream_rq_too_many_premature_resets'),
  downstreamRqTimeout: counter('downstream_rq_timeout'),
  downstreamRqHeaderTimeout: counter('downstream_rq_header_timeout'),
  downstreamRqIdleTimeout: counter('downstream_rq_idle_timeout'),
  downstreamRqMaxDurationReached: counter('downstream_rq_max_duration_reached'),
  downstreamRqOverloadClose: counter('downstream_rq_overload_close'),
  downstreamRqResponseBeforeRqComplete: counter('downstream_rq_response_before_rq_complete'),
  downstreamRqNonRelativePath: counter('downstream_rq_non_relative_path'),
  downstreamRqFailedPathNormalization: counter('downstream_rq_failed_path_normalization'),
  downstreamRqRedirectedWithNormalizedPath: counter('downstream_rq_redirected_with_normalized_path'),
  downstreamRqRejectedViaIpDetection: counter('downstream_rq_rejected_via_ip_detection'),
  downstreamRqWsOnNonWsRoute: counter('downstream_rq_ws_on_non_ws_route'),
  rsTooLarge: counter('rs_too_large'),
  rqTotal: counter('rq_total'),
  noRoute: counter('no_route'),
  noCluster: counter('no_cluster'),
  rqRedirect: counter('rq_redirect'),
  rqDirectResponse: counter('rq_direct_response'),
  rqOverloadLocalReply: counter('rq_overload_local_reply'),
  rqResetAfterDownstreamResponseStarted: counter('rq_reset_after_downstream_response_started'),
  passthroughInternalRedirectBadLocation: counter('passthrough_internal_redirect_bad_location'),
  passthroughInternalRedirectNoRoute: counter('passthrough_internal_redirect_no_route'),
  passthroughInternalRedirectPredicate: counter('passthrough_internal_redirect_predicate'),
  passthroughInternalRedirectTooManyRedirects: counter('passthrough_internal_redirect_too_many_redirects'),
  passthroughInternalRedirectUnsafeScheme: counter('passthrough_internal_redirect_unsafe_scheme'),
  corsOriginValid: counter('cors.origin_valid'),
  corsOriginInvalid: counter('cors.origin_invalid'),
});

/** Trace decisions of a connection manager. */
export const tracingStats = defineStats('http.{envoy_http_conn_manager_prefix}', {
  tracingRandomSampling: counter('tracing.random_sampling'),
  tracingServiceForced: counter('tracing.service_forced'),
  tracingClientEnabled: counter('tracing.client_enabled'),
  tracingNotTraceable: counter('tracing.not_traceable'),
  tracingHealthCheck: counter('tracing.health_check'),
});

/** The codec towards clients; Envoy keeps one set for the process. */
export const http1Stats = defineStats('http1', {
  droppedHeadersWithUnderscores: counter('dropped_headers_with_underscores'),
  metadataNotSupportedError: counter('metadata_not_supported_error'),
  requestsRejectedWithUnderscoresInHeaders: counter('requests_rejected_with_underscores_in_headers'),
  responseFlood: counter('response_flood'),
});

/** Responses by listener; a block takes the listener's address and the `stat_prefix`. */
export const listenerHttpStats = defineStats(
  'listener.{envoy_listener_address}.http.{envoy_http_conn_manager_prefix}',
  {
    downstreamRqCompleted: counter('downstream_rq_completed'),
    downstreamRq1xx: counter('downstream_rq_1xx'),
    downstreamRq2xx: counter('downstream_rq_2xx'),
    downstreamRq3xx: counter('downstream_rq_3xx'),
    downstreamRq4xx: counter('downstream_rq_4xx'),
    downstreamRq5xx: counter('downstream_rq_5xx'),
  },
);

interface ResponseIndexes {
  readonly downstreamRqCompleted: number;
  readonly downstreamRq1xx: number;
}

/** Counts a final response of status `code` in a block of `stats`: its completion and its class. */
export function countDownstreamResponse(block: StatBlock, stats: ResponseIndexes, code: number): void {
  block.inc(stats.downstreamRqCompleted);
  // Classes lie in order behind `downstream_rq_1xx`; a code outside of them (600 …) has none.
  if (code >= 100 && code < 600) block.inc(stats.downstreamRq1xx + ((code / 100) | 0) - 1);
}

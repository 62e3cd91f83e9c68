// What is counted of a TCP proxy filter.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/network_filters/tcp_proxy_filter#statistics

import { counter, defineStats, gauge } from './stats.ts';

/** Named by the filter's `stat_prefix`. */
export const tcpStats = defineStats('tcp.{envoy_tcp_prefix}', {
  downstreamCxTotal: counter('downstream_cx_total'),
  downstreamCxNoRoute: counter('downstream_cx_no_route'),
  downstreamCxDrainClose: counter('downstream_cx_drain_close'),
  downstreamCxOverloadClose: counter('downstream_cx_overload_close'),
  downstreamCxRxBytesTotal: counter('downstream_cx_rx_bytes_total'),
  downstreamCxRxBytesBuffered: gauge('downstream_cx_rx_bytes_buffered'),
  downstreamCxTxBytesTotal: counter('downstream_cx_tx_bytes_total'),
  downstreamCxTxBytesBuffered: gauge('downstream_cx_tx_bytes_buffered'),
  downstreamFlowControlPausedReadingTotal: counter('downstream_flow_control_paused_reading_total'),
  downstreamFlowControlResumedReadingTotal: counter('downstream_flow_control_resumed_reading_total'),
  idleTimeout: counter('idle_timeout'),
  maxDownstreamConnectionDuration: counter('max_downstream_connection_duration'),
  upstreamFlushTotal: counter('upstream_flush_total'),
  upstreamFlushActive: gauge('upstream_flush_active'),
});

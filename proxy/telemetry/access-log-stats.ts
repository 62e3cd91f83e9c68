// What is counted of access logs that go to collectors.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/stats

import { counter, defineStats } from './stats.ts';

const stats = {
  /** Entries that were taken from the workers to be sent. */
  logsWritten: counter('logs_written'),
  /** They found no room, or no collector took them. */
  logsDropped: counter('logs_dropped'),
  /** Entries that a collector has, as far as can be told: a stream is not answered. */
  entriesFlushed: counter('grpc_entries_flushed'),
  entriesFlushFailed: counter('grpc_entries_flush_failed'),
};

export const envoyLogStats = defineStats('access_logs.grpc_access_log', stats);

export const openTelemetryLogStats = defineStats('access_logs.open_telemetry_access_log', stats);

/** Of a log with a `stat_prefix`. */
export const namedOpenTelemetryLogStats = defineStats(
  'access_logs.open_telemetry_access_log.{envoy_access_log}',
  stats,
);

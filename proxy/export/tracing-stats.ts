// What is counted of spans on their way to collectors, by the kind of tracer as in Envoy: `tracing.zipkin.spans_sent`.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/stats#tracing-statistics

import type { TraceProvider } from '../../config/tracing.ts';
import { counter, defineStats } from '../telemetry/stats.ts';

const stats = {
  /** Given away in reports, whatever becomes of them. */
  spansSent: counter('spans_sent'),
  /** Reports that left before they were full. */
  timerFlushed: counter('timer_flushed'),
  /** Spans that no collector has: there was no room, or nobody took them. */
  spansDropped: counter('spans_dropped'),
  /** Spans that a collector said it did not take. */
  spansRejected: counter('spans_rejected'),
  reportsSent: counter('reports_sent'),
  /** The collector answered that it does not want them. */
  reportsDropped: counter('reports_dropped'),
  /** Nobody could be reached, again and again. */
  reportsFailed: counter('reports_failed'),
  reportsSkippedNoCluster: counter('reports_skipped_no_cluster'),
};

export const openTelemetryStats = defineStats('tracing.opentelemetry', stats);
export const zipkinStats = defineStats('tracing.zipkin', stats);

export const tracerStats: Readonly<Record<TraceProvider['kind'], typeof openTelemetryStats>> = {
  opentelemetry: openTelemetryStats,
  zipkin: zipkinStats,
};

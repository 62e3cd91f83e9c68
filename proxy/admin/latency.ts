// Latency for the live page: quantiles of the last five seconds, the interval in which statistics are flushed.

import type { StatGroup } from '../telemetry/stat-group.ts';

/** Milliseconds; null when there was no request in the last interval. */
export function latencyOf(group: StatGroup | undefined, histogram: number): { p50: number; p99: number } | null {
  const summary = group?.interval(histogram);
  if (summary === undefined || summary.count === 0) return null;
  const [p50, p99] = summary.quantiles([0.5, 0.99]);
  return { p50: p50!, p99: p99! };
}

// How many retries a budget allows at the same time.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/circuit_breaker.proto

import type { RetryBudget } from '../../config/cluster.ts';

/** `active` requests are in flight or wait for a connection. A part of a retry is none, as in Envoy. */
export function retryLimit({ percent, minConcurrency }: RetryBudget, active: number): number {
  return Math.max(Math.floor((percent / 100) * active), minConcurrency);
}

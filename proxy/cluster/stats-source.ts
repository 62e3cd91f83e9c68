// Where clusters and endpoints get their counters from. Blocks are taken on first use and given back when the last user
// of a removed cluster or endpoint is gone: a cluster that never saw a request costs none.

import type { StatBlock } from '../telemetry/stats.ts';

export interface StatsSource {
  /** A block of `clusterStats`. `statName` is the cluster's `alt_stat_name` or its name. */
  clusterBlock(statName: string): StatBlock;
  /** A block of `callerResponseStats`. */
  responseBlock(statName: string, caller: 'internal' | 'external' | 'retry'): StatBlock;
  /** A block of `circuitBreakerStats`. */
  breakerBlock(statName: string, priority: 'default' | 'high'): StatBlock;
  /** A block of `endpointStats`. `address` is `ip:port` or a pipe's path. */
  endpointBlock(statName: string, address: string): StatBlock;
  /** Gives a block back; it is not written any more. */
  release(block: StatBlock): void;
}

// Where clusters and endpoints get their counters from. Counters live in shared memory and are handed out on first use:
// a cluster that never saw a request costs none (`proxy/telemetry` implements this).

/** Counters and gauges of one subject. `index` names one of the fields of the subject's table. */
export interface StatBlock {
  inc(index: number): void;
  add(index: number, amount: number): void;
  dec(index: number): void;
  set(index: number, value: number): void;
  /** One value of a histogram. */
  record(index: number, value: number): void;
  /** One response with this status code. */
  incCode(index: number, code: number): void;
}

export interface StatsSource {
  /** `statName` is the cluster's `alt_stat_name` or its name. */
  clusterBlock(statName: string): StatBlock;
  /** `address` is `ip:port` or a pipe's path. */
  endpointBlock(statName: string, address: string): StatBlock;
}

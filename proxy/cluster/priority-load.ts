// How much of the traffic each priority takes: Envoy's spread, in whole percent and with its roundings, so that both
// move traffic at the same number of unhealthy endpoints.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/priority
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/panic_threshold

export interface PriorityCounts {
  readonly total: number;
  readonly healthy: number;
  readonly degraded: number;
}

export interface PriorityLoad {
  /** Percent for the healthy endpoints of the priority, or for all of them in panic. */
  healthyPercent: number;
  degradedPercent: number;
  /** Too few are available: the load is spread over all endpoints of the priority. */
  isInPanic: boolean;
}

export interface PriorityLoadOptions {
  /** 140 means that a priority takes everything while 1/1.4 = 72 % of it are healthy. */
  readonly overprovisioningFactorPercent: number;
  /** 0 turns panic off. */
  readonly panicThresholdPercent: number;
}

/** Spreads 100 % over the priorities; index 0 is the highest. The sum is 100 unless there is no priority at all. */
export function spreadLoad(priorities: readonly PriorityCounts[], options: PriorityLoadOptions): PriorityLoad[] {
  const loads: PriorityLoad[] = priorities.map(() => ({ healthyPercent: 0, degradedPercent: 0, isInPanic: false }));
  if (loads.length === 0) return loads;
  const healthy = priorities.map((counts) => availability(counts.healthy, counts.total, options));
  const degraded = priorities.map((counts) => availability(counts.degraded, counts.total, options));
  const totalAvailability = Math.min(100, sum(healthy) + sum(degraded));

  if (totalAvailability > 0) {
    distribute(loads, { healthy, degraded, totalAvailability });
    // While the whole is available no priority panics, however few healthy endpoints it has by itself.
    if (totalAvailability < 100) {
      priorities.forEach((counts, priority) => {
        loads[priority]!.isInPanic = isBelowThreshold(counts, options.panicThresholdPercent);
      });
    }
  } else if (options.panicThresholdPercent === 0) {
    loads[0]!.healthyPercent = 100;
  } else {
    for (const load of loads) load.isInPanic = true;
  }
  if (loads.every((load) => load.isInPanic)) spreadByCount(loads, priorities);
  return loads;
}

/** Share that can be served, 0 to 100, overprovisioning included. */
function availability(available: number, total: number, options: PriorityLoadOptions): number {
  if (total === 0) return 0;
  return Math.min(100, Math.floor((options.overprovisioningFactorPercent * available) / total));
}

interface Availabilities {
  readonly healthy: readonly number[];
  readonly degraded: readonly number[];
  readonly totalAvailability: number;
}

function distribute(loads: PriorityLoad[], { healthy, degraded, totalAvailability }: Availabilities): void {
  let remaining = 100;
  loads.forEach((load, priority) => {
    load.healthyPercent = Math.min(remaining, Math.floor((healthy[priority]! * 100) / totalAvailability));
    remaining -= load.healthyPercent;
  });
  loads.forEach((load, priority) => {
    load.degradedPercent = Math.min(remaining, Math.floor((degraded[priority]! * 100) / totalAvailability));
    remaining -= load.degradedPercent;
  });
  // What is left are roundings.
  const firstHealthy = healthy.findIndex((percent) => percent > 0);
  if (firstHealthy >= 0) loads[firstHealthy]!.healthyPercent += remaining;
  else loads[degraded.findIndex((percent) => percent > 0)]!.degradedPercent += remaining;
}

function isBelowThreshold({ total, healthy, degraded }: PriorityCounts, thresholdPercent: number): boolean {
  const availablePercent = total === 0 ? 0 : (100 * (healthy + degraded)) / total;
  return availablePercent < thresholdPercent;
}

/** Everything panics: health says nothing, so traffic follows the number of endpoints. */
function spreadByCount(loads: PriorityLoad[], priorities: readonly PriorityCounts[]): void {
  const total = sum(priorities.map((counts) => counts.total));
  let remaining = 100;
  loads.forEach((load, priority) => {
    load.healthyPercent = total === 0 ? 0 : Math.floor((100 * priorities[priority]!.total) / total);
    load.degradedPercent = 0;
    remaining -= load.healthyPercent;
  });
  const firstWithEndpoints = priorities.findIndex((counts) => counts.total > 0);
  loads[Math.max(0, firstWithEndpoints)]!.healthyPercent += remaining;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

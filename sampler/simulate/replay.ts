// Shows the requests of a workload to strategies, arrivals and ends and the beats of a clock in the order of time.

import type { SimulatedRequest } from './simulated-request.ts';
import { type Strategy, tickMs } from './strategy.ts';

/** `requests` in order of arrival. */
export function replay(requests: readonly SimulatedRequest[], strategies: readonly Strategy[]): void {
  const ends = [...requests].sort((left, right) => endOf(left) - endOf(right));
  let arrived = 0;
  let ended = 0;
  let nextTickMs = tickMs;
  while (ended < ends.length) {
    const arrivalMs = requests[arrived]?.atMs ?? Number.POSITIVE_INFINITY;
    const endMs = endOf(ends[ended]!);
    if (nextTickMs <= Math.min(arrivalMs, endMs)) {
      for (const strategy of strategies) strategy.onTick(nextTickMs);
      nextTickMs += tickMs;
    } else if (arrivalMs <= endMs) {
      // One that took no time at all arrives before it ends.
      const request = requests[arrived++]!;
      for (const strategy of strategies) strategy.onArrival(request);
    } else {
      const request = ends[ended++]!;
      for (const strategy of strategies) strategy.onEnd(request);
    }
  }
  for (const strategy of strategies) strategy.onClose(nextTickMs);
}

function endOf({ atMs, durationMs }: SimulatedRequest): number {
  return atMs + durationMs;
}

// What really happened, by which every strategy is judged.

import { isError, type SimulatedRequest, type SimulatedTrace } from './simulated-request.ts';

export interface ServiceTruth {
  readonly service: string;
  readonly requests: number;
  readonly errors: number;
}

export interface Truth {
  /** The busiest first. */
  readonly services: readonly ServiceTruth[];
  readonly requests: number;
  readonly errors: number;
  readonly durationMs: number;
  /** How many requests each trace has. */
  readonly traces: ReadonlyMap<SimulatedTrace, number>;
}

export function truthOf(requests: readonly SimulatedRequest[]): Truth {
  const services = new Map<string, { service: string; requests: number; errors: number }>();
  const traces = new Map<SimulatedTrace, number>();
  let errors = 0;
  for (const request of requests) {
    const counted = services.get(request.service) ?? { service: request.service, requests: 0, errors: 0 };
    services.set(request.service, counted);
    counted.requests++;
    if (isError(request)) {
      counted.errors++;
      errors++;
    }
    traces.set(request.trace, (traces.get(request.trace) ?? 0) + 1);
  }
  return {
    services: [...services.values()].sort((left, right) => right.requests - left.requests),
    requests: requests.length,
    errors,
    durationMs: requests[requests.length - 1]?.atMs ?? 0,
    traces,
  };
}

/** At least one, as rates are of them. The last request comes a little before the end: rounded down, 2 s were 1. */
export function wholeSeconds({ durationMs }: Truth): number {
  return Math.max(Math.round(durationMs / 1000), 1);
}

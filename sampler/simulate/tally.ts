// What a strategy kept, and what can be said from that alone about how many requests there were.
//
// Each kept request stands for `weight` of them, so the sum of the weights estimates their number (Horvitz and Thompson
// 1952), and the weights tell how far off it may be. Requests of one trace are kept or dropped by one number: those of
// a service count together, as one draw.

import { isError, type SimulatedTrace } from './simulated-request.ts';
import type { KeptRequest } from './strategy.ts';
import type { ServiceTruth, Truth } from './truth.ts';

export interface Estimate extends ServiceTruth {
  readonly kept: number;
  readonly errorsKept: number;
  readonly errorsEstimated: number;
  readonly estimated: number;
  /** The standard deviation of `estimated`, as its own weights tell it. */
  readonly sigma: number;
}

export interface Result {
  /** In the order of the truth. */
  readonly services: readonly Estimate[];
  readonly total: Estimate;
  readonly tracesKept: number;
  /** Those of them of which every request was kept. */
  readonly wholeTraces: number;
  /** Traces by the second in which their first request was kept. */
  readonly tracesBySecond: readonly number[];
}

interface Counted {
  kept: number;
  errorsKept: number;
  errorsEstimated: number;
  estimated: number;
  readonly weights: Map<SimulatedTrace, number[]>;
}

const nothingKept = { kept: 0, errorsKept: 0, errorsEstimated: 0, estimated: 0 };

export class Tally {
  readonly #services = new Map<string, Counted>();
  readonly #requestsOf = new Map<SimulatedTrace, number>();
  readonly #tracesBySecond: number[] = [];

  add({ request, atMs, weight }: KeptRequest): void {
    const { service, trace } = request;
    let counted = this.#services.get(service);
    if (counted === undefined) {
      counted = { ...nothingKept, weights: new Map() };
      this.#services.set(service, counted);
    }
    counted.kept++;
    counted.estimated += weight;
    if (isError(request)) {
      counted.errorsKept++;
      counted.errorsEstimated += weight;
    }
    const weights = counted.weights.get(trace);
    if (weights === undefined) counted.weights.set(trace, [weight]);
    else weights.push(weight);
    this.#addToTrace(trace, atMs);
  }

  result(truth: Truth): Result {
    const services = truth.services.map((service) => estimateOf(service, this.#services.get(service.service)));
    const { requests, errors, traces } = truth;
    const total = {
      service: 'all',
      requests,
      errors,
      kept: sum(services, ({ kept }) => kept),
      errorsKept: sum(services, ({ errorsKept }) => errorsKept),
      errorsEstimated: sum(services, ({ errorsEstimated }) => errorsEstimated),
      estimated: sum(services, ({ estimated }) => estimated),
      sigma: this.#sigmaOfAll(),
    };
    return {
      services,
      total,
      tracesKept: this.#requestsOf.size,
      wholeTraces: [...this.#requestsOf].filter(([trace, kept]) => traces.get(trace) === kept).length,
      tracesBySecond: Array.from(this.#tracesBySecond, (count) => count ?? 0),
    };
  }

  /** More than that of the services together: those of one trace vary together. */
  #sigmaOfAll(): number {
    const weights = new Map<SimulatedTrace, number[]>();
    for (const counted of this.#services.values()) {
      for (const [trace, ofService] of counted.weights) {
        const known = weights.get(trace);
        if (known === undefined) weights.set(trace, [...ofService]);
        else known.push(...ofService);
      }
    }
    return Math.sqrt(sum(weights.values(), varianceOf));
  }

  #addToTrace(trace: SimulatedTrace, atMs: number): void {
    const before = this.#requestsOf.get(trace) ?? 0;
    this.#requestsOf.set(trace, before + 1);
    const second = Math.floor(atMs / 1000);
    if (before === 0) this.#tracesBySecond[second] = (this.#tracesBySecond[second] ?? 0) + 1;
  }
}

/** How far the estimate is from the truth, as a share of it. */
export function relativeError({ estimated, requests }: Pick<Estimate, 'estimated' | 'requests'>): number {
  return (estimated - requests) / requests;
}

function estimateOf(truth: ServiceTruth, counted: Counted | undefined): Estimate {
  if (counted === undefined) return { ...truth, kept: 0, errorsKept: 0, errorsEstimated: 0, estimated: 0, sigma: 0 };
  const { weights, ...sums } = counted;
  return { ...truth, ...sums, sigma: Math.sqrt(sum(weights.values(), varianceOf)) };
}

/** Of two requests that one number decides about, the one of the lower weight is kept whenever the other is. */
function varianceOf(weights: readonly number[]): number {
  return sum(weights, (left) => sum(weights, (right) => varianceOfPair(left, right)));
}

function varianceOfPair(left: number, right: number): number {
  const lower = Math.min(left, right);
  return lower === 0 ? 0 : left * right * (1 - 1 / lower);
}

function sum<T>(values: Iterable<T>, of: (value: T) => number): number {
  let total = 0;
  for (const value of values) total += of(value);
  return total;
}

// What one set of stats has counted, taken down at one moment: counters, status codes and histograms. Gauges are what is
// now, so that nothing of them can be taken down.

import { HistogramSummary } from './histogram.ts';
import type { StatScope } from './stats.ts';

/** What totals are read from. */
export interface Countable {
  readonly scope: StatScope;
  value(index: number): number;
  isUsed(index: number): boolean;
  codes(index: number): ReadonlyMap<number, number>;
  /** Of one that is used. */
  histogram(index: number): HistogramSummary | undefined;
}

const noCodes: ReadonlyMap<number, number> = new Map();

export class StatTotals implements Countable {
  readonly scope: StatScope;
  /** By index: a counter that was never used is minus zero, as in a block. */
  readonly #values: Float64Array;
  readonly #codes = new Map<number, Map<number, number>>();
  readonly #histograms = new Map<number, HistogramSummary>();

  constructor(scope: StatScope) {
    this.scope = scope;
    this.#values = new Float64Array(scope.stats.length).fill(-0);
  }

  value(index: number): number {
    return this.#values[index]!;
  }

  codes(index: number): ReadonlyMap<number, number> {
    return this.#codes.get(index) ?? noCodes;
  }

  /** Undefined when there is none. */
  histogram(index: number): HistogramSummary | undefined {
    return this.#histograms.get(index);
  }

  /** Whether something was ever added to this stat. */
  isUsed(index: number): boolean {
    return !Object.is(this.#values[index], -0) || this.#codes.has(index) || this.#histograms.has(index);
  }

  /** Adds what `counted` has counted, but for what it had counted when `earlier` was taken down. */
  add(counted: Countable, earlier?: StatTotals): void {
    for (const [index, { kind }] of counted.scope.stats.entries()) {
      if (kind === 'gauge' || !counted.isUsed(index)) continue;
      if (kind === 'counter') this.#values[index]! += counted.value(index) - (earlier?.value(index) ?? 0);
      if (kind === 'status-codes') addCodes(this.#codesOf(index), counted.codes(index), earlier?.codes(index));
      if (kind === 'histogram') this.#addHistogram(index, since(counted.histogram(index)!, earlier?.histogram(index)));
    }
  }

  /** Counters begin again at 0, as `/reset_counters` has it. */
  resetCounters(): void {
    for (let index = 0; index < this.#values.length; index++) this.#values[index]! *= 0;
    for (const codes of this.#codes.values()) for (const code of codes.keys()) codes.set(code, 0);
  }

  #codesOf(index: number): Map<number, number> {
    const known = this.#codes.get(index);
    if (known !== undefined) return known;
    const codes = new Map<number, number>();
    this.#codes.set(index, codes);
    return codes;
  }

  #addHistogram(index: number, histogram: HistogramSummary): void {
    const known = this.#histograms.get(index) ?? new HistogramSummary();
    known.include(histogram);
    this.#histograms.set(index, known);
  }
}

/** Adds the counts of `codes`, less those of `earlier`. */
export function addCodes(
  to: Map<number, number>,
  codes: ReadonlyMap<number, number>,
  earlier: ReadonlyMap<number, number> = noCodes,
): void {
  for (const [code, count] of codes) to.set(code, (to.get(code) ?? 0) + count - (earlier.get(code) ?? 0));
}

/** What a histogram has recorded since `earlier`, or all of it. */
export function since(histogram: HistogramSummary, earlier: HistogramSummary | undefined): HistogramSummary {
  return earlier === undefined ? histogram : histogram.since(earlier);
}

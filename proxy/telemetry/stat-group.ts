// The stats of one scope and name as the main thread reads them: the blocks of all threads together.

import { HistogramSummary, recordingMark } from './histogram.ts';
import { chunkNumber, type SlotChunks, slotOffset } from './slot-memory.ts';
import { scopeLabels, scopePrefix } from './stat-scope.ts';
import { addCodes, type Countable, StatTotals } from './stat-totals.ts';
import { CodeGroup, type StatScope } from './stats.ts';
import type { StatPredicate } from './stats-matcher.ts';

/** What an export needs of the stats of one scope under one set of names. */
export type SeriesGroup = Pick<
  StatGroup,
  'scope' | 'names' | 'prefix' | 'labels' | 'life' | 'value' | 'isShown' | 'isUsed' | 'codes' | 'histogram' | 'interval'
>;

/** The block of one thread. */
export interface GroupPart {
  readonly memory: SlotChunks;
  readonly address: number;
}

interface Part extends GroupPart {
  /** Counters at the last reset; null before the first. The reader must not write what a worker counts in. */
  baseline: { readonly values: Float64Array; readonly codes: ReadonlyMap<number, ReadonlyMap<number, number>> } | null;
}

export class StatGroup {
  readonly scope: StatScope;
  readonly names: readonly string[];
  /** Another object: series that began again at 0. */
  readonly life: object = this;
  readonly #predicate: StatPredicate | null;
  /** Made for the first reader: for the groups of a cluster's first request they were 3 % of the main thread's CPU of a change. */
  #prefix: string | null = null;
  #labels: string | null = null;
  /** By index, as the predicate has it: patterns are slow, and names do not change. Null before it was first asked. */
  #shown: readonly boolean[] | null = null;
  readonly #parts: Part[] = [];
  /** What blocks that are gone have counted: a counter never falls while the group lives. Null before the first. */
  #kept: StatTotals | null = null;
  /** What an earlier process said last; `#kept` has it. */
  #carried: StatTotals | null = null;
  #isGone = false;
  /** By the index of a histogram that has values. */
  readonly #flushed = new Map<number, FlushedHistogram>();

  /** Without a predicate all is shown. */
  constructor(scope: StatScope, names: readonly string[], predicate: StatPredicate | null = null) {
    this.scope = scope;
    this.names = names;
    this.#predicate = predicate;
  }

  /** `cluster.a.` */
  get prefix(): string {
    this.#prefix ??= scopePrefix(this.scope, this.names);
    return this.#prefix;
  }

  /** `envoy_cluster_name="a"` */
  get labels(): string {
    this.#labels ??= scopeLabels(this.scope, this.names);
    return this.#labels;
  }

  add(part: GroupPart): void {
    this.#parts.push({ ...part, baseline: null });
  }

  /**
   * Forgets the block at `address` of `memory`; what it has counted stays. Of the last block nothing is taken down: the
   * group is gone, and whoever wants its numbers reads them at once.
   */
  remove(memory: SlotChunks, address: number): void {
    const index = this.#parts.findIndex((part) => part.memory === memory && part.address === address);
    if (index < 0) return;
    this.#isGone = this.#parts.length === 1;
    if (this.#isGone) return;
    const [part] = this.#parts.splice(index, 1);
    const alone = new StatGroup(this.scope, this.names);
    alone.#parts.push(part!);
    this.#kept ??= new StatTotals(this.scope);
    this.#kept.add(alone);
  }

  /** Adds what an earlier process has counted in all, in place of what it had said before. */
  carry(counted: Countable): void {
    const totals = new StatTotals(this.scope);
    totals.add(counted);
    this.#kept ??= new StatTotals(this.scope);
    this.#kept.add(counted, this.#carried ?? undefined);
    this.#carried = totals;
  }

  /** Its last block was removed. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** The value of a counter or gauge. */
  value(index: number): number {
    const stat = this.scope.stats[index]!;
    const isGreatest = stat.kind === 'gauge' && stat.combine === 'max';
    let value = this.#kept?.value(index) ?? 0;
    for (const part of this.#parts) {
      const own = slot(part, index) - (part.baseline?.values[index] ?? 0);
      value = isGreatest ? Math.max(value, own) : value + own;
    }
    return value;
  }

  /**
   * Whether a `stats_matcher` leaves it to be seen, and it is none of our own, or one that nobody writes. Status codes are
   * chosen one by one, in `codes`.
   */
  isShown(index: number): boolean {
    const stat = this.scope.stats[index]!;
    if (stat.kind === 'gauge' && stat.show === 'written' && !this.isUsed(index)) return false;
    if (stat.kind === 'gauge' && stat.show === 'never') return false;
    if (this.#predicate === null) return true;
    this.#shown ??= this.scope.stats.map(({ kind, name }) => kind === 'status-codes' || this.#accepts(name));
    return this.#shown[index]!;
  }

  /** Whether a counter or gauge was ever written, or a histogram recorded into (Envoy's `usedonly`). */
  isUsed(index: number): boolean {
    const { kind } = this.scope.stats[index]!;
    // A counter or gauge begins as minus zero (see StatBlock), an address as zero.
    const unused = kind === 'counter' || kind === 'gauge' ? -0 : 0;
    for (const part of this.#parts) if (!Object.is(slot(part, index), unused)) return true;
    return this.#kept?.isUsed(index) ?? false;
  }

  /** How many series it has: stats that are shown and were used, each status code one. And what its counters make together. */
  use(): { readonly series: number; readonly counted: number } {
    const { stats } = this.scope;
    let series = 0;
    let counted = 0;
    for (let index = 0; index < stats.length; index++) {
      if (!this.isUsed(index)) continue;
      const { kind } = stats[index]!;
      if (this.isShown(index)) series += kind === 'status-codes' ? this.#codesSeen(index) : 1;
      if (kind === 'counter') counted += this.value(index);
    }
    return { series, counted };
  }

  // There are few, so that a list is searched faster than a set is made: of 10,000 clusters, all codes are looked at.
  #codesSeen(index: number): number {
    const seen: number[] = [...(this.#kept?.codes(index).keys() ?? [])];
    for (const part of this.#parts) {
      for (const [code] of codesOf(part, index)) if (!seen.includes(code)) seen.push(code);
    }
    return this.#predicate === null ? seen.length : seen.filter((code) => this.#acceptsCode(index, code)).length;
  }

  #accepts(name: string): boolean {
    return this.#predicate?.(this.scope.vocabulary, this.prefix + name) ?? true;
  }

  #acceptsCode(index: number, code: number): boolean {
    return this.#accepts(`${this.scope.stats[index]!.name}_${code}`);
  }

  /** Counts by status code, ascending: of those that are shown. */
  codes(index: number): ReadonlyMap<number, number> {
    const counts = new Map(this.#kept?.codes(index));
    for (const part of this.#parts) addCodes(counts, new Map(codesOf(part, index)), part.baseline?.codes.get(index));
    const shown =
      this.#predicate === null ? [...counts] : [...counts].filter(([code]) => this.#acceptsCode(index, code));
    return new Map(shown.sort((left, right) => left[0] - right[0]));
  }

  /** Everything recorded since the start. */
  histogram(index: number): HistogramSummary {
    const summary = new HistogramSummary();
    const kept = this.#kept?.histogram(index);
    if (kept !== undefined) summary.include(kept);
    for (const part of this.#parts) {
      const address = slot(part, index);
      if (address !== 0) summary.merge(part.memory, address);
    }
    return summary;
  }

  /** What was recorded between the last two flushes; empty before the first. */
  interval(index: number): HistogramSummary {
    return this.#flushed.get(index)?.interval ?? new HistogramSummary();
  }

  /**
   * Ends an interval of the histograms. Most record nothing in one: with 500 clusters in use reading all of them stopped the
   * main thread for 8 to 14 ms of CPU, and a changed endpoint that came then waited.
   */
  flush(): void {
    for (const index of histogramsOf(this.scope)) {
      if (!this.isUsed(index)) continue;
      const earlier = this.#flushed.get(index);
      const mark = this.#mark(index);
      const isUnchanged = earlier?.mark === mark;
      if (isUnchanged && earlier.isSettled) continue;
      const total = this.histogram(index);
      const interval = total.since(earlier?.total ?? new HistogramSummary());
      this.#flushed.set(index, { total, interval, mark, isSettled: isUnchanged && interval.count === 0 });
    }
  }

  /** Another number after each value. */
  #mark(index: number): number {
    const kept = this.#kept?.histogram(index);
    let mark = kept === undefined ? 0 : kept.sum + kept.count;
    for (const part of this.#parts) {
      const address = slot(part, index);
      if (address !== 0) mark += recordingMark(part.memory, address);
    }
    return mark;
  }

  /** Counters begin again at 0. Gauges and histograms stay, as in Envoy. */
  resetCounters(): void {
    const { stats } = this.scope;
    this.#kept?.resetCounters();
    for (const part of this.#parts) {
      const values = new Float64Array(stats.length);
      const codes = new Map<number, ReadonlyMap<number, number>>();
      stats.forEach((stat, index) => {
        if (stat.kind === 'counter') values[index] = slot(part, index);
        if (stat.kind === 'status-codes') codes.set(index, new Map(codesOf(part, index)));
      });
      part.baseline = { values, codes };
    }
  }
}

/** Of a histogram, at the last flush. */
interface FlushedHistogram {
  readonly total: HistogramSummary;
  /** What came between the last two. */
  readonly interval: HistogramSummary;
  readonly mark: number;
  /** The flush before found the same, and more can be there only when the mark is another: what a thread just wrote was read. */
  readonly isSettled: boolean;
}

const histogramsByScope = new WeakMap<StatScope, readonly number[]>();

/** By index. */
function histogramsOf(scope: StatScope): readonly number[] {
  const known = histogramsByScope.get(scope);
  if (known !== undefined) return known;
  const histograms = [...scope.stats.keys()].filter((index) => scope.stats[index]!.kind === 'histogram');
  histogramsByScope.set(scope, histograms);
  return histograms;
}

// A chunk announced after the block that points into it reads as 0 until its announcement arrives.
function slot(part: GroupPart, index: number): number {
  const values = part.memory.chunks[chunkNumber(part.address)];
  return values === undefined ? 0 : values[slotOffset(part.address) + index]!;
}

function* codesOf(part: GroupPart, index: number): Generator<[number, number]> {
  let group = slot(part, index);
  while (group !== 0) {
    const values = part.memory.chunks[chunkNumber(group)];
    if (values === undefined) return;
    const first = slotOffset(group);
    for (let at = first; at < first + CodeGroup.next && values[at] !== 0; at += 2) yield [values[at]!, values[at + 1]!];
    group = values[first + CodeGroup.next]!;
  }
}

// Series that found no room in the budget, as one: the sum of what they count from then on.
//
// Every increase is in exactly one series. What a name had counted before it came stays with the series that it had:
// moved in here, it would be a jump, which every reader of counters takes for traffic. What it counts in here stays here
// when the name gets series of its own again, which go on where they stopped (`ReturnedGroup`), and when it is gone.

import { HistogramSummary } from './histogram.ts';
import type { SeriesGroup, StatGroup } from './stat-group.ts';
import { scopeLabels, scopePrefix } from './stat-scope.ts';
import { addCodes, type Countable, StatTotals, since } from './stat-totals.ts';
import type { StatScope } from './stats.ts';

export class OtherGroup implements SeriesGroup {
  readonly scope: StatScope;
  readonly names: readonly string[];
  readonly prefix: string;
  readonly labels: string;
  readonly life: object = this;
  /** What those that are not members any more have counted in here. */
  readonly #left: StatTotals;
  /** Members now, each with what it had counted when it came; null when all of its counts are counted in here. */
  readonly #members = new Map<StatGroup, StatTotals | null>();
  /** By index, what members have used, with the status codes that they have seen. Used once is used for good. */
  readonly #used = new Map<number, Set<number>>();
  #series = 0;

  constructor(scope: StatScope, names: readonly string[]) {
    this.scope = scope;
    this.names = names;
    this.prefix = scopePrefix(scope, names);
    this.labels = scopeLabels(scope, names);
    this.#left = new StatTotals(scope);
  }

  /** How many series it has. */
  get series(): number {
    return this.#series;
  }

  /** Takes a group in, with what it has counted elsewhere; null when that is nothing. */
  add(group: StatGroup, elsewhere: StatTotals | null): void {
    this.#members.set(group, elsewhere);
    this.noteUse(group);
  }

  /** Lets a group go; what it has counted in here stays, and is added to `counted`. */
  remove(group: StatGroup, counted: StatTotals): void {
    const elsewhere = this.#members.get(group) ?? undefined;
    this.#left.add(shownOf(group), elsewhere);
    counted.add(shownOf(group), elsewhere);
    this.#members.delete(group);
  }

  resetCounters(): void {
    this.#left.resetCounters();
    for (const elsewhere of this.#members.values()) elsewhere?.resetCounters();
  }

  /** Counters and gauges: gauges are summed over the members. */
  value(index: number): number {
    let value = this.scope.stats[index]!.kind === 'counter' ? this.#left.value(index) : 0;
    for (const [group, elsewhere] of this.#members) {
      if (group.isShown(index)) value += group.value(index) - (elsewhere?.value(index) ?? 0);
    }
    return value;
  }

  /** As members are: what none of them shows is not in here. */
  isShown(index: number): boolean {
    for (const group of this.#members.keys()) if (group.isShown(index)) return true;
    return this.isUsed(index);
  }

  isUsed(index: number): boolean {
    return this.#used.has(index);
  }

  codes(index: number): ReadonlyMap<number, number> {
    const counts = new Map(this.#left.codes(index));
    for (const [group, elsewhere] of this.#members) addCodes(counts, group.codes(index), elsewhere?.codes(index));
    return new Map([...counts].sort((left, right) => left[0] - right[0]));
  }

  histogram(index: number): HistogramSummary {
    const summary = new HistogramSummary();
    const left = this.#left.histogram(index);
    if (left !== undefined) summary.include(left);
    for (const [group, elsewhere] of this.#members) {
      if (isSeen(group, index)) summary.include(since(group.histogram(index), elsewhere?.histogram(index)));
    }
    return summary;
  }

  interval(index: number): HistogramSummary {
    const summary = new HistogramSummary();
    for (const group of this.#members.keys()) if (isSeen(group, index)) summary.include(group.interval(index));
    return summary;
  }

  /** A member has used something for the first time. */
  noteUse(group: StatGroup): void {
    for (const [index, { kind }] of this.scope.stats.entries()) {
      if (!isSeen(group, index)) continue;
      let codes = this.#used.get(index);
      if (codes === undefined) {
        codes = new Set();
        this.#used.set(index, codes);
        if (kind !== 'status-codes') this.#series++;
      }
      if (kind === 'status-codes') this.#noteCodes(codes, group.codes(index).keys());
    }
  }

  #noteCodes(known: Set<number>, codes: Iterable<number>): void {
    const before = known.size;
    for (const code of codes) known.add(code);
    this.#series += known.size - before;
  }
}

/** A group without what a `stats_matcher` hides of it: in the sum nobody would see whose it is. */
function shownOf(group: StatGroup): Countable {
  return {
    scope: group.scope,
    value: (index) => group.value(index),
    isUsed: (index) => isSeen(group, index),
    codes: (index) => group.codes(index),
    histogram: (index) => group.histogram(index),
  };
}

function isSeen(group: StatGroup, index: number): boolean {
  return group.isShown(index) && group.isUsed(index);
}

/** A group that was in `other`, or idle: what it counted there or then, `elsewhere`, is not counted again. */
export class ReturnedGroup implements SeriesGroup {
  readonly #group: StatGroup;
  readonly #elsewhere: StatTotals;
  readonly life: object;

  constructor(group: StatGroup, elsewhere: StatTotals, life: object) {
    this.#group = group;
    this.#elsewhere = elsewhere;
    this.life = life;
  }

  get scope(): StatScope {
    return this.#group.scope;
  }

  get names(): readonly string[] {
    return this.#group.names;
  }

  get prefix(): string {
    return this.#group.prefix;
  }

  get labels(): string {
    return this.#group.labels;
  }

  value(index: number): number {
    return this.#group.value(index) - this.#elsewhere.value(index);
  }

  isShown(index: number): boolean {
    return this.#group.isShown(index);
  }

  isUsed(index: number): boolean {
    return this.#group.isUsed(index);
  }

  codes(index: number): ReadonlyMap<number, number> {
    const counts = new Map<number, number>();
    addCodes(counts, this.#group.codes(index), this.#elsewhere.codes(index));
    return counts;
  }

  histogram(index: number): HistogramSummary {
    return since(this.#group.histogram(index), this.#elsewhere.histogram(index));
  }

  interval(index: number): HistogramSummary {
    return this.#group.interval(index);
  }
}

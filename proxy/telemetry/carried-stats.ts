// Counters and histograms that go on in the process that replaces this one, as text.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/operations/hot_restart
//
// Stats are matched by name: the other process may be of another version, whose sets have stats that ours have not. Those
// of a set that no thread of ours has announced wait until one does. Gauges say what is now and stay where they are.

import { type HistogramData, HistogramSummary } from './histogram.ts';
import type { SeriesGroup } from './stat-group.ts';
import type { Countable } from './stat-totals.ts';
import type { Stat, StatScope } from './stats.ts';
import type { StatsStore } from './stats-store.ts';

/** Everything that was counted until now. */
export function writeStats(groups: Iterable<SeriesGroup>): string {
  const written: WrittenGroup[] = [];
  for (const group of groups) {
    const { names, scope } = group;
    const stats: [string, WrittenStat][] = [];
    for (const [index, stat] of scope.stats.entries()) {
      if (stat.kind !== 'gauge' && group.isUsed(index)) stats.push([stat.name, writtenOf(group, stat, index)]);
    }
    if (stats.length > 0) written.push({ template: scope.template, names, stats });
  }
  return JSON.stringify(written);
}

/** What an earlier process has counted, in a store of ours. */
export class CarriedStats {
  readonly #store: StatsStore;
  readonly #byTemplate = new Map<string, CarriedGroup[]>();
  /** Of the texts that were taken, which one a set has got. */
  readonly #applied = new Map<StatScope, number>();
  #texts = 0;

  constructor(store: StatsStore) {
    this.#store = store;
  }

  /** Takes what `writeStats` wrote, in place of what was taken before. False when it is something else. */
  take(text: string): boolean {
    const groups = parseGroups(text);
    if (groups === undefined) return false;
    this.#byTemplate.clear();
    for (const { template, names, stats } of groups) {
      const known = this.#byTemplate.get(template);
      const group = { names, stats: new Map(stats) };
      if (known === undefined) this.#byTemplate.set(template, [group]);
      else known.push(group);
    }
    this.#texts++;
    this.apply();
    return true;
  }

  /** Gives sets that were announced since the last call what they carry on. */
  apply(): void {
    for (const [template, groups] of this.#byTemplate) {
      for (const scope of this.#store.scopesOf(template)) {
        if (this.#applied.get(scope) === this.#texts) continue;
        this.#applied.set(scope, this.#texts);
        for (const { names, stats } of groups) this.#carry(scope, names, stats);
      }
    }
  }

  #carry(scope: StatScope, names: readonly string[], stats: ReadonlyMap<string, WrittenStat>): void {
    const values = scope.stats.map((stat) => {
      const value = stats.get(stat.name);
      return value !== undefined && isOfKind(value, stat) ? value : undefined;
    });
    if (values.some((value) => value !== undefined)) this.#store.carry(names, countable(scope, values));
  }
}

interface WrittenGroup {
  readonly template: string;
  readonly names: readonly string[];
  readonly stats: readonly (readonly [string, WrittenStat])[];
}

interface CarriedGroup {
  readonly names: readonly string[];
  readonly stats: ReadonlyMap<string, WrittenStat>;
}

/** A counter, counts by status code, or a histogram. */
type WrittenStat = number | readonly (readonly [number, number])[] | HistogramData;

function writtenOf(group: SeriesGroup, { kind }: Stat, index: number): WrittenStat {
  if (kind === 'status-codes') return [...group.codes(index)];
  return kind === 'histogram' ? group.histogram(index).data() : group.value(index);
}

function countable(scope: StatScope, values: readonly (WrittenStat | undefined)[]): Countable {
  return {
    scope,
    value: (index) => values[index] as number,
    isUsed: (index) => values[index] !== undefined,
    codes: (index) => new Map(values[index] as readonly (readonly [number, number])[]),
    histogram: (index) => HistogramSummary.from(values[index] as HistogramData),
  };
}

function isOfKind(value: WrittenStat, { kind }: Stat): boolean {
  if (kind === 'counter') return typeof value === 'number';
  if (kind === 'status-codes') return Array.isArray(value);
  return kind === 'histogram' && typeof value === 'object' && !Array.isArray(value);
}

// The writer is a proxy of our own user, maybe of another version: what is not of this form is not read at all.
function parseGroups(text: string): readonly WrittenGroup[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  return Array.isArray(value) && value.every(isGroup) ? value : undefined;
}

function isGroup(value: unknown): value is WrittenGroup {
  if (typeof value !== 'object' || value === null) return false;
  const { template, names, stats } = value as Partial<Record<keyof WrittenGroup, unknown>>;
  return (
    typeof template === 'string' &&
    Array.isArray(names) &&
    names.every((name) => typeof name === 'string') &&
    Array.isArray(stats) &&
    stats.every((stat) => Array.isArray(stat) && stat.length === 2 && typeof stat[0] === 'string' && isStat(stat[1]))
  );
}

function isStat(value: unknown): value is WrittenStat {
  if (typeof value === 'number') return true;
  if (Array.isArray(value)) return value.every(isPair);
  if (typeof value !== 'object' || value === null) return false;
  const { sum, min, max, counts } = value as Partial<Record<keyof HistogramData, unknown>>;
  return [sum, min, max].every((each) => typeof each === 'number') && Array.isArray(counts) && counts.every(isPair);
}

function isPair(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every((each) => Number.isSafeInteger(each));
}

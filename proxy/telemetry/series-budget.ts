// How many series are exported of what grows with names: clusters, routes with a `stat_prefix`, keys of requests.
//
// A monitoring system pays for every series, and a name too many in a configuration can make thousands. Up to the budget
// every name has series of its own; beyond it names are counted together as `other`, the least recently used first. A
// series is one metric with one set of labels, as in OpenTelemetry (a histogram is one, whatever its buckets), and only
// what was ever used counts. `/stats` shows all names, as Envoy does, and is not bounded by this.

import { BoundedName, isBounded, nameOf, otherNames } from './bounded-name.ts';
import { IdleGroup } from './idle-group.ts';
import { OtherGroup, ReturnedGroup } from './other-group.ts';
import { expiredRequestStats, requestStats } from './request-stats.ts';
import type { SeriesGroup, StatGroup } from './stat-group.ts';
import type { StatTags } from './stat-tags.ts';
import { type Countable, StatTotals } from './stat-totals.ts';
import type { StatBlock } from './stats.ts';
import type { StatsStore } from './stats-store.ts';
import type { WorkerStats } from './worker-stats.ts';

export interface SeriesBudgetOptions {
  readonly store: StatsStore;
  /** Of the main thread: for what the budget itself counts. */
  readonly stats: WorkerStats;
  readonly maxSeries: number;
  /** How series are called where a bootstrap has tags of its own. */
  readonly tags?: StatTags | undefined;
  /** Monotonic, ms. */
  readonly clock: () => number;
}

export interface BudgetReport {
  readonly maxSeries: number;
  /** Series of bounded names now, those of `other` included. */
  readonly series: number;
  /** Of them, those of `other`. */
  readonly seriesOfOther: number;
  /** Names with series of their own. */
  readonly names: number;
  /** Names that are counted in `other`. */
  readonly namesInOther: number;
  /** Names that nobody used for so long that only their gauges are exported. */
  readonly idleNames: number;
  /** Times that a name lost its series to others, and that one got them back, since the start. */
  readonly displaced: number;
  readonly returned: number;
  /** Series of requests that were given up because nobody used them. */
  readonly expired: number;
}

/** A name that was used less recently makes room, but not at once: a series that comes and goes costs more than it tells. */
const displacedAfterMs = 60_000;

export class SeriesBudget {
  readonly #options: SeriesBudgetOptions;
  readonly #names = new Map<string, BoundedName>();
  /** By scope and names. */
  readonly #others = new Map<string, OtherGroup>();
  readonly #expiredBlocks = new Map<string, StatBlock>();
  #known: readonly StatGroup[] = [];
  #unbounded: readonly StatGroup[] = [];
  #displaced = 0;
  #returned = 0;
  #expired = 0;

  constructor(options: SeriesBudgetOptions) {
    this.#options = options;
    options.store.observe({ onGone: (group) => this.#onGone(group), onReset: () => this.#onReset() });
  }

  get tags(): StatTags | undefined {
    return this.#options.tags;
  }

  /** What is to be exported now, by prefix. Keeps the budget; called before each export. */
  groups(): readonly SeriesGroup[] {
    this.#update();
    const groups: SeriesGroup[] = [...this.#unbounded, ...this.#others.values()];
    for (const name of this.#own()) {
      name.wasExported = true;
      for (const group of name.groups) {
        if (name.isIdle) {
          groups.push(new IdleGroup(group, name.life(group)));
          continue;
        }
        name.show(group);
        const counted = name.countedInOther.get(group);
        groups.push(counted === undefined ? group : new ReturnedGroup(group, counted, name.life(group)));
      }
    }
    return groups.sort((left, right) => (left.prefix < right.prefix ? -1 : 1));
  }

  /** As of the last `groups`. */
  report(): BudgetReport {
    const own = this.#own();
    const seriesOfOther = this.#seriesOfOther();
    return {
      maxSeries: this.#options.maxSeries,
      series: sumOfSeries(own) + seriesOfOther,
      seriesOfOther,
      names: own.length,
      namesInOther: this.#names.size - own.length,
      idleNames: own.filter(({ isIdle }) => isIdle).length,
      displaced: this.#displaced,
      returned: this.#returned,
      expired: this.#expired,
    };
  }

  #update(): void {
    const nowMs = this.#options.clock();
    this.#learn(nowMs);
    for (const name of this.#names.values()) {
      if (!name.measure(nowMs) || name.place !== 'other') continue;
      for (const group of name.groups) this.#other(group).noteUse(group);
    }
    this.#shrink();
    this.#admit(nowMs);
    // Those that now came to `other` may have used what nobody in it had.
    this.#shrink();
    // The first that are displaced make the count of those that expired.
    this.#learn(nowMs);
  }

  /** Groups come here; they go in `#onGone`. */
  #learn(nowMs: number): void {
    const groups = this.#options.store.groups();
    if (groups === this.#known) return;
    this.#known = groups;
    this.#unbounded = groups.filter((group) => !isBounded(group));
    for (const group of groups) {
      if (!isBounded(group)) continue;
      const key = nameOf(group);
      let name = this.#names.get(key);
      if (name === undefined) {
        name = new BoundedName(nowMs);
        this.#names.set(key, name);
      }
      if (name.groups.has(group)) continue;
      name.add(group);
      if (name.place === 'other') this.#other(group).add(group, null);
    }
  }

  /** What has series may have got more of them. The least recently used leave, of those the last that came or the idlest. */
  #shrink(): void {
    const own = this.#own().reverse();
    let ownSeries = sumOfSeries(own);
    if (ownSeries + this.#seriesOfOther() <= this.#options.maxSeries) return;
    own.sort(
      (left, right) =>
        left.usedAtMs - right.usedAtMs || right.ownSinceMs - left.ownSinceMs || left.gained - right.gained,
    );
    for (const name of own) {
      ownSeries -= name.series;
      this.#displace(name);
      if (ownSeries + this.#seriesOfOther() <= this.#options.maxSeries) return;
    }
  }

  /** Gives series to names without, the most recently used and of those the busiest first. The rest is `other`. */
  #admit(nowMs: number): void {
    const waiting = [...this.#names.values()].filter(({ place }) => place !== 'own');
    if (waiting.length === 0) return;
    waiting.sort((left, right) => right.usedAtMs - left.usedAtMs || right.gained - left.gained);
    const own = this.#own();
    const idle = own.filter(({ usedAtMs }) => nowMs - usedAtMs >= displacedAfterMs);
    idle.sort((left, right) => right.usedAtMs - left.usedAtMs);
    let ownSeries = sumOfSeries(own);
    for (const name of waiting) {
      const room = (): number => this.#options.maxSeries - ownSeries - this.#seriesOfOther();
      for (let idlest = idle.at(-1); room() < name.series; idlest = idle.at(-1)) {
        if (idlest === undefined || idlest.usedAtMs >= name.usedAtMs || name.isOther) break;
        idle.pop();
        ownSeries -= idlest.series;
        this.#displace(idlest);
      }
      if (!name.isOther && room() >= name.series) {
        this.#give(name, nowMs);
        ownSeries += name.series;
      } else if (name.place === 'new') {
        for (const group of name.groups) this.#other(group).add(group, null);
        name.place = 'other';
      }
    }
  }

  #give(name: BoundedName, nowMs: number): void {
    if (name.place === 'other') {
      if (name.wasExported) this.#returned++;
      for (const group of name.groups) {
        this.#other(group).remove(group, name.totalsInOther(group));
        // Displaced again before an export, it has counted in `other` up to here.
        name.show(group);
      }
    }
    name.place = 'own';
    name.ownSinceMs = nowMs;
  }

  #displace(name: BoundedName): void {
    if (name.wasExported) this.#displaced++;
    for (const group of name.groups) {
      // What no export has shown yet is counted in `other`, be it since the last one or from its beginning.
      const shown = name.takeShown(group);
      if (shown !== null && isOfRequests(group)) this.#keepExpired(group, name, shown);
      this.#other(group).add(group, shown);
    }
    name.place = 'other';
    name.wake();
  }

  #onGone(group: StatGroup): void {
    if (!isBounded(group)) return;
    const key = nameOf(group);
    // It may have come and gone between two exports.
    const name = this.#names.get(key) ?? new BoundedName(0);
    if (name.remove(group) && name.place === 'other') {
      this.#other(group).remove(group, name.totalsInOther(group));
    }
    if (isOfRequests(group)) this.#keepExpired(group, name, group);
    name.countedInOther.delete(group);
    if (name.groups.size === 0) this.#names.delete(key);
  }

  // A series of requests ends for good, with what it has `counted`: returned, it begins at 0.
  #keepExpired(group: StatGroup, name: BoundedName, counted: Countable): void {
    const inOther = name.totalsInOther(group);
    const requests = counted.value(requestStats.requestsTotal) - inOther.value(requestStats.requestsTotal);
    if (requests === 0) return;
    this.#expired++;
    const ended = new StatTotals(group.scope);
    ended.add(counted);
    name.countedInOther.set(group, ended);
    const names = group.names.slice(-2);
    const id = names.join('\0');
    const block = this.#expiredBlocks.get(id) ?? this.#options.stats.block(expiredRequestStats, ...names);
    this.#expiredBlocks.set(id, block);
    block.add(expiredRequestStats.requestsExpiredTotal, requests);
  }

  #onReset(): void {
    for (const other of this.#others.values()) other.resetCounters();
    for (const name of this.#names.values()) name.resetCounters();
  }

  #own(): BoundedName[] {
    return [...this.#names.values()].filter(({ place }) => place === 'own');
  }

  #other({ scope, names }: StatGroup): OtherGroup {
    const inOther = otherNames(scope, names);
    const key = `${scope.template}\0${scope.stats[0]!.name}\0${inOther.join('\0')}`;
    const known = this.#others.get(key);
    if (known !== undefined) return known;
    const other = new OtherGroup(scope, inOther);
    this.#others.set(key, other);
    return other;
  }

  #seriesOfOther(): number {
    let series = 0;
    for (const other of this.#others.values()) series += other.series;
    return series;
  }
}

function isOfRequests({ scope }: StatGroup): boolean {
  return scope.template === requestStats.scope.template;
}

function sumOfSeries(names: readonly BoundedName[]): number {
  let sum = 0;
  for (const { series } of names) sum += series;
  return sum;
}

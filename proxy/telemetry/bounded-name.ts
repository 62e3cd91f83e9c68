// A name that the budget of series bounds: all groups of one cluster, of one route, of one TCP proxy, of one key of requests.
// They are exported under that name or in `other`, together.

import { staysOfIdle } from './idle-group.ts';
import { idleSeriesMs } from './request-metrics.ts';
import { otherName } from './request-stats.ts';
import type { StatGroup } from './stat-group.ts';
import { labelNames } from './stat-scope.ts';
import { StatTotals } from './stat-totals.ts';
import type { Stat, StatScope } from './stats.ts';

/**
 * Of these there is a cluster or route for each name; Istio calls a TCP proxy as its cluster. Listeners are few, and their ports
 * are not made by a mesh.
 */
const boundedTemplates: readonly string[] = ['cluster.{', 'vhost.{', 'tcp.{'];
/** Labels that are kept in `other`: they have few values, and without them nobody sees errors in it. */
const labelsOfOther: ReadonlySet<string> = new Set([
  ...['status', 'grpc_status', 'reason'],
  ...['reporter', 'request_protocol', 'response_code'],
]);

export function isBounded({ scope, names }: StatGroup): boolean {
  if (scope.vocabulary !== 'envoy') return labelNames(scope).some((label) => !labelsOfOther.has(label));
  return names.length > 0 && boundedTemplates.some((start) => scope.template.startsWith(start));
}

/** The name that a bounded group belongs to. */
export function nameOf({ scope, names }: StatGroup): string {
  const isCluster = scope.template.startsWith('cluster.{');
  return isCluster ? `cluster\0${names[0]}` : `${scope.template}\0${names.join('\0')}`;
}

/** The names that `other` has in place of these. */
export function otherNames(scope: StatScope, names: readonly string[]): readonly string[] {
  return labelNames(scope).map((label, index) => (labelsOfOther.has(label) ? names[index]! : otherName));
}

export class BoundedName {
  readonly groups = new Set<StatGroup>();
  /** What groups with series of their own have counted in `other` before. */
  readonly countedInOther = new Map<StatGroup, StatTotals>();
  /** Nothing was counted for so long that only its gauges are exported. */
  isIdle = false;
  /** Of groups whose series ended at least once: what those that they have now are told from earlier ones by. */
  readonly #lives = new WeakMap<StatGroup, object>();
  /** What the last export has shown of groups with series of their own, `countedInOther` included. */
  readonly #shown = new Map<StatGroup, { readonly counted: number; readonly totals: StatTotals }>();
  place: 'new' | 'own' | 'other' = 'new';
  ownSinceMs = 0;
  /** With series of its own, at any time. */
  wasExported = false;
  /** When requests were last seen to be counted. */
  usedAtMs: number;
  /** What was counted between the last two looks. */
  gained = 0;
  /** How many it needs. */
  series = 0;
  /** It is called as `other` is, and can have no series of its own. */
  isOther = false;
  #activity = 0;

  constructor(nowMs: number) {
    this.usedAtMs = nowMs;
  }

  add(group: StatGroup): void {
    this.groups.add(group);
    const inOther = otherNames(group.scope, group.names);
    this.isOther = inOther.every((name, index) => name === group.names[index]);
  }

  totalsInOther(group: StatGroup): StatTotals {
    const known = this.countedInOther.get(group) ?? new StatTotals(group.scope);
    this.countedInOther.set(group, known);
    return known;
  }

  /**
   * Takes down what an export shows of a group: displaced, it counts in `other` from there on, and not from when it is
   * displaced. Codes and histograms are recorded beside counters, so that a group whose counters stand is as it was. What
   * a worker counts until the export has read it is there twice, should the name be displaced next.
   */
  show(group: StatGroup): void {
    const { counted } = group.use();
    if (this.#shown.get(group)?.counted === counted) return;
    const totals = new StatTotals(group.scope);
    totals.add(group);
    this.#shown.set(group, { counted, totals });
  }

  /** The last export of its own series is over: takes what that has shown, or null when it has shown nothing. */
  takeShown(group: StatGroup): StatTotals | null {
    const totals = this.#shown.get(group)?.totals ?? null;
    this.#shown.delete(group);
    return totals;
  }

  life(group: StatGroup): object {
    return this.#lives.get(group) ?? group;
  }

  // What was shown stays with the series that end: they begin again at 0.
  #end(): void {
    this.isIdle = true;
    for (const group of this.groups) {
      const shown = this.#shown.get(group)?.totals;
      if (shown === undefined) continue;
      const ended = new StatTotals(group.scope);
      ended.add(shown);
      this.countedInOther.set(group, ended);
      this.#lives.set(group, {});
    }
  }

  /** Beside others nobody is idle: series of its own, it would need all of them at once. */
  wake(): void {
    if (!this.isIdle) return;
    this.isIdle = false;
    this.series = 0;
    for (const group of this.groups) this.series += group.use().series;
  }

  remove(group: StatGroup): boolean {
    this.#shown.delete(group);
    return this.groups.delete(group);
  }

  resetCounters(): void {
    for (const totals of this.countedInOther.values()) totals.resetCounters();
    for (const [group, { totals }] of this.#shown) {
      totals.resetCounters();
      this.#shown.set(group, { counted: 0, totals });
    }
  }

  /** Looks what was used since. Returns whether there are series that were not there before. */
  measure(nowMs: number): boolean {
    let activity = 0;
    let series = 0;
    for (const group of this.groups) {
      const use = group.use();
      series += use.series;
      if (!isOfControlPlane(group.scope)) activity += use.counted;
    }
    this.gained = activity - this.#activity;
    this.#activity = activity;
    if (this.gained !== 0) {
      this.usedAtMs = nowMs;
      this.isIdle = false;
    } else if (this.#endsAt(nowMs)) this.#end();
    if (this.isIdle) series = this.#gauges();
    const hasMore = series !== this.series;
    this.series = series;
    return hasMore;
  }

  /** Keys of requests are given up by their workers, with their memory. */
  #endsAt(nowMs: number): boolean {
    if (this.isIdle || this.place !== 'own' || nowMs - this.usedAtMs < idleSeriesMs) return false;
    for (const { scope } of this.groups) if (scope.vocabulary !== 'envoy') return false;
    return this.wasExported;
  }

  #gauges(): number {
    let gauges = 0;
    for (const group of this.groups) {
      for (const index of group.scope.stats.keys()) {
        if (staysOfIdle(group, index) && group.isShown(index) && group.isUsed(index)) gauges++;
      }
    }
    return gauges;
  }
}

/**
 * Members are looked up again and again, also of a cluster that nobody uses, and secrets are renewed for all at once: nobody
 * would be less recently used than those that are called.
 */
function isOfControlPlane({ stats }: StatScope): boolean {
  const [{ name }] = stats as readonly [Stat];
  return name === 'membership_change' || name === 'ssl_context_update_by_sds';
}

// Statistics of clusters that nobody has called yet. A cluster has counters from its first request on, so that 10,000 of
// them cost nothing; but it is there, as it is in Envoy: its members, and zeros. They are made while a text is written, of
// what is configured, and nothing of them is kept.

import type { CircuitBreaker, Cluster } from '../../config/cluster.ts';
import { type LoadAssignment, takesRequests } from '../../config/endpoint.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import { circuitBreakerStats, clusterStats } from './cluster-stats.ts';
import { HistogramSummary } from './histogram.ts';
import type { SeriesGroup } from './stat-group.ts';
import { scopeLabels, scopePrefix } from './stat-scope.ts';
import type { StatScope } from './stats.ts';
import type { StatsStore } from './stats-store.ts';

export type ConfiguredClusters = Pick<Snapshot, 'clusters' | 'assignments'>;

interface Uncalled {
  readonly prefix: string;
  readonly name: string;
  readonly cluster: Cluster;
}

/**
 * All groups of the store by prefix, and between them those of the clusters that it has nothing of: each time it is called.
 * An answer walks them twice, for numbers and for histograms. To put 10,000 clusters in order takes 32 ms of the 300 of an
 * answer, to look which were called since then 1 ms (least of 200).
 */
export function groupsWithUncalled(
  store: StatsStore,
  configured: ConfiguredClusters | null,
): () => Generator<SeriesGroup, void> {
  let ordered: readonly Uncalled[] | null = null;
  return function* groups() {
    ordered ??= uncalledInOrder(store, configured);
    // Nothing may happen between this and the first look at the store's own groups.
    yield* merged(store, stillUncalled(store, ordered), configured);
  };
}

function* merged(
  store: StatsStore,
  uncalled: readonly Uncalled[],
  configured: ConfiguredClusters | null,
): Generator<SeriesGroup, void> {
  let next = 0;
  // What else is counted of a cluster under the same names, as of its discovery, follows what it has of its own at once.
  let breakers: readonly SeriesGroup[] = [];
  let prefix = '';
  for (const group of store.groups()) {
    if (group.prefix !== prefix) {
      yield* breakers;
      breakers = [];
      prefix = group.prefix;
      for (; next < uncalled.length && uncalled[next]!.prefix < prefix; next++) {
        yield* groupsOf(uncalled[next]!, store, configured!);
      }
      if (uncalled[next]?.prefix === prefix) {
        const [own, ...others] = groupsOf(uncalled[next++]!, store, configured!);
        yield own!;
        breakers = others;
      }
    }
    yield group;
  }
  yield* breakers;
  for (; next < uncalled.length; next++) yield* groupsOf(uncalled[next]!, store, configured!);
}

/** Their members alone, of so many clusters that there are no more than `maxSeries`: each of those is watched for ever. */
export function uncalledMembers(
  store: StatsStore,
  configured: ConfiguredClusters | null,
  maxSeries: number,
): readonly SeriesGroup[] {
  const groups: SeriesGroup[] = [];
  const room = Math.floor(maxSeries / memberGauges.size);
  for (const each of stillUncalled(store, uncalledInOrder(store, configured))) {
    if (groups.length >= room) break;
    const members = membersOf(each, configured!);
    if (members !== null)
      groups.push(new UncalledGroup(clusterStats.scope, each, { store, values: members, isWhole: false }));
  }
  return groups;
}

/** By the names of their statistics. Some may share one, in which a colon is written as an underscore. */
function uncalledInOrder(store: StatsStore, configured: ConfiguredClusters | null): readonly Uncalled[] {
  const uncalled: Uncalled[] = [];
  const called = new Set<string>();
  for (const [name, cluster] of configured?.clusters ?? []) {
    const prefix = scopePrefix(clusterStats.scope, [cluster.statName]);
    if (isCalled(store, cluster)) called.add(prefix);
    else uncalled.push({ prefix, name, cluster });
  }
  uncalled.sort((left, right) => (left.prefix < right.prefix ? -1 : 1));
  return uncalled.filter(({ prefix }) => !called.has(prefix));
}

/** Those that nobody has called since, one of each name. */
function stillUncalled(store: StatsStore, ordered: readonly Uncalled[]): readonly Uncalled[] {
  const called = new Set<string>();
  for (const { prefix, cluster } of ordered) if (isCalled(store, cluster)) called.add(prefix);
  return ordered.filter(({ prefix }, index) => prefix !== ordered[index - 1]?.prefix && !called.has(prefix));
}

function isCalled(store: StatsStore, { statName }: Cluster): boolean {
  return store.get(clusterStats, statName) !== undefined;
}

function* groupsOf(uncalled: Uncalled, store: StatsStore, configured: ConfiguredClusters): Generator<SeriesGroup> {
  const { circuitBreakers } = uncalled.cluster;
  const make = (scope: StatScope, values: Values): SeriesGroup =>
    new UncalledGroup(scope, uncalled, { store, values, isWhole: true });
  yield make(clusterStats.scope, membersOf(uncalled, configured) ?? noValues);
  yield make(circuitBreakerStats.default.scope, remainingOf(circuitBreakers.default));
  yield make(circuitBreakerStats.high.scope, remainingOf(circuitBreakers.high));
}

/** What is known, by the index of a stat; all else is 0. */
type Values = ReadonlyMap<number, number>;

const noValues: Values = new Map();

const { membershipTotal, membershipHealthy, membershipDegraded } = clusterStats;
const memberGauges: ReadonlySet<number> = new Set([membershipTotal, membershipHealthy, membershipDegraded]);

/** Null before it is known who they are. */
function membersOf({ name }: Uncalled, { assignments }: ConfiguredClusters): Values | null {
  const assignment = assignments.get(name);
  return assignment === undefined ? null : countMembers(assignment);
}

function countMembers({ localities }: LoadAssignment): Values {
  let [total, healthy, degraded] = [0, 0, 0];
  for (const { endpoints } of localities) {
    for (const { health } of endpoints) {
      total++;
      if (health === 'degraded') degraded++;
      else if (takesRequests(health)) healthy++;
    }
  }
  return new Map([
    [membershipTotal, total],
    [membershipHealthy, healthy],
    [membershipDegraded, degraded],
  ]);
}

function remainingOf(breaker: CircuitBreaker): Values {
  if (!breaker.trackRemaining) return noValues;
  const { remainingCx, remainingPending, remainingRetries, remainingRq } = circuitBreakerStats.default;
  return new Map([
    [remainingCx, breaker.maxConnections],
    [remainingPending, breaker.maxPendingRequests],
    [remainingRetries, breaker.retryBudget === undefined ? breaker.maxRetries : 0],
    [remainingRq, breaker.maxRequests],
  ]);
}

/** Those that come with the first response, in Envoy too. */
const laterStats = /^upstream_rq_(\dxx|time)$/;

/** By index: which are there before. 10,000 clusters have a million of them. */
const earlyStats = new Map<StatScope, readonly boolean[]>();

function earlyStatsOf(scope: StatScope): readonly boolean[] {
  let early = earlyStats.get(scope);
  if (early === undefined) {
    early = scope.stats.map(
      (stat) => !laterStats.test(stat.name) && !(stat.kind === 'gauge' && stat.show !== undefined),
    );
    earlyStats.set(scope, early);
  }
  return early;
}

interface UncalledOptions {
  readonly store: StatsStore;
  readonly values: Values;
  /** Zeros are shown, too. */
  readonly isWhole: boolean;
}

class UncalledGroup implements SeriesGroup {
  readonly scope: StatScope;
  readonly names: readonly string[];
  readonly prefix: string;
  readonly life: object;
  readonly #options: UncalledOptions;
  readonly #early: readonly boolean[];

  constructor(scope: StatScope, { cluster }: Uncalled, options: UncalledOptions) {
    this.scope = scope;
    this.names = [cluster.statName];
    this.prefix = scopePrefix(scope, this.names);
    this.life = cluster;
    this.#options = options;
    this.#early = earlyStatsOf(scope);
  }

  get labels(): string {
    return scopeLabels(this.scope, this.names);
  }

  value(index: number): number {
    return this.#options.values.get(index) ?? 0;
  }

  isShown(index: number): boolean {
    const { store, values, isWhole } = this.#options;
    if (!values.has(index) && !(isWhole && this.#early[index])) return false;
    return store.showsAll || store.shows(this.scope.vocabulary, this.prefix + this.scope.stats[index]!.name);
  }

  isUsed(index: number): boolean {
    return this.#options.values.has(index);
  }

  codes(): ReadonlyMap<number, number> {
    return new Map();
  }

  histogram(): HistogramSummary {
    return new HistogramSummary();
  }

  interval(): HistogramSummary {
    return new HistogramSummary();
  }
}

// Metrics as every export shows them: all series of one metric together, where the store has all metrics of one scope
// together. So the metrics are listed first (a few hundred, whatever the number of clusters), then each walks over the
// groups that have it.

import type { SeriesGroup } from './stat-group.ts';
import { metricOf } from './stat-scope.ts';
import type { StatTags } from './stat-tags.ts';
import type { Stat, StatScope } from './stats.ts';
import { type StatsQuery, wantsKind } from './stats-query.ts';

/** All groups, or what a budget leaves of them. */
export interface SeriesSource {
  groups(): readonly SeriesGroup[];
  /** Undefined: labels are those of Envoy's default tags. */
  readonly tags?: StatTags | undefined;
}

export interface MetricFamily {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly series: Iterable<MetricSeries>;
}

export interface MetricSeries {
  /** As they stand between braces. */
  readonly labels: string;
  readonly group: SeriesGroup;
  readonly index: number;
  /** Envoy's name of the stat, by which buckets are configured. */
  readonly fullName: string;
  /** Of a counter or gauge; NaN of a histogram. */
  readonly value: number;
}

interface Member {
  readonly scope: StatScope;
  readonly index: number;
  readonly label: string;
}

/** Counters first, then gauges, then histograms, each by name: Envoy's order. Values are read as series are walked over, once. */
export function metricFamilies(source: SeriesSource, query: StatsQuery): readonly MetricFamily[] {
  const families = untaggedFamilies(source, query);
  return source.tags === undefined ? families : taggedFamilies(families, source.tags);
}

/** By names and labels that patterns find: stats of one scope may be of any metric. */
function taggedFamilies(untagged: readonly MetricFamily[], tags: StatTags): readonly MetricFamily[] {
  const families = new Map<string, Omit<MetricFamily, 'series'> & { readonly series: MetricSeries[] }>();
  for (const { name: givenName, type, series } of untagged) {
    for (const each of series) {
      const isEnvoys = each.group.scope.vocabulary === 'envoy';
      const { name, labels } = isEnvoys
        ? tags.read(each.group, each.fullName)
        : { name: givenName, labels: joinLabels(tags.fixedLabels, each.labels) };
      const key = `${typeOrder.indexOf(type)} ${name}`;
      const family = families.get(key) ?? { name, type, series: [] };
      family.series.push({ ...each, labels });
      families.set(key, family);
    }
  }
  return [...families].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, family]) => family);
}

function untaggedFamilies(source: SeriesSource, query: StatsQuery): readonly MetricFamily[] {
  const groups = Map.groupBy(source.groups(), ({ scope }) => scope);
  return membersByMetric(groups.keys()).map(([name, { type, members }]) => {
    return { name, type, series: seriesOf(members, groups, query) };
  });
}

const typeOrder = ['counter', 'gauge', 'histogram'];

function membersByMetric(scopes: Iterable<StatScope>): [string, { type: MetricFamily['type']; members: Member[] }][] {
  const metrics = new Map<string, { type: MetricFamily['type']; members: Member[] }>();
  for (const scope of scopes) {
    scope.stats.forEach((stat, index) => {
      const { name, label } = metricOf(scope, stat);
      const type = stat.kind === 'status-codes' ? 'counter' : stat.kind;
      const family = metrics.get(name) ?? { type, members: [] };
      family.members.push({ scope, index, label });
      metrics.set(name, family);
    });
  }
  return [...metrics].sort(
    ([left, { type: leftType }], [right, { type: rightType }]) =>
      typeOrder.indexOf(leftType) - typeOrder.indexOf(rightType) || (left < right ? -1 : 1),
  );
}

function* seriesOf(
  members: readonly Member[],
  groups: ReadonlyMap<StatScope, readonly SeriesGroup[]>,
  query: StatsQuery,
): Generator<MetricSeries> {
  for (const { scope, index, label } of members) {
    const stat = scope.stats[index]!;
    if (!wantsKind(query, stat.kind)) continue;
    for (const group of groups.get(scope)!) {
      if (!group.isShown(index) || (query.usedOnly && !group.isUsed(index))) continue;
      if (stat.kind === 'status-codes') yield* codeSeries({ group, stat, index }, query);
      else if (query.accepts === null || query.accepts(group.prefix + stat.name)) {
        const value = stat.kind === 'histogram' ? Number.NaN : group.value(index);
        const fullName = group.prefix + stat.name;
        yield { labels: joinLabels(label, group.labels), group, index, fullName, value };
      }
    }
  }
}

function* codeSeries(
  { group, stat, index }: { group: SeriesGroup; stat: Stat; index: number },
  { accepts }: StatsQuery,
): Generator<MetricSeries> {
  for (const [code, value] of group.codes(index)) {
    const fullName = `${group.prefix}${stat.name}_${code}`;
    if (accepts !== null && !accepts(fullName)) continue;
    yield { labels: joinLabels(`envoy_response_code="${code}"`, group.labels), group, index, fullName, value };
  }
}

export function joinLabels(first: string, second: string): string {
  return first === '' || second === '' ? first + second : `${first},${second}`;
}

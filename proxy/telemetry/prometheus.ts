// `/stats/prometheus`: the text exposition format, with Envoy's metric names and labels.
// https://prometheus.io/docs/instrumenting/exposition_formats/
//
// The format wants all series of a metric together, the store has all metrics of a scope together: so the metrics are
// listed first (a few hundred, whatever the number of clusters), then each walks over the groups that have it.

import { type HistogramSummary, reportedQuantiles } from './histogram.ts';
import { boundsOf, type HistogramBuckets } from './histogram-text.ts';
import type { StatGroup } from './stat-group.ts';
import { metricOf } from './stat-scope.ts';
import type { Stat, StatScope } from './stats.ts';
import type { StatsQuery } from './stats-query.ts';
import { wantsKind } from './stats-query.ts';
import type { StatsStore } from './stats-store.ts';
import { pieceLength } from './stats-text.ts';

/** The text, in pieces. Histograms are quantiles of the last interval when a summary is asked for, else buckets. */
export function* prometheusText(store: StatsStore, query: StatsQuery, buckets: HistogramBuckets): Generator<string> {
  const groups = Map.groupBy(store.groups(), (group) => group.scope);
  let piece = '';
  for (const [name, metric] of metricsOf(groups.keys())) {
    const isSummary = metric.type === 'histogram' && query.histograms === 'summary';
    let header = `# TYPE ${name} ${isSummary ? 'summary' : metric.type}\n`;
    for (const { scope, index, label } of metric.members) {
      for (const group of groups.get(scope)!) {
        const series = { name, stat: scope.stats[index]!, index, label };
        const lines = seriesText(series, group, { query, buckets });
        if (lines === '') continue;
        piece += header + lines;
        header = '';
        if (piece.length < pieceLength) continue;
        yield piece;
        piece = '';
      }
    }
  }
  if (piece !== '') yield piece;
}

interface MetricFamily {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly members: { readonly scope: StatScope; readonly index: number; readonly label: string }[];
}

const typeOrder = ['counter', 'gauge', 'histogram'];

// Counters first, then gauges, then histograms, each by name: Envoy's order.
function metricsOf(scopes: Iterable<StatScope>): [string, MetricFamily][] {
  const metrics = new Map<string, MetricFamily>();
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

interface Series {
  readonly name: string;
  readonly stat: Stat;
  readonly index: number;
  readonly label: string;
}

interface Selection {
  readonly query: StatsQuery;
  readonly buckets: HistogramBuckets;
}

function seriesText(series: Series, group: StatGroup, selection: Selection): string {
  const { query, buckets } = selection;
  const { usedOnly, accepts } = query;
  const { name, stat, index } = series;
  if (!wantsKind(query, stat.kind)) return '';
  if (usedOnly && !group.isUsed(index)) return '';
  const fullName = group.prefix + stat.name;
  if (stat.kind === 'status-codes') {
    let lines = '';
    for (const [code, count] of group.codes(index)) {
      if (accepts !== null && !accepts(`${fullName}_${code}`)) continue;
      lines += `${name}{${joinLabels(`envoy_response_code="${code}"`, group.labels)}} ${count}\n`;
    }
    return lines;
  }
  if (accepts !== null && !accepts(fullName)) return '';
  const allLabels = joinLabels(series.label, group.labels);
  if (stat.kind !== 'histogram') return `${name}{${allLabels}} ${group.value(index)}\n`;
  if (query.histograms === 'summary') {
    return summaryText(name, allLabels, { total: group.histogram(index), interval: group.interval(index) });
  }
  return bucketsText(name, allLabels, { total: group.histogram(index), bounds: boundsOf(fullName, buckets) });
}

function bucketsText(
  name: string,
  labels: string,
  { total, bounds }: { total: HistogramSummary; bounds: readonly number[] },
): string {
  const counts = total.cumulativeCounts(bounds);
  const lines = bounds.map((bound, at) => `${name}_bucket{${joinLabels(labels, `le="${bound}"`)}} ${counts[at]}\n`);
  lines.push(`${name}_bucket{${joinLabels(labels, 'le="+Inf"')}} ${total.count}\n`, totalsText(name, labels, total));
  return lines.join('');
}

function summaryText(
  name: string,
  labels: string,
  { total, interval }: { total: HistogramSummary; interval: HistogramSummary },
): string {
  const values = interval.quantiles(reportedQuantiles);
  const lines = reportedQuantiles.map(
    (quantile, at) => `${name}{${joinLabels(labels, `quantile="${quantile}"`)}} ${values[at]}\n`,
  );
  return `${lines.join('')}${totalsText(name, labels, total)}`;
}

function totalsText(name: string, labels: string, total: HistogramSummary): string {
  return `${name}_sum{${labels}} ${total.sum}\n${name}_count{${labels}} ${total.count}\n`;
}

function joinLabels(first: string, second: string): string {
  return first === '' || second === '' ? first + second : `${first},${second}`;
}

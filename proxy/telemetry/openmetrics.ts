// `/stats/prometheus` for who asks for OpenMetrics: the same samples under the same names, with exemplars.
// https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
//
// Prometheus prefers this format, so a scrape that gets it must store what it stored before. A counter of OpenMetrics ends
// in `_total`, and few of Envoy's do: the others are of unknown type, which changes no name. `_created` is left out: it
// is optional, and Prometheus stores it as one more series for each counter.

import type { Exemplar, Exemplars } from './exemplars.ts';
import { reportedQuantiles } from './histogram.ts';
import { boundsOf, type HistogramBuckets } from './histogram-text.ts';
import {
  joinLabels,
  type MetricFamily,
  type MetricSeries,
  metricFamilies,
  type SeriesSource,
} from './metric-family.ts';
import { requestStats } from './request-stats.ts';
import type { StatsQuery } from './stats-query.ts';
import { pieceLength } from './stats-text.ts';

export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

export interface OpenMetricsOptions {
  readonly buckets: HistogramBuckets;
  readonly exemplars: Pick<Exemplars, 'of'>;
}

/** The text, in pieces. Histograms are quantiles of the last interval when a summary is asked for, else buckets. */
export function* openMetricsText(
  source: SeriesSource,
  query: StatsQuery,
  options: OpenMetricsOptions,
): Generator<string> {
  const families = metricFamilies(source, query);
  const names = new Set(families.map(({ name }) => name));
  let piece = '';
  for (const { name, type, series } of families) {
    const isSummary = type === 'histogram' && query.histograms === 'summary';
    let header = isSummary ? `# TYPE ${name} summary\n` : headerOf({ name, type }, names);
    for (const each of series) {
      piece += header;
      header = '';
      if (type !== 'histogram') piece += `${name}${braced(each.labels)} ${each.value}\n`;
      else piece += isSummary ? summaryText(name, each) : bucketsText(name, each, options);
      if (piece.length < pieceLength) continue;
      yield piece;
      piece = '';
    }
  }
  yield `${piece}# EOF\n`;
}

// A family must not be called as a sample of another is: `envoy_cluster_upstream_rq_total` and `envoy_cluster_upstream_rq`
// (by status code) are two metrics of Envoy's, and would both be the family `envoy_cluster_upstream_rq`.
function headerOf({ name, type }: Pick<MetricFamily, 'name' | 'type'>, names: ReadonlySet<string>): string {
  if (type === 'counter') {
    const base = name.replace(/_total$/, '');
    return base === name || names.has(base) ? `# TYPE ${name} unknown\n` : `# TYPE ${base} counter\n`;
  }
  const unit = name.endsWith('_milliseconds') ? `# UNIT ${name} milliseconds\n` : '';
  return `# TYPE ${name} ${type}\n${unit}`;
}

function bucketsText(name: string, series: MetricSeries, { buckets, exemplars }: OpenMetricsOptions): string {
  const { group, index, labels, fullName } = series;
  const total = group.histogram(index);
  const bounds = boundsOf(fullName, buckets);
  const isOfRequests = group.scope.template === requestStats.scope.template;
  const byBucket = isOfRequests ? exemplars.of(group.names) : [];
  const line = (le: string, count: number, exemplar: Exemplar | undefined): string =>
    `${name}_bucket{${joinLabels(labels, `le="${le}"`)}} ${count}${exemplarText(exemplar)}\n`;
  const counts = total.cumulativeCounts(bounds);
  const lines = bounds.map((bound, at) => line(canonicalNumber(bound), counts[at]!, byBucket[at]));
  lines.push(line('+Inf', total.count, byBucket[bounds.length]), totalsText(name, series));
  return lines.join('');
}

function summaryText(name: string, series: MetricSeries): string {
  const { group, index, labels } = series;
  const values = group.interval(index).quantiles(reportedQuantiles);
  const lines = reportedQuantiles.map(
    (quantile, at) => `${name}{${joinLabels(labels, `quantile="${canonicalNumber(quantile)}"`)}} ${values[at]}\n`,
  );
  return `${lines.join('')}${totalsText(name, series)}`;
}

function totalsText(name: string, { group, index, labels }: MetricSeries): string {
  const { sum, count } = group.histogram(index);
  return `${name}_sum${braced(labels)} ${sum}\n${name}_count${braced(labels)} ${count}\n`;
}

/** At most 128 characters of names and values: 71 here. */
function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return '';
  const { traceId, spanId, durationMs, wallMs } = exemplar;
  return ` # {trace_id="${traceId}",span_id="${spanId}"} ${durationMs} ${(wallMs / 1000).toFixed(3)}`;
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}

/** As Go's `%g` writes it, with a `.0` when it looks like an integer: a bound is a label, whose text is its identity. */
export function canonicalNumber(value: number): string {
  if (value !== 0 && (value < 1e-4 || value >= 1e6)) {
    const [digits, exponent] = value.toExponential().split('e');
    return `${digits}e${exponent![0]}${exponent!.slice(1).padStart(2, '0')}`;
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

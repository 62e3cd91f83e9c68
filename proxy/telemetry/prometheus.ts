// `/stats/prometheus`: the text exposition format, with Envoy's metric names and labels.
// https://prometheus.io/docs/instrumenting/exposition_formats/

import { type HistogramSummary, reportedQuantiles } from './histogram.ts';
import { boundsOf, type HistogramBuckets } from './histogram-text.ts';
import { joinLabels, type MetricSeries, metricFamilies, type SeriesSource } from './metric-family.ts';
import type { StatsQuery } from './stats-query.ts';
import { pieceLength } from './stats-text.ts';

/** The text, in pieces. Histograms are quantiles of the last interval when a summary is asked for, else buckets. */
export function* prometheusText(source: SeriesSource, query: StatsQuery, buckets: HistogramBuckets): Generator<string> {
  let piece = '';
  for (const { name, type, series } of metricFamilies(source, query)) {
    const isSummary = type === 'histogram' && query.histograms === 'summary';
    let header = `# TYPE ${name} ${isSummary ? 'summary' : type}\n`;
    for (const each of series) {
      piece += header;
      header = '';
      if (type !== 'histogram') piece += `${name}{${each.labels}} ${each.value}\n`;
      else piece += isSummary ? summaryText(name, each) : bucketsText(name, each, buckets);
      if (piece.length < pieceLength) continue;
      yield piece;
      piece = '';
    }
  }
  if (piece !== '') yield piece;
}

function bucketsText(
  name: string,
  { group, index, labels, fullName }: MetricSeries,
  buckets: HistogramBuckets,
): string {
  const total = group.histogram(index);
  const bounds = boundsOf(fullName, buckets);
  const counts = total.cumulativeCounts(bounds);
  const lines = bounds.map((bound, at) => `${name}_bucket{${joinLabels(labels, `le="${bound}"`)}} ${counts[at]}\n`);
  lines.push(`${name}_bucket{${joinLabels(labels, 'le="+Inf"')}} ${total.count}\n`, totalsText(name, labels, total));
  return lines.join('');
}

function summaryText(name: string, { group, index, labels }: MetricSeries): string {
  const values = group.interval(index).quantiles(reportedQuantiles);
  const lines = reportedQuantiles.map(
    (quantile, at) => `${name}{${joinLabels(labels, `quantile="${quantile}"`)}} ${values[at]}\n`,
  );
  return `${lines.join('')}${totalsText(name, labels, group.histogram(index))}`;
}

function totalsText(name: string, labels: string, total: HistogramSummary): string {
  return `${name}_sum{${labels}} ${total.sum}\n${name}_count{${labels}} ${total.count}\n`;
}

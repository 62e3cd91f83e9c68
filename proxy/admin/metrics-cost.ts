// `/metrics/cost`: which metrics and labels make the series, and what the budget did about it.

import { type MetricsCost, metricsCost } from '../telemetry/metrics-cost.ts';
import { type AdminAnswer, type AdminRequest, failure, json, text } from './admin-answer.ts';
import type { AdminContext } from './admin-context.ts';

/** Lines of the longest table in the text; JSON has all. */
const shownMetrics = 30;

export function cost({ budget, buckets, refreshStats }: AdminContext, { query }: AdminRequest): AdminAnswer {
  const format = query.get('format') ?? 'text';
  if (format !== 'text' && format !== 'json') return failure(400, 'usage: /metrics/cost?format=(json|text)\n\n');
  refreshStats();
  const found = metricsCost(budget, buckets);
  return format === 'json' ? json(found) : text(costText(found));
}

function costText({ budget, series, samples, metrics, labels }: MetricsCost): string {
  const others = metrics.slice(shownMetrics);
  return [
    `${series} series are in use; with the buckets of histograms they are ${samples} samples a scrape.`,
    `Of clusters, routes and requests ${budget.series} of ${budget.maxSeries} (--max-stat-series): ` +
      `${budget.names} names have their own, ${budget.namesInOther} are counted as other (${budget.seriesOfOther} series).`,
    `Since the start ${budget.displaced} names were displaced by others, ${budget.returned} returned, ` +
      `and ${budget.expired} series of requests expired.`,
    '',
    'series  values  label',
    ...labels.map(({ name, values, series: count }) => `${column(count)}  ${column(values)}  ${name}`),
    '',
    'series samples  metric',
    ...metrics
      .slice(0, shownMetrics)
      .map(({ name, series: count, samples: lines }) => `${column(count)}  ${column(lines)}  ${name}`),
    ...(others.length === 0 ? [] : [`${column(sumOf(others))}          in ${others.length} others: ?format=json`]),
    '',
  ].join('\n');
}

function sumOf(metrics: MetricsCost['metrics']): number {
  return metrics.reduce((sum, { series }) => sum + series, 0);
}

function column(value: number): string {
  return String(value).padStart(6);
}

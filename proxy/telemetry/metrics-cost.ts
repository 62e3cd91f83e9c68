// What exported metrics cost: how many series each metric has and each label makes, most first. Only what was used counts,
// as in the budget and as `/stats/prometheus?usedonly` shows it.

import { boundsOf, type HistogramBuckets } from './histogram-text.ts';
import { metricFamilies } from './metric-family.ts';
import type { BudgetReport, SeriesBudget } from './series-budget.ts';
import { everyStat } from './stats-query.ts';

export interface MetricsCost {
  readonly budget: BudgetReport;
  /** Metrics with their labels; a histogram is one. */
  readonly series: number;
  /** Of the text format, where each bucket is one: what Prometheus calls series. */
  readonly samples: number;
  readonly metrics: readonly MetricCost[];
  readonly labels: readonly LabelCost[];
}

export interface MetricCost {
  readonly name: string;
  readonly series: number;
  readonly samples: number;
}

export interface LabelCost {
  readonly name: string;
  readonly values: number;
  /** That have it. */
  readonly series: number;
}

export function metricsCost(budget: Pick<SeriesBudget, 'groups' | 'report'>, buckets: HistogramBuckets): MetricsCost {
  const metrics: MetricCost[] = [];
  const labels = new Map<string, { readonly values: Set<string>; series: number }>();
  let total = 0;
  let totalSamples = 0;
  for (const { name, type, series } of metricFamilies(budget, { ...everyStat, usedOnly: true })) {
    let count = 0;
    let samples = 0;
    for (const each of series) {
      count++;
      // A bucket for each bound, that of the rest, the sum and the count.
      samples += type === 'histogram' ? boundsOf(each.fullName, buckets).length + 3 : 1;
      for (const [, label, value] of each.labels.matchAll(labelPattern)) {
        const known = labels.get(label!) ?? { values: new Set(), series: 0 };
        known.values.add(value!);
        known.series++;
        labels.set(label!, known);
      }
    }
    if (count > 0) metrics.push({ name, series: count, samples });
    total += count;
    totalSamples += samples;
  }
  const labelCosts = [...labels].map(([name, { values, series }]) => ({ name, values: values.size, series }));
  return {
    budget: budget.report(),
    series: total,
    samples: totalSamples,
    metrics: metrics.sort((left, right) => right.samples - left.samples || compare(left.name, right.name)),
    labels: labelCosts.sort((left, right) => right.series - left.series || compare(left.name, right.name)),
  };
}

const labelPattern = /(\w+)="((?:[^"\\]|\\.)*)"/g;

function compare(left: string, right: string): number {
  return left < right ? -1 : 1;
}

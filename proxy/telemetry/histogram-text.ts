// How `/stats` shows histograms, in text and JSON: by quantiles, by buckets, or with every bucket that holds something.
// https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--stats?histogram_buckets=cumulative

import { type BucketCount, defaultBounds, type HistogramSummary, reportedQuantiles } from './histogram.ts';
import type { HistogramForm } from './stats-query.ts';

/** One histogram: everything, and what came between the last two flushes. */
export interface NamedHistogram {
  readonly name: string;
  readonly total: HistogramSummary;
  readonly interval: HistogramSummary;
  /** Upper bounds of its buckets. */
  readonly bounds: readonly number[];
}

/** A line, or for `detailed` four. */
export function histogramLine(histogram: NamedHistogram, form: HistogramForm): string {
  const { name, total, interval } = histogram;
  if (total.count === 0) return `${name}: No recorded values\n`;
  switch (form) {
    case 'summary':
      return `${name}: ${quantileText(histogram)}\n`;
    case 'cumulative':
    case 'disjoint':
      return `${name}: ${bucketText(histogram, form === 'disjoint')}\n`;
    case 'detailed': {
      const buckets = `  totals=${detailText(total)}\n  intervals=${detailText(interval)}\n`;
      return `${name}:\n${buckets}  summary=${quantileText(histogram)}\n`;
    }
  }
}

/** The quantiles, as the JSON forms list them. */
export const percents: readonly number[] = reportedQuantiles.map(percent);

/** One element of the list that the JSON of this form has. */
export function histogramJson({ name, total, interval, bounds }: NamedHistogram, form: HistogramForm): unknown {
  if (form === 'cumulative' || form === 'disjoint') {
    const [all, recent] = [total, interval].map((summary) => bucketCounts(summary, bounds, form === 'disjoint'));
    const buckets = bounds.map((bound, at) => ({ upper_bound: bound, interval: recent![at], cumulative: all![at] }));
    return { name, buckets };
  }
  const totals = total.quantiles(reportedQuantiles);
  const intervals = interval.quantiles(reportedQuantiles);
  const values = totals.map((value, at) => ({ cumulative: jsonNumber(value), interval: jsonNumber(intervals[at]!) }));
  if (form === 'summary') return { name, values };
  return { name, totals: detailJson(total), intervals: detailJson(interval), percentiles: values };
}

// `P50(interval,cumulative)`.
function quantileText({ total, interval }: NamedHistogram): string {
  const totals = total.quantiles(reportedQuantiles);
  const intervals = interval.quantiles(reportedQuantiles);
  return percents.map((each, at) => `P${each}(${numberText(intervals[at]!)},${numberText(totals[at]!)})`).join(' ');
}

// `B0.5(interval,cumulative)`.
function bucketText({ total, interval, bounds }: NamedHistogram, isDisjoint: boolean): string {
  const totals = bucketCounts(total, bounds, isDisjoint);
  const intervals = bucketCounts(interval, bounds, isDisjoint);
  return bounds.map((bound, at) => `B${shortNumber(bound)}(${intervals[at]},${totals[at]})`).join(' ');
}

function bucketCounts(summary: HistogramSummary, bounds: readonly number[], isDisjoint: boolean): number[] {
  const counts = summary.cumulativeCounts(bounds);
  return isDisjoint ? counts.map((count, at) => count - (counts[at - 1] ?? 0)) : counts;
}

// `lower,width:count`.
function detailText(summary: HistogramSummary): string {
  return summary
    .buckets()
    .map(({ lower, width, count }) => `${shortNumber(lower)},${shortNumber(width)}:${count}`)
    .join(', ');
}

function detailJson(summary: HistogramSummary): unknown {
  return summary.buckets().map(({ lower, width, count }: BucketCount) => ({ lower_bound: lower, width, count }));
}

/** Six significant digits, as C's `%g`: 1.8e+06. */
function shortNumber(value: number): string {
  const rounded = Number(value.toPrecision(6));
  if (rounded === 0 || (Math.abs(rounded) >= 1e-4 && Math.abs(rounded) < 1e6)) return String(rounded);
  const [digits, exponent] = rounded.toExponential().split('e');
  const power = Math.abs(Number(exponent));
  return `${digits}e${exponent!.startsWith('-') ? '-' : '+'}${power < 10 ? '0' : ''}${power}`;
}

function numberText(value: number): string {
  return Number.isNaN(value) ? 'nan' : String(value);
}

// JSON has no NaN; Envoy writes null for it.
function jsonNumber(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

// 0.999 · 100 is 99.9 and not 99.90000000000001.
function percent(quantile: number): number {
  return Math.round(quantile * 1000) / 10;
}

/** Upper bounds by stat prefix (`stats_config.histogram_bucket_settings`); the first that fits counts. */
export type HistogramBuckets = readonly { readonly prefix: string; readonly bounds: readonly number[] }[];

/** The bounds configured for a stat, else Envoy's. */
export function boundsOf(name: string, buckets: HistogramBuckets): readonly number[] {
  return buckets.find(({ prefix }) => name.startsWith(prefix))?.bounds ?? defaultBounds;
}

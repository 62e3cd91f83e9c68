// `/stats` and `/stats?format=json`, as Envoy prints them: texts, then counters and gauges by name, then histograms.
// https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--stats
//
// Output comes in pieces: 10,000 clusters are 60 MB of text, which nobody wants in memory at once or in one turn of
// the main thread.

import { type HistogramSummary, reportedQuantiles } from './histogram.ts';
import type { StatGroup } from './stat-group.ts';
import type { StatsQuery, StatsStore } from './stats-store.ts';

/** Characters after which a piece is handed out. */
export const pieceLength = 64 * 1024;

/** `/stats`: a line for each stat. */
export function* statsText(store: StatsStore, query: StatsQuery): Generator<string> {
  let piece = '';
  for (const [name, value] of store.texts()) {
    if (query.accepts === null || query.accepts(name)) piece += `${name}: "${value}"\n`;
  }
  for (const stats of numbersByPrefix(store, query)) {
    for (const { name, value } of stats) piece += `${name}: ${value}\n`;
    if (piece.length >= pieceLength) {
      yield piece;
      piece = '';
    }
  }
  for (const histogram of histograms(store, query)) {
    piece += `${histogram.name}: ${quantileText(histogram)}\n`;
    if (piece.length >= pieceLength) {
      yield piece;
      piece = '';
    }
  }
  if (piece !== '') yield piece;
}

/** `/stats?format=json`: one object, `{"stats":[{"name","value"} …, {"histograms": …}]}`. */
export function* statsJson(store: StatsStore, query: StatsQuery): Generator<string> {
  let piece = '{"stats":[';
  let separator = '';
  for (const [name, value] of store.texts()) {
    if (query.accepts !== null && !query.accepts(name)) continue;
    piece += `${separator}${JSON.stringify({ name, value })}`;
    separator = ',';
  }
  for (const stats of numbersByPrefix(store, query)) {
    for (const stat of stats) {
      piece += `${separator}${JSON.stringify(stat)}`;
      separator = ',';
    }
    if (piece.length >= pieceLength) {
      yield piece;
      piece = '';
    }
  }
  const percents = reportedQuantiles.map(percent);
  piece += `${separator}{"histograms":{"supported_quantiles":${JSON.stringify(percents)},"computed_quantiles":[`;
  separator = '';
  for (const histogram of histograms(store, query)) {
    piece += `${separator}${JSON.stringify(quantileObject(histogram))}`;
    separator = ',';
    if (piece.length >= pieceLength) {
      yield piece;
      piece = '';
    }
  }
  yield `${piece}]}}]}`;
}

interface NamedNumber {
  readonly name: string;
  readonly value: number;
}

// Sets that share a prefix (`cluster.a.`) are printed as one, so that names are in order as in Envoy.
function* numbersByPrefix(store: StatsStore, query: StatsQuery): Generator<NamedNumber[]> {
  let prefix = '';
  let stats: NamedNumber[] = [];
  for (const group of store.groups()) {
    if (group.prefix !== prefix) {
      yield stats.sort(byName);
      prefix = group.prefix;
      stats = [];
    }
    addNumbers(stats, group, query);
  }
  yield stats.sort(byName);
}

function addNumbers(stats: NamedNumber[], group: StatGroup, query: StatsQuery): void {
  const { accepts } = query;
  group.scope.stats.forEach((stat, index) => {
    if (stat.kind === 'histogram' || (query.usedOnly && !group.isUsed(index))) return;
    const name = group.prefix + stat.name;
    if (stat.kind === 'status-codes') {
      for (const [code, value] of group.codes(index)) {
        const ofCode = `${name}_${code}`;
        if (accepts === null || accepts(ofCode)) stats.push({ name: ofCode, value });
      }
    } else if (accepts === null || accepts(name)) {
      stats.push({ name, value: group.value(index) });
    }
  });
}

interface NamedHistogram {
  readonly name: string;
  readonly total: HistogramSummary;
  readonly interval: HistogramSummary;
}

function* histograms(store: StatsStore, query: StatsQuery): Generator<NamedHistogram> {
  for (const group of store.groups()) {
    for (const [index, stat] of group.scope.stats.entries()) {
      if (stat.kind !== 'histogram' || (query.usedOnly && !group.isUsed(index))) continue;
      const name = group.prefix + stat.name;
      if (query.accepts !== null && !query.accepts(name)) continue;
      yield { name, total: group.histogram(index), interval: group.interval(index) };
    }
  }
}

// `P50(interval,cumulative)`.
function quantileText(histogram: NamedHistogram): string {
  if (histogram.total.count === 0) return 'No recorded values';
  const total = histogram.total.quantiles(reportedQuantiles);
  const interval = histogram.interval.quantiles(reportedQuantiles);
  return reportedQuantiles
    .map((quantile, index) => `P${percent(quantile)}(${numberText(interval[index]!)},${numberText(total[index]!)})`)
    .join(' ');
}

function quantileObject(histogram: NamedHistogram): unknown {
  const total = histogram.total.quantiles(reportedQuantiles);
  const interval = histogram.interval.quantiles(reportedQuantiles);
  return {
    name: histogram.name,
    values: reportedQuantiles.map((_, index) => ({
      cumulative: jsonNumber(total[index]!),
      interval: jsonNumber(interval[index]!),
    })),
  };
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

function byName(left: NamedNumber, right: NamedNumber): number {
  return left.name < right.name ? -1 : 1;
}

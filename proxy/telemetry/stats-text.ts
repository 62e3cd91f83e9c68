// `/stats` and `/stats?format=json`, as Envoy prints them: texts, then counters and gauges by name, then histograms.
// https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--stats
//
// Output comes in pieces: 10,000 clusters are 60 MB of text, which nobody wants in memory at once or in one turn of
// the main thread.

import {
  boundsOf,
  type HistogramBuckets,
  histogramJson,
  histogramLine,
  type NamedHistogram,
  percents,
} from './histogram-text.ts';
import type { SeriesGroup } from './stat-group.ts';
import { asksForText, type StatsQuery, wantsKind } from './stats-query.ts';
import type { StatsStore } from './stats-store.ts';

/** What a text is of. */
export interface StatsSource extends Pick<StatsStore, 'texts'> {
  /** By prefix. */
  groups(): Iterable<SeriesGroup>;
}

/** Characters after which a piece is handed out. */
export const pieceLength = 64 * 1024;
/** … and what there is by then after so many groups, if anything: most may not be asked for, and others wait. */
const groupsAPiece = 64;

/** `/stats`: a line for each stat. `buckets` bound what the bucket forms of histograms show. */
export function* statsText(store: StatsSource, query: StatsQuery, buckets: HistogramBuckets = []): Generator<string> {
  let piece = '';
  let groups = 0;
  for (const [name, value] of texts(store, query)) piece += `${name}: "${value}"\n`;
  for (const stats of numbersByPrefix(store, query)) {
    for (const { name, value } of stats) piece += `${name}: ${value}\n`;
    if (piece.length >= pieceLength || ++groups % groupsAPiece === 0) {
      yield piece;
      piece = '';
    }
  }
  for (const recorded of histogramsByGroup(store, query, buckets)) {
    for (const histogram of recorded) piece += histogramLine(histogram, query.histograms);
    if (piece.length >= pieceLength || ++groups % groupsAPiece === 0) {
      yield piece;
      piece = '';
    }
  }
  if (piece !== '') yield piece;
}

/** `/stats?format=json`: one object, `{"stats":[{"name","value"} …, {"histograms": …}]}`. */
export function* statsJson(store: StatsSource, query: StatsQuery, buckets: HistogramBuckets = []): Generator<string> {
  let piece = '{"stats":[';
  let groups = 0;
  let separator = '';
  for (const [name, value] of texts(store, query)) {
    piece += `${separator}${JSON.stringify({ name, value })}`;
    separator = ',';
  }
  for (const stats of numbersByPrefix(store, query)) {
    for (const stat of stats) {
      piece += `${separator}${JSON.stringify(stat)}`;
      separator = ',';
    }
    if (piece.length >= pieceLength || ++groups % groupsAPiece === 0) {
      yield piece;
      piece = '';
    }
  }
  const [before, after] = jsonFrames[query.histograms];
  // The list is there only when something is in it, as in Envoy.
  let opening = `${separator}${before}`;
  for (const recorded of histogramsByGroup(store, query, buckets)) {
    for (const histogram of recorded) {
      piece += `${opening}${JSON.stringify(histogramJson(histogram, query.histograms))}`;
      opening = ',';
    }
    if (piece.length >= pieceLength || ++groups % groupsAPiece === 0) {
      yield piece;
      piece = '';
    }
  }
  yield `${piece}${opening === ',' ? after : ''}]}`;
}

const percentList = JSON.stringify(percents);

/** What stands around the list of histograms. */
const jsonFrames = {
  summary: [`{"histograms":{"supported_quantiles":${percentList},"computed_quantiles":[`, ']}}'],
  detailed: [`{"histograms":{"supported_percentiles":${percentList},"details":[`, ']}}'],
  cumulative: ['{"histograms":[', ']}'],
  disjoint: ['{"histograms":[', ']}'],
} as const;

function* texts(store: StatsSource, query: StatsQuery): Generator<readonly [string, string]> {
  if (query.type !== 'All' && query.type !== 'TextReadouts') return;
  for (const [name, { value }] of store.texts()) {
    if (asksForText(query, name, value)) yield [name, value];
  }
}

interface NamedNumber {
  readonly name: string;
  readonly value: number;
}

// Sets that share a prefix (`cluster.a.`) are printed as one, so that names are in order as in Envoy.
function* numbersByPrefix(store: StatsSource, query: StatsQuery): Generator<NamedNumber[]> {
  let prefix = '';
  let stats: NamedNumber[] = [];
  for (const group of envoyGroups(store)) {
    if (group.prefix !== prefix) {
      yield stats.sort(byName);
      prefix = group.prefix;
      stats = [];
    }
    addNumbers(stats, group, query);
  }
  yield stats.sort(byName);
}

// Ours are metrics: their labels would make no name that can be read.
function* envoyGroups(store: StatsSource): Generator<SeriesGroup> {
  for (const group of store.groups()) if (group.scope.vocabulary === 'envoy') yield group;
}

function addNumbers(stats: NamedNumber[], group: SeriesGroup, query: StatsQuery): void {
  const { accepts } = query;
  group.scope.stats.forEach((stat, index) => {
    if (stat.kind === 'histogram' || !wantsKind(query, stat.kind)) return;
    if (!group.isShown(index) || (query.usedOnly && !group.isUsed(index))) return;
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

function* histogramsByGroup(
  store: StatsSource,
  query: StatsQuery,
  buckets: HistogramBuckets,
): Generator<NamedHistogram[]> {
  if (!wantsKind(query, 'histogram')) return;
  for (const group of envoyGroups(store)) yield histogramsOf(group, query, buckets);
}

function histogramsOf(group: SeriesGroup, { usedOnly, accepts }: StatsQuery, buckets: HistogramBuckets) {
  const found: NamedHistogram[] = [];
  for (const [index, stat] of group.scope.stats.entries()) {
    if (stat.kind !== 'histogram' || !group.isShown(index) || (usedOnly && !group.isUsed(index))) continue;
    const name = group.prefix + stat.name;
    if (accepts !== null && !accepts(name)) continue;
    found.push({
      name,
      total: group.histogram(index),
      interval: group.interval(index),
      bounds: boundsOf(name, buckets),
    });
  }
  return found;
}

function byName(left: NamedNumber, right: NamedNumber): number {
  return left.name < right.name ? -1 : 1;
}

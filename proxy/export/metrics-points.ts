// Series as data points of OTLP, and what a sink remembers of them from one export to the next: where each began, and for
// deltas what was sent of it.
// https://opentelemetry.io/docs/specs/otel/metrics/data-model/#temporality

import { HistogramSummary } from '../telemetry/histogram.ts';
import { boundsOf, type HistogramBuckets } from '../telemetry/histogram-text.ts';
import type { SeriesGroup } from '../telemetry/stat-group.ts';
import type { StatScope } from '../telemetry/stats.ts';

/** One value of one series. */
export type DataPoint = {
  readonly group: SeriesGroup;
  /** The stat's own attribute: a status code, or the class of one. */
  readonly extra: readonly [string, string] | null;
  readonly startWallMs: number;
} & (
  | { readonly kind: 'number'; readonly value: number }
  | {
      readonly kind: 'histogram';
      readonly count: number;
      readonly sum: number;
      readonly bounds: readonly number[];
      /** One more than bounds. */
      readonly counts: readonly number[];
    }
);

export interface MetricPoints {
  readonly scope: StatScope;
  readonly index: number;
  readonly points: readonly DataPoint[];
}

export interface PointsShape {
  readonly countersAsDeltas: boolean;
  readonly histogramsAsDeltas: boolean;
  readonly buckets: HistogramBuckets;
}

interface Remembered {
  readonly value: number;
  /** Of deltas of histograms only: nothing else needs it. */
  readonly histogram: HistogramSummary | null;
  readonly startWallMs: number;
  readonly life: object;
}

export class SeriesMemory {
  readonly #shape: PointsShape;
  readonly #beganAtWallMs: number;
  #known = new Map<string, Remembered>();
  /** By life: when counting began, as far as it is known. */
  readonly #began = new WeakMap<object, number>();
  #takenAtWallMs: number;
  #pending: { readonly known: Map<string, Remembered>; readonly takenAtWallMs: number } | null = null;

  constructor(shape: PointsShape, beganAtWallMs: number) {
    this.#shape = shape;
    this.#beganAtWallMs = beganAtWallMs;
    this.#takenAtWallMs = beganAtWallMs;
  }

  /** Every series that is shown and was used, metric by metric. Remembered when `commit` is called; otherwise it was never sent. */
  take(groups: readonly SeriesGroup[], wallMs: number): readonly MetricPoints[] {
    const known = new Map<string, Remembered>();
    this.#pending = { known, takenAtWallMs: wallMs };
    const metrics: MetricPoints[] = [];
    for (const { life } of groups) if (!this.#began.has(life)) this.#began.set(life, this.#takenAtWallMs);
    for (const [scope, members] of Map.groupBy(groups, (group) => group.scope)) {
      for (const index of scope.stats.keys()) {
        const used = members.filter((group) => group.isShown(index) && group.isUsed(index));
        const points = used.flatMap((group) => this.#points(group, index));
        if (points.length > 0) metrics.push({ scope, index, points });
      }
    }
    return metrics;
  }

  /** What was taken last has arrived. */
  commit(): void {
    if (this.#pending === null) return;
    this.#known = this.#pending.known;
    this.#takenAtWallMs = this.#pending.takenAtWallMs;
    this.#pending = null;
  }

  #points(group: SeriesGroup, index: number): readonly DataPoint[] {
    const stat = group.scope.stats[index]!;
    switch (stat.kind) {
      case 'gauge': {
        const startWallMs = this.#beganAtWallMs;
        return [{ group, kind: 'number', extra: null, value: group.value(index), startWallMs }];
      }
      case 'histogram':
        return [this.#histogram(group, index)];
      case 'counter':
        return [this.#counter({ group, name: stat.name, extra: classOf(stat.name) }, group.value(index))];
      case 'status-codes':
        return [...group.codes(index)].map(([code, value]) =>
          this.#counter({ group, name: `${stat.name}_${code}`, extra: ['envoy.response_code', String(code)] }, value),
        );
    }
  }

  #counter(
    { group, name, extra }: { readonly group: SeriesGroup; readonly name: string; readonly extra: DataPoint['extra'] },
    value: number,
  ): DataPoint {
    const { before, startWallMs } = this.#remember({ group, name }, value, null);
    if (!this.#shape.countersAsDeltas) return { group, kind: 'number', extra, value, startWallMs };
    return { group, kind: 'number', extra, value: value - (before?.value ?? 0), startWallMs: this.#takenAtWallMs };
  }

  #histogram(group: SeriesGroup, index: number): DataPoint {
    const { name } = group.scope.stats[index]!;
    const { histogramsAsDeltas, buckets } = this.#shape;
    const all = group.histogram(index);
    const { before, startWallMs } = this.#remember({ group, name }, all.count, histogramsAsDeltas ? all : null);
    const shown = histogramsAsDeltas ? all.since(before?.histogram ?? new HistogramSummary()) : all;
    const bounds = boundsOf(group.prefix + name, buckets);
    const upTo = shown.cumulativeCounts(bounds);
    const counts = [...upTo, shown.count].map((count, at) => count - (upTo[at - 1] ?? 0));
    const began = histogramsAsDeltas ? this.#takenAtWallMs : startWallMs;
    return {
      group,
      kind: 'histogram',
      extra: null,
      count: shown.count,
      sum: shown.sum,
      bounds,
      counts,
      startWallMs: began,
    };
  }

  // A count that is lower than before, or has another life, began again. A series of ours that was not there before began after
  // the last export; one of Envoy's goes on, when it was in `other` meanwhile.
  #remember(
    { group, name }: { readonly group: SeriesGroup; readonly name: string },
    value: number,
    histogram: HistogramSummary | null,
  ): { readonly before: Remembered | undefined; readonly startWallMs: number } {
    const key = group.prefix + name;
    const found = this.#known.get(key);
    const before = found?.life === group.life && found.value <= value ? found : undefined;
    const isNew = found !== undefined || group.scope.vocabulary !== 'envoy';
    const startWallMs = before?.startWallMs ?? (isNew ? this.#takenAtWallMs : this.#began.get(group.life)!);
    this.#pending!.known.set(key, { value, histogram, startWallMs, life: group.life });
    return { before, startWallMs };
  }
}

/** Classes of status codes are one metric, as in Prometheus. */
function classOf(name: string): DataPoint['extra'] {
  const [, digit] = /_(\d)xx$/.exec(name) ?? [];
  return digit === undefined ? null : ['envoy.response_code_class', digit];
}

// The vocabulary of statistics: what a set of stats is called, and the block of numbers a thread counts in.
//
// A set is defined once (`cluster-stats.ts` …) and its properties are small integers, so that counting on the data
// path is one addition to one array element: `block.inc(clusterStats.upstreamRqTotal)`. Names, labels and sums are the
// reader's business (`stats-store.ts`). Names are Envoy's:
// https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats

import { allocateHistogram, recordValue, releaseHistogram } from './histogram.ts';
import { chunkNumber, type SlotChunks, type SlotMemory, slotOffset } from './slot-memory.ts';

/** How the values of several threads become one: added, or the greatest (when every thread states the same fact). */
export type Combine = 'sum' | 'max';

export type Stat =
  | { readonly kind: 'counter'; readonly name: string }
  | { readonly kind: 'gauge'; readonly name: string; readonly combine: Combine; readonly show?: 'written' | 'never' }
  | { readonly kind: 'histogram'; readonly name: string; readonly unit: HistogramUnit }
  /** A counter for each status code seen: `upstream_rq` gives `upstream_rq_200`, `upstream_rq_503` … */
  | { readonly kind: 'status-codes'; readonly name: string };

export type HistogramUnit = 'ms' | 'bytes' | 'percent' | 'count';

/**
 * Where stats hang: `cluster.{envoy_cluster_name}`. Each `{label}` stands for one name, given when a block is made; it is
 * the label Prometheus shows.
 */
export interface StatScope {
  readonly template: string;
  readonly stats: readonly Stat[];
  /** Whether it is exported. What is not listed is for one reader only, such as `/clusters`. */
  readonly isListed: boolean;
  /** Whose names they are. `/stats` speaks Envoy's; ours and Istio's are metrics only, as `outrigger_…` and `istio_…`. */
  readonly vocabulary: 'envoy' | 'outrigger' | 'istio';
}

export interface StatSet {
  readonly scope: StatScope;
}

export function counter(name: string): Stat {
  return { kind: 'counter', name };
}

export function gauge(name: string, combine: Combine = 'sum'): Stat {
  return { kind: 'gauge', name, combine };
}

/** A gauge that is shown once it was written: an absent one says nothing, where a 0 would raise an alarm. */
export function optionalGauge(name: string): Stat {
  return { kind: 'gauge', name, combine: 'sum', show: 'written' };
}

/** A gauge that one reader of ours needs, and that nobody else is shown. */
export function ownGauge(name: string): Stat {
  return { kind: 'gauge', name, combine: 'sum', show: 'never' };
}

export function histogram(name: string, unit: HistogramUnit): Stat {
  return { kind: 'histogram', name, unit };
}

export function statusCodes(name: string): Stat {
  return { kind: 'status-codes', name };
}

/** Defines a set: each key of `stats` becomes a property with the stat's index in a block. */
export function defineStats<K extends string>(
  template: string,
  stats: Readonly<Record<K, Stat>>,
  { isListed = true, vocabulary = 'envoy' }: Partial<Pick<StatScope, 'isListed' | 'vocabulary'>> = {},
): StatSet & Readonly<Record<K, number>> {
  const keys = Object.keys(stats) as K[];
  const indexes = Object.fromEntries(keys.map((key, index) => [key, index])) as Record<K, number>;
  const scope = { template, stats: keys.map((key) => stats[key]), isListed, vocabulary };
  return Object.freeze({ ...indexes, scope });
}

/** Envoy's spelling of a name within a stat name: `10.0.0.1:80` is `10.0.0.1_80`. */
export function sanitizeName(name: string): string {
  return name.replaceAll('://', '_').replaceAll(':/', '_').replaceAll(/[:\0]/g, '_');
}

/** A status code and its count, pair by pair, then the address of the next group. A cluster answers with few codes. */
export const CodeGroup = { pairs: 8, next: 16, slots: 17 } as const;

/** The stats of one scope as one thread counts them. An index is a property of the set the block was made for. */
export class StatBlock {
  readonly statSet: StatSet;
  readonly names: readonly string[];
  readonly address: number;
  readonly #memory: SlotMemory;
  readonly #values: Float64Array;
  readonly #base: number;

  constructor(memory: SlotMemory, set: StatSet, names: readonly string[]) {
    this.statSet = set;
    this.names = names;
    this.address = memory.allocate(set.scope.stats.length);
    this.#memory = memory;
    this.#values = memory.chunks[chunkNumber(this.address)]!;
    this.#base = slotOffset(this.address);
    // Minus zero is "never touched": the first addition or assignment makes it plus zero or a number (`usedonly`).
    set.scope.stats.forEach((stat, index) => {
      if (stat.kind === 'counter' || stat.kind === 'gauge') this.#values[this.#base + index] = -0;
    });
  }

  inc(index: number): void {
    this.#values[this.#base + index]! += 1;
  }

  dec(index: number): void {
    this.#values[this.#base + index]! -= 1;
  }

  add(index: number, amount: number): void {
    this.#values[this.#base + index]! += amount;
  }

  /** For gauges. */
  set(index: number, value: number): void {
    this.#values[this.#base + index] = value;
  }

  get(index: number): number {
    return this.#values[this.#base + index]!;
  }

  /** Records into a histogram; it is made on its first value. */
  record(index: number, value: number): void {
    let address = this.#values[this.#base + index]!;
    if (address === 0) {
      address = allocateHistogram(this.#memory);
      this.#values[this.#base + index] = address;
    }
    recordValue(this.#memory, address, value);
  }

  /** Counts one status code; the counter is made when the code is first seen. */
  incCode(index: number, code: number): void {
    let values = this.#values;
    let link = this.#base + index;
    for (;;) {
      let group = values[link]!;
      if (group === 0) {
        group = this.#memory.allocate(CodeGroup.slots);
        values[link] = group;
      }
      values = this.#memory.chunks[chunkNumber(group)]!;
      const first = slotOffset(group);
      for (let at = first; at < first + CodeGroup.next; at += 2) {
        if (values[at] === 0) values[at] = code;
        if (values[at] === code) {
          values[at + 1]! += 1;
          return;
        }
      }
      link = first + CodeGroup.next;
    }
  }
}

/** Gives the slots of a block back, with its histograms and status codes, through `free(address, slots)`. */
export function releaseBlock(memory: SlotChunks, block: StatBlock, free: (at: number, slots: number) => void): void {
  const { stats } = block.statSet.scope;
  for (let index = 0; index < stats.length; index++) {
    const { kind } = stats[index]!;
    const address = block.get(index);
    if (address === 0) continue;
    if (kind === 'histogram') releaseHistogram(memory, address, free);
    if (kind === 'status-codes') releaseCodes(memory, address, free);
  }
  free(block.address, stats.length);
}

function releaseCodes(memory: SlotChunks, address: number, free: (at: number, slots: number) => void): void {
  for (let group = address; group !== 0; ) {
    const next = memory.chunks[chunkNumber(group)]![slotOffset(group) + CodeGroup.next]!;
    free(group, CodeGroup.slots);
    group = next;
  }
}

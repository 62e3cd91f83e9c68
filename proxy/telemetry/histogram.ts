// Log-linear histograms in slot memory: sixteen equal buckets for each power of two, so that a value read back is at
// most 1/32 (3.2 %) off, whatever its size. Envoy uses ninety buckets for each power of ten (circllhist).
//
// A histogram is a head with a directory of octaves; the sixteen slots of an octave are taken when its first value
// comes. Times of one service span three to six octaves, so a histogram costs about 1 KiB and not 5.

import { chunkNumber, type SlotChunks, type SlotMemory, slotOffset } from './slot-memory.ts';

const subBuckets = 16;
/** Values below 2^-7 (8 µs, when milliseconds are recorded) count as zero. */
const lowestExponent = -7;
/** Values from 2^36 on (two years of milliseconds, 64 GiB) count as 2^36, in the last bucket. */
const octaves = 43;
const smallest = 2 ** lowestExponent;
const largest = 2 ** (lowestExponent + octaves);

/** Slots of a head, in order; then one address for each octave. */
const Head = { sum: 0, min: 1, max: 2, zeros: 3, octaves: 4 } as const;
const headSlots = Head.octaves + octaves;

/** Takes an empty histogram; returns its address. */
export function allocateHistogram(memory: SlotMemory): number {
  const address = memory.allocate(headSlots);
  memory.chunks[chunkNumber(address)]![slotOffset(address) + Head.min] = Number.POSITIVE_INFINITY;
  return address;
}

/** Gives back a histogram with all its octaves, through `free(address, slots)`. */
export function releaseHistogram(memory: SlotChunks, address: number, free: (at: number, slots: number) => void): void {
  const values = memory.chunks[chunkNumber(address)]!;
  const at = slotOffset(address);
  for (let octave = 0; octave < octaves; octave++) {
    const page = values[at + Head.octaves + octave]!;
    if (page !== 0) free(page, subBuckets);
  }
  free(address, headSlots);
}

// The bits of a double are read through a second view: 2 ns, against 9 ns for Math.log2 and its rounding traps.
const scratch = new Float64Array(1);
const scratchWords = new Uint32Array(scratch.buffer);

/** Records one value. Negative values and NaN count as zero. */
export function recordValue(memory: SlotMemory, address: number, value: number): void {
  const values = memory.chunks[chunkNumber(address)]!;
  const at = slotOffset(address);
  if (!(value >= smallest)) {
    values[at + Head.zeros]! += 1;
    values[at + Head.min] = 0;
    return;
  }
  const recorded = Math.min(value, largest);
  values[at + Head.sum]! += recorded;
  if (recorded < values[at + Head.min]!) values[at + Head.min] = recorded;
  if (recorded > values[at + Head.max]!) values[at + Head.max] = recorded;
  const bucket = bucketOf(recorded);
  const directory = at + Head.octaves + (bucket >>> 4);
  let page = values[directory]!;
  if (page === 0) {
    page = memory.allocate(subBuckets);
    values[directory] = page;
  }
  memory.chunks[chunkNumber(page)]![slotOffset(page) + (bucket & 15)]! += 1;
}

/**
 * A number that each value makes larger: a reading holds as long as it is the same. Of sums above 2^45 some values are too small
 * to be seen in it.
 */
export function recordingMark(memory: SlotChunks, address: number): number {
  const values = memory.chunks[chunkNumber(address)];
  if (values === undefined) return 0;
  const at = slotOffset(address);
  return values[at + Head.sum]! + values[at + Head.zeros]!;
}

function bucketOf(value: number): number {
  scratch[0] = value;
  const high = scratchWords[1]!;
  const octave = (high >>> 20) - 1023 - lowestExponent;
  return octave < octaves ? octave * subBuckets + ((high >>> 16) & 15) : octaves * subBuckets - 1;
}

/** The lower bound of a bucket, inclusive; that of the next one is its upper bound. */
function lowerBound(bucket: number): number {
  return 2 ** (lowestExponent + (bucket >>> 4)) * (1 + (bucket & 15) / subBuckets);
}

/** The bucket of values too small to tell from zero, in `HistogramSummary.buckets`. */
const zeroBucket = -1;

export interface BucketCount {
  readonly lower: number;
  readonly width: number;
  readonly count: number;
}

/** A reading as it travels between processes. */
export interface HistogramData {
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  /** Bucket and count, of buckets that are not empty. */
  readonly counts: readonly (readonly [number, number])[];
}

function isBucket(bucket: number): boolean {
  return bucket >= zeroBucket && bucket < octaves * subBuckets;
}

/** A histogram read back: the sum of those of several threads, or the difference between two moments. */
export class HistogramSummary {
  count = 0;
  sum = 0;
  min = Number.POSITIVE_INFINITY;
  max = 0;
  /** Counts by bucket, of buckets that are not empty. */
  readonly #counts = new Map<number, number>();

  /** Adds what a thread recorded. Slots the reader does not know yet count as empty. */
  merge(memory: SlotChunks, address: number): void {
    const values = memory.chunks[chunkNumber(address)];
    if (values === undefined) return;
    const at = slotOffset(address);
    this.sum += values[at + Head.sum]!;
    this.min = Math.min(this.min, values[at + Head.min]!);
    this.max = Math.max(this.max, values[at + Head.max]!);
    this.#add(zeroBucket, values[at + Head.zeros]!);
    for (let octave = 0; octave < octaves; octave++) {
      const page = values[at + Head.octaves + octave]!;
      const counts = memory.chunks[chunkNumber(page)];
      if (page === 0 || counts === undefined) continue;
      const first = slotOffset(page);
      for (let sub = 0; sub < subBuckets; sub++) this.#add(octave * subBuckets + sub, counts[first + sub]!);
    }
  }

  /** As plain data, to be read by `from`. `min` of nothing is 0. */
  data(): HistogramData {
    return { sum: this.sum, min: this.count === 0 ? 0 : this.min, max: this.max, counts: [...this.#counts] };
  }

  static from({ sum, min, max, counts }: HistogramData): HistogramSummary {
    const summary = new HistogramSummary();
    for (const [bucket, count] of counts) if (isBucket(bucket)) summary.#add(bucket, count);
    if (summary.count === 0) return summary;
    summary.sum = sum;
    summary.min = min;
    summary.max = max;
    return summary;
  }

  /** Adds another reading. */
  include(other: HistogramSummary): void {
    this.sum += other.sum;
    this.min = Math.min(this.min, other.min);
    this.max = Math.max(this.max, other.max);
    for (const [bucket, count] of other.#counts) this.#add(bucket, count);
  }

  #add(bucket: number, count: number): void {
    if (count <= 0) return;
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + count);
    this.count += count;
  }

  /** What was recorded since `earlier`, which is an older reading of the same histogram. */
  since(earlier: HistogramSummary): HistogramSummary {
    const interval = new HistogramSummary();
    interval.sum = this.sum - earlier.sum;
    for (const [bucket, count] of this.#counts) interval.#add(bucket, count - (earlier.#counts.get(bucket) ?? 0));
    for (const bucket of interval.#counts.keys()) {
      interval.min = Math.min(interval.min, bucket === zeroBucket ? 0 : Math.max(this.min, lowerBound(bucket)));
      interval.max = Math.max(interval.max, bucket === zeroBucket ? 0 : Math.min(this.max, lowerBound(bucket + 1)));
    }
    return interval;
  }

  /** Values at `quantiles` (ascending, 0 … 1), interpolated within a bucket; NaN when nothing was recorded. */
  quantiles(quantiles: readonly number[]): number[] {
    if (this.count === 0) return quantiles.map(() => Number.NaN);
    const sorted = this.#sorted();
    let index = 0;
    let before = 0;
    return quantiles.map((quantile) => {
      if (quantile === 0) return this.min;
      if (quantile === 1) return this.max;
      // The nearest rank, as in circllhist.
      const rank = Math.max(1, Math.ceil(quantile * this.count));
      while (before + sorted[index]![1] < rank) before += sorted[index++]![1];
      const [bucket, count] = sorted[index]!;
      if (bucket === zeroBucket) return 0;
      const low = lowerBound(bucket);
      const value = low + ((lowerBound(bucket + 1) - low) * (rank - before - 0.5)) / count;
      return Math.min(Math.max(value, this.min), this.max);
    });
  }

  /**
   * Counts of values up to each of `bounds` (ascending), cumulative. A bucket that holds a bound counts whole: whole
   * milliseconds are bucket bounds up to 32, so what equals a bound is within it, as `le` demands.
   */
  cumulativeCounts(bounds: readonly number[]): number[] {
    const sorted = this.#sorted();
    let index = 0;
    let total = 0;
    return bounds.map((bound) => {
      while (index < sorted.length && (sorted[index]![0] === zeroBucket || lowerBound(sorted[index]![0]) <= bound)) {
        total += sorted[index++]![1];
      }
      return total;
    });
  }

  /** Every bucket that holds something, ascending. */
  buckets(): BucketCount[] {
    return this.#sorted().map(([bucket, count]) => {
      if (bucket === zeroBucket) return { lower: 0, width: smallest, count };
      return { lower: lowerBound(bucket), width: lowerBound(bucket + 1) - lowerBound(bucket), count };
    });
  }

  #sorted(): [number, number][] {
    return [...this.#counts].sort((left, right) => left[0] - right[0]);
  }
}

/** Envoy's quantiles, as `/stats` names them. */
export const reportedQuantiles: readonly number[] = [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1];

/** Envoy's Prometheus buckets. https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/metrics/v3/stats.proto */
export const defaultBounds: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];

// Latencies by microsecond in buckets of constant relative width (HdrHistogram's idea, http://hdrhistogram.org):
// 64 linear steps for every doubling, so a quantile is at most 1/64 above the true value at any scale, and recording
// allocates nothing.

const STEPS = 64;
const STEP_BITS = 6;
// 2^32 us is 71 minutes; anything longer is counted in the last bucket.
const DOUBLINGS = 27;

export class LatencyHistogram {
  readonly #counts = new Float64Array(STEPS * DOUBLINGS);
  #total = 0;

  get total(): number {
    return this.#total;
  }

  // micros: a non-negative number; its fraction is dropped.
  record(micros: number): void {
    const index = bucketOf(micros);
    this.#counts[index] = this.#counts[index]! + 1;
    this.#total += 1;
  }

  // The upper edge of the bucket that holds the quantile (0 < quantile <= 1), in microseconds; 0 when empty.
  quantile(quantile: number): number {
    const rank = Math.max(1, Math.ceil(quantile * this.#total));
    let seen = 0;
    for (let index = 0; index < this.#counts.length; index += 1) {
      seen += this.#counts[index]!;
      if (seen >= rank) return upperEdge(index);
    }
    return 0;
  }
}

// Values below 64 have a bucket each; above, the top six bits after the leading one choose the step.
function bucketOf(micros: number): number {
  const value = Math.min(Math.floor(micros), 0xffffffff);
  if (value < STEPS) return value;
  const doubling = 31 - Math.clz32(value) - STEP_BITS;
  return STEPS * (doubling + 1) + (Math.floor(value / 2 ** doubling) - STEPS);
}

function upperEdge(index: number): number {
  if (index < STEPS) return index;
  const doubling = Math.floor(index / STEPS) - 1;
  return (STEPS + (index % STEPS) + 1) * 2 ** doubling - 1;
}

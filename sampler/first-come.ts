// Keeps the first traces of each window: what "rate limiting sampling" usually means (`cap: legacy-token-bucket`). It is a
// cap, but what chance a trace had is not known, so that nothing it kept can be counted.

import { always, never, type Threshold } from './threshold.ts';
import type { OnDrop, PooledRecord, PoolLimits, Taken, TracePool } from './trace-pool.ts';

export class FirstCome<Item extends PooledRecord> implements TracePool<Item> {
  #limits: PoolLimits;
  readonly #onDrop: OnDrop<Item>;
  #records: Item[] = [];
  readonly #traces = new Set<string>();
  #bytes = 0;

  constructor(limits: PoolLimits, onDrop: OnDrop<Item>) {
    this.#limits = limits;
    this.#onDrop = onDrop;
  }

  offer(record: Item): void {
    const isNew = !this.#traces.has(record.random);
    if (this.#bytes + record.sizeBytes > this.#limits.bytes || (isNew && this.#isFull)) {
      this.#onDrop(record);
      return;
    }
    this.#traces.add(record.random);
    this.#records.push(record);
    this.#bytes += record.sizeBytes;
  }

  reached(): Threshold {
    return this.#isFull ? never : always;
  }

  take(next: PoolLimits): Taken<Item> {
    const kept = this.#records;
    this.#records = [];
    this.#traces.clear();
    this.#bytes = 0;
    this.#limits = next;
    return { kept, threshold: null, rare: [] };
  }

  get #isFull(): boolean {
    return this.#traces.size >= this.#limits.traces;
  }
}

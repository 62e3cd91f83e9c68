// Keeps the k traces with the greatest random values R: an exact cap whose inclusion probability is known. Whatever it
// dropped has R below some value, what it holds is above: seen from any one trace, that value was set by the others, so
// that `justAbove(greatest dropped)` is a threshold like that of any other stage of sampling, and adjusted counts stay
// unbiased (Cohen and Kaplan 2007, "bottom-k"; k greatest here, because R is kept when it is high).
//
// All proxies rank by the same R and so keep the same traces.

import { always, justAbove, type Threshold } from './threshold.ts';
import type { OnDrop, PooledRecord, PoolLimits, Taken, TracePool } from './trace-pool.ts';

export class BottomK<Item extends PooledRecord> implements TracePool<Item> {
  #limits: PoolLimits;
  readonly #onDrop: OnDrop<Item>;
  /** A binary heap with the lowest R first. */
  #heap: Trace<Item>[] = [];
  readonly #traces = new Map<string, Trace<Item>>();
  #bytes = 0;
  /** The greatest R that was dropped in this window; empty, which is below all, when none was. */
  #dropped = '';

  constructor(limits: PoolLimits, onDrop: OnDrop<Item>) {
    this.#limits = limits;
    this.#onDrop = onDrop;
  }

  /** Whether it had to drop a trace in this window. */
  get isOverfull(): boolean {
    return this.#dropped !== '';
  }

  offer(record: Item): void {
    // Below what was dropped, or of the very trace.
    if (record.random <= this.#dropped) {
      this.#onDrop(record);
      return;
    }
    const trace = this.#traces.get(record.random);
    if (trace === undefined) this.#add({ random: record.random, records: [record] });
    else trace.records.push(record);
    this.#bytes += record.sizeBytes;
    this.#fit();
  }

  reached(): Threshold {
    return this.#dropped === '' ? always : justAbove(this.#dropped);
  }

  /** For the rest of the window. */
  shrink(traces: number): void {
    this.#limits = { ...this.#limits, traces };
    this.#fit();
  }

  take(next: PoolLimits): Taken<Item> {
    const kept = this.#heap.flatMap((trace) => trace.records);
    const threshold = this.reached();
    this.#heap = [];
    this.#traces.clear();
    this.#bytes = 0;
    this.#dropped = '';
    this.#limits = next;
    return { kept, threshold, rare: [] };
  }

  #fit(): void {
    while (this.#heap.length > this.#limits.traces || (this.#bytes > this.#limits.bytes && this.#heap.length > 0)) {
      this.#dropLowest();
    }
  }

  #dropLowest(): void {
    const lowest = this.#heap[0]!;
    const last = this.#heap.pop()!;
    if (last !== lowest) {
      this.#heap[0] = last;
      this.#sink();
    }
    this.#traces.delete(lowest.random);
    if (lowest.random > this.#dropped) this.#dropped = lowest.random;
    for (const record of lowest.records) {
      this.#bytes -= record.sizeBytes;
      this.#onDrop(record);
    }
  }

  #add(trace: Trace<Item>): void {
    this.#traces.set(trace.random, trace);
    const heap = this.#heap;
    let at = heap.push(trace) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.random <= trace.random) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = trace;
  }

  #sink(): void {
    const heap = this.#heap;
    const trace = heap[0]!;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && heap[child + 1]!.random < heap[child]!.random) child++;
      if (heap[child]!.random >= trace.random) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = trace;
  }
}

interface Trace<Item> {
  readonly random: string;
  readonly records: Item[];
}

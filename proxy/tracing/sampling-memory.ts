// What a worker and the main thread tell each other about sampling, without locks: for every key how many requests arrived,
// and the threshold that chooses among them.
//
// A cell has one writer. A threshold is 14 bytes and may be read half old, half new: harmless, because the worker decides
// by, and reports, the copy that it took, and no threshold depends on the random value it is compared with. Counters
// are 32-bit and wrap: the reader takes differences, modulo 2^32.

import { maxKeys } from '../../sampler/key-table.ts';
import { randomLength } from './trace-context.ts';

/** What is counted by slot, in the worker. */
export const KeyCounter = {
  /** Requests, of which every decision is ours: a caller's decision is no arrival. */
  arrivals: 0,
  /** Requests with a decision of the caller's. */
  withParent: 1,
  /** Kept, but below what stage 2 had reached of their stratum: no record was written. Errors are counted by themselves. */
  headSkipped: 2,
  /** Errors, likewise. */
  errorsSkipped: 3,
  /** Records that the main thread was too slow to take. */
  recordsDropped: 4,
} as const;
export type KeyCounter = (typeof KeyCounter)[keyof typeof KeyCounter];

/** What is counted by listener's direction, in the worker: whether a request came with the ids of a trace that its caller is in. */
export const ContextCounter = { inboundWith: 0, inboundWithout: 1, outboundWith: 2, outboundWithout: 3 } as const;
export type ContextCounter = (typeof ContextCounter)[keyof typeof ContextCounter];

/** Strata whose reached threshold workers read, so that they need not write what stage 2 would not keep. */
export const ReachedStratum = { head: 0, error: 1, slow: 2, retry: 3 } as const;
export type ReachedStratum = (typeof ReachedStratum)[keyof typeof ReachedStratum];

const countersBySlot = 5;
const thresholdBytes = 16;
const reachedAt = maxKeys * thresholdBytes;
const countersAt = reachedAt + Object.keys(ReachedStratum).length * thresholdBytes;
const contextsFrom = maxKeys * countersBySlot;
const totalBytes = countersAt + (contextsFrom + Object.keys(ContextCounter).length) * Uint32Array.BYTES_PER_ELEMENT;

/** A view of one worker's memory, on either side. */
export class SamplingMemory {
  readonly buffer: SharedArrayBuffer;
  /** A `Threshold` of sampler/threshold.ts at `thresholdAt(slot)`, with slots of sampler/key-table.ts. */
  readonly thresholds: Uint8Array;
  readonly #counters: Uint32Array;

  /** Without a buffer: a new one, whose thresholds keep everything. */
  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(totalBytes);
    this.thresholds = new Uint8Array(this.buffer, 0, countersAt);
    this.#counters = new Uint32Array(this.buffer, countersAt);
    if (buffer === undefined) this.thresholds.fill(digitZero);
  }

  count(slot: number, counter: KeyCounter): void {
    const at = slot * countersBySlot + counter;
    this.#counters[at] = this.#counters[at]! + 1;
  }

  /** A slot has a new owner: what was set for the one before does not concern it. `threshold` is for its first requests. */
  restart(slot: number, threshold: string): void {
    this.setThreshold(slot, threshold);
  }

  counter(slot: number, counter: KeyCounter): number {
    return this.#counters[slot * countersBySlot + counter]!;
  }

  countContext(counter: ContextCounter): void {
    const at = contextsFrom + counter;
    this.#counters[at] = this.#counters[at]! + 1;
  }

  contextCounter(counter: ContextCounter): number {
    return this.#counters[contextsFrom + counter]!;
  }

  /** 14 lower-case hex digits, or `never` of sampler/threshold.ts. */
  setThreshold(slot: number, threshold: string): void {
    this.#write(thresholdAt(slot), threshold);
  }

  /** Of the window that runs. */
  setReached(stratum: ReachedStratum, threshold: string): void {
    this.#write(reachedThresholdAt(stratum), threshold);
  }

  #write(at: number, threshold: string): void {
    if (threshold.length !== randomLength) throw new RangeError(`a threshold has 14 digits, not "${threshold}"`);
    for (let index = 0; index < randomLength; index++) this.thresholds[at + index] = threshold.charCodeAt(index);
  }
}

/** Where the threshold of a slot begins in `SamplingMemory.thresholds`. */
export function thresholdAt(slot: number): number {
  return slot * thresholdBytes;
}

/** Where the reached threshold of a stratum begins in `SamplingMemory.thresholds`. */
export function reachedThresholdAt(stratum: ReachedStratum): number {
  return reachedAt + stratum * thresholdBytes;
}

const digitZero = 0x30;

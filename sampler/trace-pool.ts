// What a window of stage 2 holds of one stratum: a bounded number of traces, whose records stand or fall together.

import type { Threshold } from './threshold.ts';

export interface PooledRecord {
  /** R of its trace. */
  readonly random: string;
  readonly sizeBytes: number;
}

export interface PoolLimits {
  readonly traces: number;
  /** Of all records: a guard against traces of many or large ones. */
  readonly bytes: number;
  readonly windowMs: number;
}

/** Told of each record that was offered and is not, or no longer, held: once. */
export type OnDrop<Item> = (record: Item) => void;

export interface TracePool<Item extends PooledRecord> {
  offer(record: Item): void;
  /** What is below is not held any more in this window, except for its kind. */
  reached(): Threshold;
  /** Ends the window. The next one has these limits. */
  take(next: PoolLimits): Taken<Item>;
}

export interface Taken<Item> {
  readonly kept: readonly Item[];
  /** Each trace was kept when R was not below; null when what chance it had is not known. */
  readonly threshold: Threshold | null;
  /** Kept for their kind, though they are below the threshold. */
  readonly rare: readonly Item[];
}

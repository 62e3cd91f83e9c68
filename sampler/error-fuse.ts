// Errors are all kept until there are too many: an outage must not be paid for twice. Above its cap the fuse keeps one of
// each kind for sure (route, code, flag and upstream, as the worker hashed them) that was not kept in the last ten seconds,
// so that a rare error is not lost among many alike, and the others by the greatest R.
//
// How many places kinds take depends on which errors came, never on R: what is kept by R keeps a known chance. What is kept
// for its kind alone has none.

import { BottomK } from './bottom-k.ts';
import type { Threshold } from './threshold.ts';
import type { OnDrop, PooledRecord, PoolLimits, Taken, TracePool } from './trace-pool.ts';

export interface ErrorRecord extends PooledRecord {
  /** Hash of what makes errors alike. */
  readonly signature: number;
}

export class ErrorFuse<Item extends ErrorRecord> implements TracePool<Item> {
  #limits: PoolLimits;
  readonly #onDrop: OnDrop<Item>;
  readonly #highest: BottomK<Item>;
  /** The first error of each kind that is due, by signature: at most half of the places. */
  readonly #firsts = new Map<number, Item>();
  /** When the window began in which a kind was kept last; the one kept longest ago is first. */
  readonly #keptAtMs = new Map<number, number>();
  /** All windows before this one. */
  #passedMs = 0;

  constructor(limits: PoolLimits, onDrop: OnDrop<Item>) {
    this.#limits = limits;
    this.#onDrop = onDrop;
    this.#highest = new BottomK(limits, (record) => this.#dropUnlessFirst(record));
  }

  offer(record: Item): void {
    if (this.#firsts.size < this.#guaranteedPlaces && this.#isDue(record.signature)) {
      this.#firsts.set(record.signature, record);
    }
    this.#highest.offer(record);
  }

  reached(): Threshold {
    return this.#highest.reached();
  }

  take(next: PoolLimits): Taken<Item> {
    // With room for all of them nobody needs a guarantee.
    if (this.#highest.isOverfull) this.#highest.shrink(this.#limits.traces - this.#firsts.size);
    const { kept, threshold } = this.#highest.take(next);
    const keptAnyway = new Set(kept);
    const rare = [...this.#firsts.values()].filter((record) => !keptAnyway.has(record));
    for (const record of kept) this.#remember(record.signature);
    for (const record of rare) this.#remember(record.signature);
    this.#firsts.clear();
    this.#passedMs += this.#limits.windowMs;
    this.#limits = next;
    return { kept, threshold, rare };
  }

  get #guaranteedPlaces(): number {
    return Math.floor(this.#limits.traces / 2);
  }

  #isDue(signature: number): boolean {
    if (this.#firsts.has(signature)) return false;
    const keptAtMs = this.#keptAtMs.get(signature);
    return keptAtMs === undefined || this.#passedMs - keptAtMs >= guaranteeMs;
  }

  #dropUnlessFirst(record: Item): void {
    if (this.#firsts.get(record.signature) !== record) this.#onDrop(record);
  }

  #remember(signature: number): void {
    this.#keptAtMs.delete(signature);
    this.#keptAtMs.set(signature, this.#passedMs);
    if (this.#keptAtMs.size > rememberedKinds) this.#keptAtMs.delete(this.#keptAtMs.keys().next().value!);
  }
}

/** A kind that was kept is not guaranteed again for so long. */
const guaranteeMs = 10_000;

/** A peer that makes up kinds takes half of the places, and no more memory than this. */
const rememberedKinds = 1024;

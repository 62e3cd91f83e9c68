// Stage 2: an exact cap on what is exported, a window of a second at a time, stratum by stratum. Each stratum keeps the
// traces with the greatest random values R (`bottom-k.ts`), so that what is kept still says how many it stands for.
//
// A record of an outcome (error, slow, retry) that the head decision chose too is in two pools: its own and that of the
// head. It is kept when either keeps it, that is when R is not below the lower of two thresholds, each of which is set by
// other traces only; so that lower one is its threshold. It is 0 as long as its stratum keeps everything: counting such a
// record by the head's threshold instead would count errors twice, once as themselves and once for others.
// What was already below the threshold of an earlier stage is never offered, and a threshold is never lowered for the head.

import { BottomK } from './bottom-k.ts';
import { ErrorFuse } from './error-fuse.ts';
import { FirstCome } from './first-come.ts';
import type { SamplingSettings } from './settings.ts';
import { always, higher, lower, type Threshold } from './threshold.ts';
import type { OnDrop, PoolLimits, Taken, TracePool } from './trace-pool.ts';

/** Why a record is offered. A parent's decision shares the stratum of the head. */
export type OfferedReason = 'head' | 'parent' | 'error' | 'slow' | 'retry' | 'debug' | 'upgrade';
export type Stratum = Exclude<OfferedReason, 'parent'>;

/** A record of one request, as much of it as is decided by. */
export interface CappedRecord {
  /** R of its trace, 14 lower-case hex digits. */
  readonly random: string;
  /** Of the head decision, made here or by the caller; `never` when nothing could have chosen it, null when not known. */
  readonly threshold: Threshold | null;
  /** What its own stratum let pass on the way here: what was below was not offered. Absent when everything was. */
  readonly passed?: Threshold;
  /** Whether the head decision, ours or the caller's, chose it. */
  readonly headKept: boolean;
  readonly reason: OfferedReason;
  /** What suppressed records are counted by. */
  readonly key: string;
  /** Of an error: a hash of what makes errors alike. */
  readonly signature: number;
  readonly sizeBytes: number;
}

export interface KeptRecord<Item extends CappedRecord> {
  readonly record: Item;
  /** What `th` says; null when the record's chance is not known and nothing may be said. */
  readonly threshold: Threshold | null;
  /** The record's own, or that it was kept for its kind alone. */
  readonly reason: OfferedReason | 'rare';
}

/** Records that were offered and not kept. */
export interface Suppressed {
  readonly key: string;
  readonly reason: OfferedReason;
  readonly count: number;
}

export interface ClosedWindow<Item extends CappedRecord> {
  readonly kept: readonly KeptRecord<Item>[];
  readonly suppressed: readonly Suppressed[];
}

export class ExportCap<Item extends CappedRecord> {
  #settings: SamplingSettings;
  #tracesPerSecond: number;
  #windowMs = 0;
  #startedAtMs: number | undefined;
  /** What is left of the budget because a window holds whole traces only: below 1. */
  #unused = 0;
  #pools: Pools<Item>;
  #poolsCap: SamplingSettings['cap'];
  #suppressed = new Map<string, CountedSuppressed>();

  /** `tracesPerSecond`: of this instance, as `RootRates` says it. */
  constructor(settings: SamplingSettings, tracesPerSecond: number = settings.budget.tracesPerSecond) {
    this.#settings = settings;
    this.#tracesPerSecond = tracesPerSecond;
    this.#poolsCap = settings.cap;
    this.#pools = makePools(settings.cap, this.#nextLimits(), (entry) => this.#onDrop(entry));
  }

  /** For windows after the one that runs. */
  configure(settings: SamplingSettings, tracesPerSecond: number = settings.budget.tracesPerSecond): void {
    this.#settings = settings;
    this.#tracesPerSecond = tracesPerSecond;
  }

  offer(record: Item): void {
    const joinsHead = record.headKept && outcomesBesideHead.has(record.reason);
    const entry: Entry<Item> = {
      record,
      random: record.random,
      sizeBytes: record.sizeBytes + entryBytes,
      signature: record.signature,
      holders: joinsHead ? 2 : 1,
      isKept: false,
    };
    this.#pools[stratumOf(record.reason)].offer(entry);
    if (joinsHead) this.#pools.head.offer(entry);
  }

  /** What is below is not kept in the window that runs, unless another stratum or its kind keeps it. */
  reached(stratum: Stratum): Threshold {
    return this.#pools[stratum].reached();
  }

  /**
   * To be called once a second: what was kept, when the window is over; nothing before that. A window is a second, and
   * longer when the budget is less than a trace a second. `isFinal` ends it whatever the time.
   */
  close(nowMs: number, isFinal = false): ClosedWindow<Item> {
    const startedAtMs = this.#startedAtMs ?? nowMs - this.#windowMs;
    const elapsedMs = nowMs - startedAtMs;
    // A clock that was set back ends a window, too: better one that is short than one without an end.
    if (elapsedMs >= 0 && elapsedMs < this.#windowMs - earlyMs && !isFinal) return { kept: [], suppressed: [] };
    // Calls that come a little early or late do not move the windows.
    const isInTime = elapsedMs >= 0 && elapsedMs < 2 * this.#windowMs;
    this.#startedAtMs = isInTime ? startedAtMs + this.#windowMs : nowMs;
    return this.#closeWindow();
  }

  #closeWindow(): ClosedWindow<Item> {
    const limits = this.#nextLimits();
    const taken = takeAll(this.#pools, limits);
    const kept: KeptRecord<Item>[] = [];
    for (const stratum of strata) {
      for (const entry of taken[stratum].kept) {
        // Two pools may hold it.
        if (entry.isKept) continue;
        entry.isKept = true;
        const { record } = entry;
        kept.push({ record, threshold: thresholdOfRecord(record, taken), reason: record.reason });
      }
    }
    for (const { record, isKept } of taken.error.rare)
      if (!isKept) kept.push({ record, threshold: null, reason: 'rare' });
    if (this.#poolsCap !== this.#settings.cap) {
      this.#poolsCap = this.#settings.cap;
      this.#pools = makePools(this.#poolsCap, limits, (entry) => this.#onDrop(entry));
    }
    const suppressed = [...this.#suppressed.values()];
    this.#suppressed = new Map();
    return { kept, suppressed };
  }

  /** Of the window that begins. */
  #nextLimits(): Limits {
    const { errors, slow, retries, debug, upgrade } = this.#settings;
    const perSecond = this.#tracesPerSecond;
    this.#windowMs = perSecond > 0 && perSecond < 1 ? Math.min(longestWindowMs, Math.ceil(1000 / perSecond)) : 1000;
    const seconds = this.#windowMs / 1000;
    const budget = perSecond * seconds + this.#unused;
    const head = perSecond > 0 ? Math.max(1, Math.floor(budget + rounding)) : 0;
    this.#unused = Math.max(0, budget - head);
    const limitOf = (maxPerSecond: number) => limitsOf(Math.floor(maxPerSecond * seconds), this.#windowMs);
    return {
      head: limitsOf(head, this.#windowMs),
      error: limitOf(errors.maxPerSecond),
      slow: limitOf(slow?.maxPerSecond ?? 0),
      retry: limitOf(retries.maxPerSecond),
      debug: limitOf(debug.maxPerSecond),
      upgrade: limitOf(upgrade.maxPerSecond),
    };
  }

  #onDrop(entry: Entry<Item>): void {
    entry.holders--;
    if (entry.holders > 0) return;
    const { key, reason } = entry.record;
    const id = `${reason} ${key}`;
    const counted = this.#suppressed.get(id);
    if (counted === undefined) this.#suppressed.set(id, { key, reason, count: 1 });
    else counted.count++;
  }
}

const strata: readonly Stratum[] = ['head', 'error', 'slow', 'retry', 'debug', 'upgrade'];

/** Debug has a cap instead of the budget. An upgrade is what the head did not choose. */
const outcomesBesideHead: ReadonlySet<OfferedReason> = new Set(['error', 'slow', 'retry']);

/** A caller's timer may fire early by so much. */
const earlyMs = 20;
/** What a trace waits for at most, however small the budget. */
const longestWindowMs = 10_000;
/** 0.1 x 10 is 1. */
const rounding = 1e-9;

/** What an entry takes beside the record's own bytes. */
const entryBytes = 256;
const poolBytes = 1 << 20;
const bytesByTrace = 16 << 10;
const mostPoolBytes = 64 << 20;

interface Entry<Item> {
  readonly record: Item;
  readonly random: string;
  readonly sizeBytes: number;
  readonly signature: number;
  /** Pools that hold it; it is lost when none does. */
  holders: number;
  isKept: boolean;
}

interface CountedSuppressed extends Suppressed {
  count: number;
}

type Pools<Item> = Readonly<Record<Stratum, TracePool<Entry<Item>>>>;
type Limits = Readonly<Record<Stratum, PoolLimits>>;
type AllTaken<Item> = Readonly<Record<Stratum, Taken<Entry<Item>>>>;

function makePools<Item>(cap: SamplingSettings['cap'], limits: Limits, onDrop: OnDrop<Entry<Item>>): Pools<Item> {
  const poolOf = (stratum: Stratum) =>
    cap === 'bottom-k' ? new BottomK(limits[stratum], onDrop) : new FirstCome(limits[stratum], onDrop);
  return {
    head: poolOf('head'),
    error: cap === 'bottom-k' ? new ErrorFuse(limits.error, onDrop) : poolOf('error'),
    slow: poolOf('slow'),
    retry: poolOf('retry'),
    debug: poolOf('debug'),
    upgrade: poolOf('upgrade'),
  };
}

function takeAll<Item>(pools: Pools<Item>, next: Limits): AllTaken<Item> {
  return {
    head: pools.head.take(next.head),
    error: pools.error.take(next.error),
    slow: pools.slow.take(next.slow),
    retry: pools.retry.take(next.retry),
    debug: pools.debug.take(next.debug),
    upgrade: pools.upgrade.take(next.upgrade),
  };
}

function limitsOf(traces: number, windowMs: number): PoolLimits {
  return { traces, bytes: Math.min(poolBytes + traces * bytesByTrace, mostPoolBytes), windowMs };
}

function stratumOf(reason: OfferedReason): Stratum {
  return reason === 'parent' ? 'head' : reason;
}

/** Null when it is not known. */
function thresholdOfRecord<Item>(record: CappedRecord, taken: AllTaken<Item>): Threshold | null {
  const ofStratum = taken[stratumOf(record.reason)].threshold;
  // The callee's choice may depend on R in a way that is not known here.
  if (ofStratum === null || record.reason === 'upgrade') return null;
  const own = higher(ofStratum, record.passed ?? always);
  // It was asked for, and a ceiling may still have chosen among those that ask.
  if (record.reason === 'debug') return record.threshold === null ? null : higher(own, record.threshold);
  if (own === always && stratumOf(record.reason) !== 'head') return own;
  const head = taken.head.threshold;
  const ofHead = record.threshold === null || head === null ? null : higher(record.threshold, head);
  if (ofHead === null || stratumOf(record.reason) === 'head') return ofHead;
  return lower(own, ofHead);
}

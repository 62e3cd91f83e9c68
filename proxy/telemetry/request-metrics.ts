// Request metrics in a worker: every request is counted, at the one point where it is logged.
//
// A route keeps its series, so that a request costs one look-up by how it ended, an addition and a record. Memory is
// bounded whatever the routes are: what finds no room is counted as `other`, and what was idle for long gives its room
// back. Its counts are not lost: the main thread adds them to `other` (`series-budget.ts`).

import { otherName, outcomeOf, type RequestKey, requestNames, requestStats } from './request-stats.ts';
import type { StatBlock } from './stats.ts';
import type { WorkerStats } from './worker-stats.ts';

/** A series without a request for so long is given up. */
export const idleSeriesMs = 15 * 60_000;
/** One that others wait for, after so long: a series that comes and goes costs its reader more than one that stays. */
export const displacedAfterMs = 60_000;
/** Share of the room that is made at a time. */
export const displacedShare = 1 / 16;
export const sweepIntervalMs = 10_000;

export interface RequestMetricsOptions {
  readonly stats: WorkerStats;
  /** Series of this worker, each a counter and a histogram: about 1.5 KiB. */
  readonly maxSeries: number;
}

export class RequestMetrics {
  readonly #stats: WorkerStats;
  readonly #maxSeries: number;
  readonly #entries = new Set<SeriesEntry>();
  /** What has no series of its own: as many as there are outcomes, at most. */
  readonly #other = new Map<number, SeriesEntry>();
  #hasRefused = false;
  #sweptAtMs = Number.NEGATIVE_INFINITY;

  constructor({ stats, maxSeries }: RequestMetricsOptions) {
    this.#stats = stats;
    this.#maxSeries = maxSeries;
  }

  /** What requests of this key are counted in. Once a route, service and method, for as long as the caller likes. */
  seriesFor(key: RequestKey): RequestSeries {
    return new RequestSeries(this, key);
  }

  /** The entry that counts an outcome; its series remembers it, unless it is that of `other`. */
  open(series: RequestSeries, outcome: number): SeriesEntry {
    if (this.#entries.size >= this.#maxSeries) {
      this.#hasRefused = true;
      return this.#otherEntry(outcome);
    }
    const block = this.#stats.block(requestStats, ...requestNames(series.key, outcome));
    const entry = { series, outcome, block, isUsed: true, usedAtMs: this.#sweptAtMs };
    this.#entries.add(entry);
    series.entries.set(outcome, entry);
    return entry;
  }

  /** Called once a second or so: gives up what is idle. */
  cleanUp(nowMs: number): void {
    if (nowMs - this.#sweptAtMs < sweepIntervalMs) return;
    this.#sweptAtMs = nowMs;
    for (const entry of this.#entries) {
      if (entry.isUsed) entry.usedAtMs = nowMs;
      entry.isUsed = false;
      if (nowMs - entry.usedAtMs >= idleSeriesMs) this.#close(entry);
    }
    if (this.#hasRefused) this.#makeRoom(nowMs);
    this.#hasRefused = false;
  }

  /** The least recently used go first. */
  #makeRoom(nowMs: number): void {
    const wanted = Math.ceil(this.#maxSeries * displacedShare) - (this.#maxSeries - this.#entries.size);
    if (wanted <= 0) return;
    const idle = [...this.#entries].filter(({ usedAtMs }) => nowMs - usedAtMs >= displacedAfterMs);
    idle.sort((left, right) => left.usedAtMs - right.usedAtMs);
    for (const entry of idle.slice(0, wanted)) this.#close(entry);
  }

  #close(entry: SeriesEntry): void {
    this.#entries.delete(entry);
    entry.series.entries.delete(entry.outcome);
    this.#stats.release(entry.block);
  }

  #otherEntry(outcome: number): SeriesEntry {
    const known = this.#other.get(outcome);
    if (known !== undefined) return known;
    const series = new RequestSeries(this, otherKey);
    const block = this.#stats.block(requestStats, ...requestNames(otherKey, outcome));
    const entry = { series, outcome, block, isUsed: true, usedAtMs: 0 };
    this.#other.set(outcome, entry);
    return entry;
  }
}

const otherKey: RequestKey = { service: otherName, route: otherName, method: otherName };

interface SeriesEntry {
  readonly series: RequestSeries;
  readonly outcome: number;
  readonly block: StatBlock;
  /** Since the last sweep. */
  isUsed: boolean;
  usedAtMs: number;
}

/** The series of one key, by outcome. */
export class RequestSeries {
  readonly key: RequestKey;
  /** Its owner's: those that have a block now. */
  readonly entries = new Map<number, SeriesEntry>();
  readonly #owner: RequestMetrics;

  constructor(owner: RequestMetrics, key: RequestKey) {
    this.#owner = owner;
    this.key = key;
  }

  /**
   * Counts one request: its HTTP status, 0 when no response was sent; its gRPC status, -1 when it is no gRPC; and how long
   * it took.
   */
  record(status: number, grpcStatus: number, durationMs: number): void {
    const outcome = outcomeOf(status, grpcStatus);
    const entry = this.entries.get(outcome) ?? this.#owner.open(this, outcome);
    entry.isUsed = true;
    entry.block.inc(requestStats.requestsTotal);
    entry.block.record(requestStats.requestDurationMs, durationMs);
  }
}

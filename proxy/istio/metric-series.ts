// The series of Istio's metrics in one worker. There are as many as peers, services and outcomes make, which a mesh and its
// clients decide: so there is a bound, beyond which series are counted together as `other`, and what nobody used for long
// gives its room back.

import { displacedAfterMs, displacedShare, idleSeriesMs, sweepIntervalMs } from '../telemetry/request-metrics.ts';
import type { StatBlock, StatSet } from '../telemetry/stats.ts';
import type { WorkerStats } from '../telemetry/worker-stats.ts';

export interface SeriesNames {
  readonly set: StatSet;
  readonly names: readonly string[];
  /** What counts it where there is no room. */
  readonly otherNames: readonly string[];
}

/** To be held until `version` changes, no longer. */
export interface SeriesEntry {
  readonly block: StatBlock;
  /** Since the last sweep; to be set by who counts. */
  isUsed: boolean;
}

interface KnownEntry extends SeriesEntry {
  usedAtMs: number;
}

export class MetricSeries {
  /** Another one when entries were given up: they must be opened again. */
  version = 0;
  readonly #stats: WorkerStats;
  readonly #maxSeries: number;
  readonly #entries = new Map<string, KnownEntry>();
  /** As many as the few tags that are kept in them make. */
  readonly #others = new Map<string, SeriesEntry>();
  readonly #setNumbers = new Map<StatSet, number>();
  #hasRefused = false;
  #sweptAtMs = Number.NEGATIVE_INFINITY;

  /** `maxSeries` blocks, each of up to four metrics. */
  constructor(stats: WorkerStats, maxSeries: number) {
    this.#stats = stats;
    this.#maxSeries = maxSeries;
  }

  open({ set, names, otherNames }: SeriesNames): SeriesEntry {
    const key = this.#key(set, names);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    if (this.#entries.size >= this.#maxSeries) {
      this.#hasRefused = true;
      return this.#openOther(set, otherNames);
    }
    const entry = { block: this.#stats.block(set, ...names), isUsed: true, usedAtMs: this.#sweptAtMs };
    this.#entries.set(key, entry);
    return entry;
  }

  #openOther(set: StatSet, names: readonly string[]): SeriesEntry {
    const key = this.#key(set, names);
    const known = this.#others.get(key);
    if (known !== undefined) return known;
    const entry = { block: this.#stats.block(set, ...names), isUsed: true };
    this.#others.set(key, entry);
    return entry;
  }

  #key(set: StatSet, names: readonly string[]): string {
    const number = this.#setNumbers.get(set) ?? this.#setNumbers.size;
    this.#setNumbers.set(set, number);
    return `${number}\0${names.join('\0')}`;
  }

  /** Called once a second or so: gives up what is idle. */
  cleanUp(nowMs: number): void {
    if (nowMs - this.#sweptAtMs < sweepIntervalMs) return;
    this.#sweptAtMs = nowMs;
    for (const [key, entry] of this.#entries) {
      if (entry.isUsed) entry.usedAtMs = nowMs;
      entry.isUsed = false;
      if (nowMs - entry.usedAtMs >= idleSeriesMs) this.#close(key, entry);
    }
    if (this.#hasRefused) this.#makeRoom(nowMs);
  }

  /** The least recently used go first; who was refused looks again. */
  #makeRoom(nowMs: number): void {
    this.#hasRefused = false;
    const wanted = Math.ceil(this.#maxSeries * displacedShare) - (this.#maxSeries - this.#entries.size);
    const idle = [...this.#entries].filter(([, { usedAtMs }]) => nowMs - usedAtMs >= displacedAfterMs);
    idle.sort(([, left], [, right]) => left.usedAtMs - right.usedAtMs);
    for (const [key, entry] of idle.slice(0, Math.max(0, wanted))) this.#close(key, entry);
    if (this.#entries.size < this.#maxSeries) this.version++;
    else this.#hasRefused = true;
  }

  #close(key: string, { block }: KnownEntry): void {
    this.#entries.delete(key);
    this.#stats.release(block);
    this.version++;
  }
}

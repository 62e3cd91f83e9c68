// When the main thread looks after sampling and export: once a second, and when it is awake for records anyway.
//
// It shares its core with workers, so that what wakes it costs more than what it does then: ten beats a second beside five
// batches were 0.25 ms each at 4,000 requests a second, the caches being the worker's. A burst brings records, and with
// them the beat that meets it. Only a key of which nothing is known is looked at ten times a second: all of it is kept
// meanwhile.

import type { ExportClock } from './sender.ts';

export interface SamplingBeatOptions {
  readonly onBeat: () => void;
  readonly clock: ExportClock;
}

/** Between beats that are asked for, at least. */
export const shortBeatMs = 100;
export const longBeatMs = 1000;
/** A new key has had its first window by then. */
const watchMs = 2000;

export class SamplingBeat {
  readonly #options: SamplingBeatOptions;
  #beatAtMs: number;
  #watchedUntilMs = Number.NEGATIVE_INFINITY;
  #stop: () => void;

  constructor(options: SamplingBeatOptions) {
    this.#options = options;
    this.#beatAtMs = options.clock.nowMs();
    this.#stop = this.#schedule();
  }

  /** There is a new key. */
  watch(): void {
    const { clock } = this.#options;
    const isWatching = clock.nowMs() < this.#watchedUntilMs;
    this.#watchedUntilMs = clock.nowMs() + watchMs;
    if (isWatching) return;
    this.#stop();
    this.#stop = this.#schedule();
  }

  /** Records came. */
  onRecords(): void {
    if (this.#options.clock.nowMs() - this.#beatAtMs < shortBeatMs) return;
    this.#stop();
    this.#beat();
  }

  #beat(): void {
    const { onBeat, clock } = this.#options;
    this.#beatAtMs = clock.nowMs();
    onBeat();
    this.#stop = this.#schedule();
  }

  #schedule(): () => void {
    const { clock } = this.#options;
    const delayMs = clock.nowMs() < this.#watchedUntilMs ? shortBeatMs : longBeatMs;
    return clock.schedule(delayMs, () => this.#beat());
  }
}

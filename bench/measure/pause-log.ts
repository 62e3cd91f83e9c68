// What a watchman's wakings tell of a core.

/** Milliseconds of the clock all processes have (`monotonic-clock.ts`). */
export type Span = { readonly fromMs: number; readonly toMs: number };

/** A timer of 1 ms fires within 1.2 ms when nobody is in its way. */
const LONGEST_WAIT_MS = 2;

export class PauseLog {
  readonly #pauses: Span[] = [];
  #lastMs = Number.NaN;

  get pauses(): readonly Span[] {
    return this.#pauses;
  }

  wake(nowMs: number): void {
    if (nowMs - this.#lastMs > LONGEST_WAIT_MS) this.#pauses.push({ fromMs: this.#lastMs, toMs: nowMs });
    this.#lastMs = nowMs;
  }
}

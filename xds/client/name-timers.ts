// One timer for each name, for what must come or go within its time.

import { longestTimerMs } from '../../config/timer-limit.ts';
import type { Schedule } from './discovery.ts';

export class NameTimers {
  readonly #schedule: Schedule;
  readonly #onDue: (name: string) => void;
  readonly #cancels = new Map<string, () => void>();
  /** Due, and not called before so many arrivals were handled. */
  readonly #heldBack = new Map<string, number>();
  #arrived = 0;
  #handled = 0;

  constructor(schedule: Schedule, onDue: (name: string) => void) {
    this.#schedule = schedule;
    this.#onDue = onDue;
  }

  /** Replaces a timer of this name. */
  start(name: string, delayMs: number): void {
    this.cancel(name);
    // A TTL may be longer than a timer can be.
    const partMs = Math.min(delayMs, longestTimerMs);
    const cancel = this.#schedule(partMs, () => {
      this.#cancels.delete(name);
      if (partMs < delayMs) this.start(name, delayMs - partMs);
      else if (this.#handled < this.#arrived) this.#heldBack.set(name, this.#arrived);
      else this.#onDue(name);
    });
    this.#cancels.set(name, cancel);
  }

  cancel(name: string): void {
    this.#cancels.get(name)?.();
    this.#cancels.delete(name);
    this.#heldBack.delete(name);
  }

  /** What may have what is waited for came in time, and waits to be handled itself: what becomes due until then waits, too. */
  onArrival(): void {
    this.#arrived++;
  }

  /** The oldest of what arrived was handled. */
  onHandled(): void {
    this.#handled++;
    for (const [name, arrived] of this.#heldBack) {
      if (arrived > this.#handled) continue;
      this.#heldBack.delete(name);
      this.#onDue(name);
    }
  }

  cancelAll(): void {
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
    this.#heldBack.clear();
  }
}

// One timer for each name, for what must come or go within its time.

import type { Schedule } from './discovery.ts';

/** `setTimeout` takes 31 bits of milliseconds; what is longer, as a TTL may be, is waited for in parts. */
const maxDelayMs = 2 ** 31 - 1;

export class NameTimers {
  readonly #schedule: Schedule;
  readonly #onDue: (name: string) => void;
  readonly #cancels = new Map<string, () => void>();

  constructor(schedule: Schedule, onDue: (name: string) => void) {
    this.#schedule = schedule;
    this.#onDue = onDue;
  }

  /** Replaces a timer of this name. */
  start(name: string, delayMs: number): void {
    this.cancel(name);
    const partMs = Math.min(delayMs, maxDelayMs);
    const cancel = this.#schedule(partMs, () => {
      this.#cancels.delete(name);
      if (partMs < delayMs) this.start(name, delayMs - partMs);
      else this.#onDue(name);
    });
    this.#cancels.set(name, cancel);
  }

  cancel(name: string): void {
    this.#cancels.get(name)?.();
    this.#cancels.delete(name);
  }

  cancelAll(): void {
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }
}

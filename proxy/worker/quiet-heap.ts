// Gives back a worker's heap when it has been quiet for long. V8 would do so after seconds, and throw away the code that it
// has optimized (see `proxy/command/kept-code.ts`): after minutes that matters less than memory.

/** More events in a second are traffic: probes, housekeeping and scrapes come with a few. */
const busyEvents = 20;
/** Longer than what comes once a minute, or every five. */
const quietMs = 600_000;

export class QuietHeap {
  readonly #returnHeap: () => void;
  #events = 0;
  #busyAtMs = 0;
  #isReturned = true;

  constructor(returnHeap: () => void) {
    this.#returnHeap = returnHeap;
  }

  /** Once a second. `events` is how many there have been in all. */
  keepHouse(nowMs: number, events: number): void {
    const isBusy = events - this.#events > busyEvents;
    this.#events = events;
    if (isBusy) {
      this.#busyAtMs = nowMs;
      this.#isReturned = false;
      return;
    }
    if (this.#isReturned || nowMs - this.#busyAtMs < quietMs) return;
    this.#isReturned = true;
    this.#returnHeap();
  }
}

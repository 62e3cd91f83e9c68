// Taking over a large response takes many turns of the event loop, and is one to all who wait for the end of a turn: what
// comes of it is one change, and one request for what it needs, behind its answer.

export class LongTurns {
  /** Calls back in a later turn of the event loop. */
  readonly later: (callback: () => void) => void;
  #open = 0;
  #waiting: (() => void)[] = [];

  constructor(later: (callback: () => void) => void) {
    this.later = later;
  }

  /** Calls back at the end of this turn, and of those that are open then. */
  readonly defer = (callback: () => void): void => {
    this.later(() => {
      if (this.#open > 0) this.#waiting.push(callback);
      else callback();
    });
  };

  get isOpen(): boolean {
    return this.#open > 0;
  }

  begin(): void {
    this.#open++;
  }

  end(): void {
    this.#open--;
    if (this.#open > 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) this.defer(callback);
  }
}

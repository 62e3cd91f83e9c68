// Responses of one type in the order in which they came. One that takes long is prepared first, a step for each turn of
// the event loop: other types, timers and DNS go on meanwhile, and what comes of its own type waits behind it.

export interface ResponseLineOptions<R> {
  /** The steps; undefined where a response needs none. */
  readonly prepare: (response: R) => Iterator<unknown> | undefined;
  readonly deliver: (response: R) => void;
  /** Nobody wants to hear of any more. */
  readonly isOver: () => boolean;
  /** Calls back in a later turn of the event loop. */
  readonly defer: (callback: () => void) => void;
}

export class ResponseLine<R> {
  readonly #options: ResponseLineOptions<R>;
  /** The first is being prepared. */
  readonly #waiting: R[] = [];

  constructor(options: ResponseLineOptions<R>) {
    this.#options = options;
  }

  add(response: R): void {
    this.#waiting.push(response);
    if (this.#waiting.length === 1) this.#next();
  }

  #next(): void {
    const { prepare, isOver } = this.#options;
    while (this.#waiting.length > 0 && !isOver()) {
      const steps = prepare(this.#waiting[0]!);
      if (steps !== undefined) {
        this.#step(steps);
        return;
      }
      this.#deliver();
    }
  }

  #step(steps: Iterator<unknown>): void {
    const { isOver, defer } = this.#options;
    defer(() => {
      if (isOver()) return;
      if (steps.next().done !== true) {
        this.#step(steps);
        return;
      }
      this.#deliver();
      this.#next();
    });
  }

  #deliver(): void {
    this.#options.deliver(this.#waiting.shift()!);
  }
}

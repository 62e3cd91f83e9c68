// Responses of one type in the order in which they came. One that takes long is prepared first, a step for each turn of
// the event loop: other types, timers and DNS go on meanwhile, and what comes of its own type waits behind it. When too much
// waits, all of it is delivered at once, so that a peer that does not wait for answers cannot fill memory.

export interface ResponseLineOptions<R> {
  /** The steps; undefined where a response needs none. */
  readonly prepare: (response: R) => Iterator<unknown> | undefined;
  readonly deliver: (response: R) => void;
  /** What it takes while it waits. */
  readonly bytesOf: (response: R) => number;
  /** Nobody wants to hear of any more. */
  readonly isOver: () => boolean;
  /** Calls back in a later turn of the event loop. */
  readonly defer: (callback: () => void) => void;
}

export class ResponseLine<R> {
  readonly #options: ResponseLineOptions<R>;
  /** The first is being prepared. */
  readonly #waiting: R[] = [];
  /** Of those behind the first. */
  #bytesBehind = 0;
  /** Of the first. */
  #steps: Iterator<unknown> | undefined;

  constructor(options: ResponseLineOptions<R>) {
    this.#options = options;
  }

  add(response: R): void {
    this.#waiting.push(response);
    if (this.#waiting.length === 1) {
      this.#next();
      return;
    }
    this.#bytesBehind += this.#options.bytesOf(response);
    if (this.#bytesBehind > mostBytesBehind) this.#deliverAll();
  }

  #next(): void {
    const { prepare, isOver } = this.#options;
    while (this.#waiting.length > 0 && !isOver()) {
      this.#steps = prepare(this.#waiting[0]!);
      if (this.#steps !== undefined) {
        this.#step(this.#steps);
        return;
      }
      this.#deliver();
    }
  }

  #step(steps: Iterator<unknown>): void {
    const { isOver, defer } = this.#options;
    defer(() => {
      if (isOver() || steps !== this.#steps) return;
      if (steps.next().done !== true) {
        this.#step(steps);
        return;
      }
      this.#deliver();
      this.#next();
    });
  }

  /** What is not prepared takes its time at once. */
  #deliverAll(): void {
    this.#steps = undefined;
    while (this.#waiting.length > 0 && !this.#options.isOver()) this.#deliver();
  }

  #deliver(): void {
    const { bytesOf, deliver } = this.#options;
    const response = this.#waiting.shift()!;
    if (this.#waiting.length > 0) this.#bytesBehind -= bytesOf(this.#waiting[0]!);
    deliver(response);
  }
}

/** A few tables of 100,000 names. */
const mostBytesBehind = 64 * 1024 * 1024;

// Responses in the order in which they came, which is an order across types: routes are sent behind their clusters and must
// not overtake them. A large one is prepared first, a few milliseconds in each turn of the event loop: timers, the admin
// interface, DNS and other streams go on meanwhile, and what comes of this stream waits behind it. Preparing changes
// nothing that anybody sees; a response is delivered as a whole. What came in one turn is delivered in one, so that it
// stays one change. When too much waits, all of it is delivered at once: a peer that does not wait for answers cannot fill memory.

import { isDoneInSlice } from '../../config/time-slice.ts';

export interface ResponseLineOptions<R> {
  /** What can be done ahead, in short steps; undefined where there is nothing. */
  readonly prepare: (response: R) => Iterator<unknown> | undefined;
  readonly deliver: (response: R) => void;
  /** What it takes while it waits. */
  readonly bytesOf: (response: R) => number;
  /** Nobody wants to hear of any more. */
  readonly isOver: () => boolean;
  /** In milliseconds. */
  readonly clock: () => number;
  /** Calls back in a later turn of the event loop. */
  readonly defer: (callback: () => void) => void;
}

/** Below it is one slice anyway: a response as small as those of every day is delivered as it comes. */
const leastBytes = 32 * 1024;

/** A few tables of 100,000 names. */
const mostBytesBehind = 64 * 1024 * 1024;

type State =
  /** Nothing waits. */
  | { readonly kind: 'idle' }
  /** `steps` are those of the response at `at` of the first batch; those before it are prepared. */
  | { readonly kind: 'preparing'; readonly steps: Iterator<unknown>; readonly at: number }
  | { readonly kind: 'delivering' };

const idle: State = { kind: 'idle' };
const delivering: State = { kind: 'delivering' };

export class ResponseLine<R> {
  readonly #options: ResponseLineOptions<R>;
  #state: State = idle;
  /** What waits; each batch came in one turn. */
  readonly #batches: R[][] = [];
  /** What comes now belongs to the last batch. */
  #isOpen = false;
  /** Of all that waits. */
  #bytes = 0;

  constructor(options: ResponseLineOptions<R>) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#state.kind === 'idle';
  }

  add(response: R): void {
    if (this.#state.kind !== 'idle') {
      this.#wait(response);
      if (this.#bytes - this.#options.bytesOf(this.#batches[0]![0]!) > mostBytesBehind) this.finish();
      return;
    }
    const steps = this.#stepsOf(response);
    if (steps === undefined) {
      this.#options.deliver(response);
      return;
    }
    this.#wait(response);
    this.#sliceLater({ kind: 'preparing', steps, at: 0 });
  }

  /** Delivers all that waits now. What is not prepared takes its time. */
  finish(): void {
    while (this.#batches.length > 0 && !this.#options.isOver()) this.#deliverFirst();
    this.#state = idle;
  }

  #wait(response: R): void {
    const last = this.#batches.at(-1);
    if (this.#isOpen && last !== undefined) last.push(response);
    else this.#batches.push([response]);
    this.#isOpen = true;
    this.#bytes += this.#options.bytesOf(response);
  }

  #stepsOf(response: R): Iterator<unknown> | undefined {
    const { bytesOf, prepare } = this.#options;
    return bytesOf(response) < leastBytes ? undefined : prepare(response);
  }

  #sliceLater(state: Extract<State, { kind: 'preparing' }>): void {
    this.#state = state;
    this.#options.defer(() => {
      if (this.#state !== state || this.#options.isOver()) return;
      this.#isOpen = false;
      if (isDoneInSlice(state.steps, this.#options.clock)) this.#goOn(state.at + 1);
      else this.#sliceLater(state);
    });
  }

  /** Prepares what of the first batch is left from `at` on, or delivers it and goes on with the next. */
  #goOn(at: number): void {
    let next = at;
    while (this.#batches.length > 0 && !this.#options.isOver()) {
      const response = this.#batches[0]![next];
      if (response === undefined) {
        this.#deliverFirst();
        next = 0;
        continue;
      }
      const steps = this.#stepsOf(response);
      if (steps !== undefined) {
        this.#sliceLater({ kind: 'preparing', steps, at: next });
        return;
      }
      next++;
    }
    this.#state = idle;
  }

  /** One of them may end the stream, by which all that waits is delivered, or the whole process. */
  #deliverFirst(): void {
    const { isOver, bytesOf, deliver } = this.#options;
    this.#state = delivering;
    const batch = this.#batches[0]!;
    while (batch.length > 0 && !isOver()) {
      const response = batch.shift()!;
      this.#bytes -= bytesOf(response);
      deliver(response);
    }
    if (this.#batches[0] === batch) this.#batches.shift();
  }
}

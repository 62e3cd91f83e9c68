// Responses in the order in which they came, which is an order across types: routes are sent behind their clusters and must
// not overtake them. A large one is prepared and then taken over, a few milliseconds in each turn of the event loop: timers,
// the admin interface, DNS and other streams go on meanwhile, and what comes of this stream waits behind it. Preparing changes
// nothing that anybody sees; what a response changes is told when all of it is taken over. What came in one turn is delivered in
// one long turn, so that it stays one change. When too much waits, all of it is delivered at once: a peer that does not wait for
// answers cannot fill memory.

import { notEqual } from 'node:assert/strict';
import { isDoneInSlice, takeAllSteps } from '../../config/time-slice.ts';
import type { LongTurns } from './long-turns.ts';

export interface ResponseLineOptions<R> {
  /** What can be done ahead, in short steps; undefined where there is nothing. */
  readonly prepare: (response: R) => Iterator<unknown> | undefined;
  /** In short steps, too. */
  readonly takeOver: (response: R) => Iterator<unknown>;
  /** It was taken over. */
  readonly answer: (response: R) => void;
  /** What it takes while it waits. */
  readonly bytesOf: (response: R) => number;
  /** Nobody wants to hear of any more. */
  readonly isOver: () => boolean;
  /** In milliseconds. */
  readonly clock: () => number;
  readonly turns: LongTurns;
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
  /** All of the first batch is prepared. */
  | { readonly kind: 'prepared' }
  /** The long turn of the first batch. `steps` are what is left of taking over its first response, once that has begun. */
  | { readonly kind: 'delivering'; readonly steps: Iterator<unknown> | null }
  /** … and some of these steps are made right now. */
  | { readonly kind: 'stepping' }
  /** The first batch is the next, when what came before it had its end of a turn. */
  | { readonly kind: 'next' };

/** What goes on in a later turn. */
type Paused = Exclude<State, { kind: 'idle' | 'stepping' }>;

const idle: State = { kind: 'idle' };
const stepping: State = { kind: 'stepping' };

export class ResponseLine<R> {
  readonly #options: ResponseLineOptions<R>;
  #state: State = idle;
  /** What waits; each batch came in one turn. */
  readonly #batches: R[][] = [];
  /** The batch of the turn of now. */
  #open: R[] | null = null;
  /** Of all that waits. */
  #bytes = 0;

  constructor(options: ResponseLineOptions<R>) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#state.kind === 'idle';
  }

  add(response: R): void {
    const { bytesOf, prepare, takeOver, answer } = this.#options;
    if (this.#state.kind !== 'idle') {
      this.#wait(response);
      if (this.#bytes - bytesOf(this.#batches[0]![0]!) > mostBytesBehind) this.finish();
    } else if (bytesOf(response) < leastBytes) {
      takeAllSteps(takeOver(response));
      answer(response);
    } else {
      this.#wait(response);
      const steps = prepare(response);
      this.#pause(steps === undefined ? { kind: 'prepared' } : { kind: 'preparing', steps, at: 0 });
    }
  }

  /** Delivers all that waits now. What is not prepared takes its time. */
  finish(): void {
    while (this.#batches.length > 0 && !this.#options.isOver()) this.#deliver(isDoneAtOnce);
  }

  /** What is taken over in part is taken over whole. What waits behind it is not. */
  complete(): void {
    // Who ends it all in one of the steps has the rest of them behind it.
    if (this.#state.kind !== 'delivering') return;
    if (this.#state.steps !== null) this.#takeSteps(this.#state.steps, isDoneAtOnce);
    this.#endLongTurn();
  }

  #wait(response: R): void {
    const { turns, bytesOf } = this.#options;
    this.#bytes += bytesOf(response);
    // What was delivered at once may have come in this turn, too.
    if (this.#open !== null && this.#open === this.#batches.at(-1)) {
      this.#open.push(response);
      return;
    }
    const batch = [response];
    this.#batches.push(batch);
    this.#open = batch;
    turns.later(() => {
      if (this.#open === batch) this.#open = null;
    });
  }

  #pause(state: Paused, later = this.#options.turns.later): void {
    this.#state = state;
    later(() => {
      if (this.#state === state && !this.#options.isOver()) this.#resume(state);
    });
  }

  #resume(state: Paused): void {
    switch (state.kind) {
      case 'preparing':
        if (isDoneInSlice(state.steps, this.#options.clock)) this.#goOn(state.at + 1);
        else this.#pause(state);
        break;
      case 'prepared':
        this.#goOn(this.#batches[0]!.length);
        break;
      case 'delivering':
        this.#deliverSlice();
        break;
      case 'next':
        this.#goOn(0);
    }
  }

  /** Prepares what of the first batch is left from `from` on, or delivers it. */
  #goOn(from: number): void {
    const { bytesOf, prepare, turns } = this.#options;
    const batch = this.#batches[0]!;
    for (let at = from; at < batch.length; at++) {
      const response = batch[at]!;
      const steps = bytesOf(response) < leastBytes ? undefined : prepare(response);
      if (steps !== undefined) {
        this.#pause({ kind: 'preparing', steps, at });
        return;
      }
    }
    // Long turns of two lines that overlap would never end where both always have more.
    if (turns.isOpen) this.#pause({ kind: 'prepared' }, turns.defer);
    else this.#deliverSlice();
  }

  #deliverSlice(): void {
    this.#deliver((steps) => isDoneInSlice(steps, this.#options.clock));
    if (this.#state.kind === 'delivering') this.#pause(this.#state);
  }

  /**
   * Delivers the first batch, or what there is time for. One of its responses may end the stream, by which all that waits is
   * delivered, or the whole process.
   */
  #deliver(isDone: (steps: Iterator<unknown>) => boolean): void {
    const { isOver, bytesOf, takeOver, answer } = this.#options;
    if (this.#state.kind !== 'delivering') this.#beginLongTurn();
    const batch = this.#batches[0]!;
    while (this.#state.kind === 'delivering' && batch.length > 0 && !isOver()) {
      const response = batch[0]!;
      if (!this.#takeSteps(this.#state.steps ?? takeOver(response), isDone)) {
        if (isOver()) this.complete();
        return;
      }
      batch.shift();
      this.#bytes -= bytesOf(response);
      answer(response);
    }
    if (this.#state.kind !== 'delivering') return;
    this.#batches.shift();
    this.#endLongTurn();
  }

  #beginLongTurn(): void {
    notEqual(this.#state.kind, 'stepping', 'no step delivers what waits behind it');
    this.#state = { kind: 'delivering', steps: null };
    this.#options.turns.begin();
  }

  /** Whether the first response is taken over. */
  #takeSteps(steps: Iterator<unknown>, isDone: (steps: Iterator<unknown>) => boolean): boolean {
    this.#state = stepping;
    const isTakenOver = isDone(steps);
    this.#state = { kind: 'delivering', steps: isTakenOver ? null : steps };
    return isTakenOver;
  }

  /** What waits for its end is ahead of the next batch. */
  #endLongTurn(): void {
    this.#options.turns.end();
    if (this.#batches.length === 0) this.#state = idle;
    else this.#pause({ kind: 'next' });
  }
}

function isDoneAtOnce(steps: Iterator<unknown>): boolean {
  takeAllSteps(steps);
  return true;
}

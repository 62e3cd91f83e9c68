// Responses in the order in which they came, which is an order across types: routes are sent behind their clusters and must
// not overtake them. A large one is prepared and then taken over, a few milliseconds in each turn of the event loop: timers,
// the admin interface, DNS and other streams go on meanwhile, and what comes of this stream waits behind it. Preparing changes
// nothing that anybody sees; what a response changes is told when all of it is taken over. What came in one turn is delivered in
// one long turn, so that it stays one change. When too much waits, all of it is delivered at once: a peer that does not wait for
// answers cannot fill memory.

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
  | { readonly kind: 'taking-over' }
  /** The first batch is the next, when what came before it had its end of a turn. */
  | { readonly kind: 'next' };

const idle: State = { kind: 'idle' };

export class ResponseLine<R> {
  readonly #options: ResponseLineOptions<R>;
  #state: State = idle;
  /** What waits; each batch came in one turn. */
  readonly #batches: R[][] = [];
  /** What comes now belongs to the last batch. */
  #isOpen = false;
  /** Of all that waits. */
  #bytes = 0;
  /** What is left of taking over the first response of all. */
  #steps: Iterator<unknown> | null = null;
  /** One of these is being made. */
  #isStepping = false;
  /** The first batch is being delivered. */
  #isLongTurn = false;

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
      this.#sliceLater(steps === undefined ? { kind: 'taking-over' } : { kind: 'preparing', steps, at: 0 });
    }
  }

  /** Delivers all that waits now. What is not prepared takes its time. */
  finish(): void {
    while (this.#batches.length > 0 && !this.#options.isOver()) this.#deliverFirst(isDoneAtOnce);
    this.#state = idle;
  }

  /** What is taken over in part is taken over whole. What waits behind it is not. */
  complete(): void {
    // Who ends it all in one of the steps has the rest of them behind it.
    if (this.#isStepping) return;
    if (this.#steps !== null) takeAllSteps(this.#steps);
    this.#endLongTurn();
  }

  #wait(response: R): void {
    const { turns, bytesOf } = this.#options;
    const last = this.#batches.at(-1);
    if (this.#isOpen && last !== undefined) last.push(response);
    else {
      this.#batches.push([response]);
      this.#isOpen = true;
      turns.later(() => {
        this.#isOpen = false;
      });
    }
    this.#bytes += bytesOf(response);
  }

  #sliceLater(state: Exclude<State, { kind: 'idle' }>, later = this.#options.turns.later): void {
    this.#state = state;
    const { isOver, clock } = this.#options;
    later(() => {
      if (this.#state !== state || isOver()) return;
      if (state.kind === 'taking-over') this.#goOn(this.#batches[0]!.length);
      else if (state.kind === 'next') this.#goOn(0);
      else if (isDoneInSlice(state.steps, clock)) this.#goOn(state.at + 1);
      else this.#sliceLater(state);
    });
  }

  /** Prepares what of the first batch is left from `at` on, or delivers it; the next has a turn of its own. */
  #goOn(at: number): void {
    const { bytesOf, prepare, isOver, clock, turns } = this.#options;
    for (let next = at; this.#batches.length > 0 && !isOver(); next++) {
      const response = this.#batches[0]![next];
      if (response === undefined) {
        // Long turns of two lines that overlap would never end where both always have more.
        if (!this.#isLongTurn && turns.isOpen) {
          this.#sliceLater({ kind: 'taking-over' }, turns.defer);
          return;
        }
        const isDone = this.#deliverFirst((steps) => isDoneInSlice(steps, clock));
        if (isDone && this.#batches.length === 0) break;
        this.#sliceLater({ kind: isDone ? 'next' : 'taking-over' });
        return;
      }
      const steps = bytesOf(response) < leastBytes ? undefined : prepare(response);
      if (steps !== undefined) {
        this.#sliceLater({ kind: 'preparing', steps, at: next });
        return;
      }
    }
    this.#state = idle;
  }

  /**
   * Whether all of the first batch is delivered; not when the time for one of its responses is over. One of them may end the
   * stream, by which all that waits is delivered, or the whole process.
   */
  #deliverFirst(isDone: (steps: Iterator<unknown>) => boolean): boolean {
    const { isOver, bytesOf, takeOver, answer, turns } = this.#options;
    this.#state = { kind: 'taking-over' };
    if (!this.#isLongTurn) turns.begin();
    this.#isLongTurn = true;
    const batch = this.#batches[0]!;
    while (batch.length > 0 && !isOver()) {
      const response = batch[0]!;
      this.#steps ??= takeOver(response);
      this.#isStepping = true;
      const isTakenOver = isDone(this.#steps);
      this.#isStepping = false;
      if (!isTakenOver) {
        if (isOver()) this.complete();
        return false;
      }
      this.#steps = null;
      batch.shift();
      this.#bytes -= bytesOf(response);
      answer(response);
    }
    if (this.#batches[0] === batch) this.#batches.shift();
    this.#endLongTurn();
    return true;
  }

  #endLongTurn(): void {
    if (!this.#isLongTurn) return;
    this.#isLongTurn = false;
    this.#options.turns.end();
  }
}

function isDoneAtOnce(steps: Iterator<unknown>): boolean {
  takeAllSteps(steps);
  return true;
}

// Connection events as they come: looks into the ring on a timer, hands each event over in place, and tells what was lost.
//
// A timer and no wake-up: waking costs the kernel more than the record, in the middle of somebody's connect(2). The delay
// follows the traffic, so that an idle ring is looked at fifty times a second and a busy one before it is full.

import { ConnectionEventView, connectionEventLayout, EventsCounter } from '../generated/events.ts';
import type { CounterArray } from '../loader/counter-array.ts';
import type { RingReader } from './ring-reader.ts';

export interface EventStreamOptions {
  readonly ring: Pick<RingReader, 'read' | 'waitingBytes' | 'capacityBytes'>;
  readonly counters: Pick<CounterArray, 'value'>;
  /** The event is valid until this returns: one object shows one event after another. */
  readonly onEvent: (event: ConnectionEventView) => void;
  /** So many events, since the last call, found no room in the ring, somewhere between those that were handed over. */
  readonly onLost: (count: number) => void;
  /** Calls back once after a delay. */
  readonly schedule: (delayMs: number, callback: () => void) => void;
}

export class EventStream {
  readonly #options: EventStreamOptions;
  readonly #event = new ConnectionEventView();
  #lostBefore: number;
  #delayMs = LONGEST_DELAY_MS;
  #isStopped = false;

  /** Begins to look at once. */
  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#lostBefore = options.counters.value(EventsCounter.EVENTS_LOST);
    this.#wait(0);
  }

  /** What is in the ring now is handed over, and nothing after it. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    while (this.#read() === MOST_A_POLL);
    this.#tellLost();
  }

  #wait(delayMs: number): void {
    this.#options.schedule(delayMs, () => this.#poll());
  }

  #poll(): void {
    if (this.#isStopped) return;
    const { ring } = this.#options;
    const fill = ring.waitingBytes / ring.capacityBytes;
    const count = this.#read();
    this.#tellLost();
    if (this.#isStopped) return;
    // Others of the thread have their turn, and then the rest is read.
    if (count === MOST_A_POLL) {
      this.#wait(0);
      return;
    }
    if (fill > BUSY_FILL) this.#delayMs = SHORTEST_DELAY_MS;
    else if (fill < IDLE_FILL) this.#delayMs = Math.min(LONGEST_DELAY_MS, this.#delayMs * 2);
    this.#wait(this.#delayMs);
  }

  #read(): number {
    return this.#options.ring.read(MOST_A_POLL, this.#onRecord);
  }

  readonly #onRecord = (view: DataView, offset: number, length: number): void => {
    // Programs of another build than the layouts: the objects' hashes exclude it.
    if (length < connectionEventLayout.bytes) throw new Error(`an event of ${length} bytes`);
    this.#event.moveTo(view, offset);
    this.#options.onEvent(this.#event);
  };

  #tellLost(): void {
    const lost = this.#options.counters.value(EventsCounter.EVENTS_LOST);
    if (lost === this.#lostBefore) return;
    const count = lost - this.#lostBefore;
    this.#lostBefore = lost;
    this.#options.onLost(count);
  }
}

/** 4,096 events take the thread for one or two milliseconds. */
const MOST_A_POLL = 4096;
const SHORTEST_DELAY_MS = 2;
const LONGEST_DELAY_MS = 20;
// At a steady rate the delay doubles until its events fill more than a sixteenth of the ring, and is cut at a quarter. When
// 200,000 a second begin all at once, the longest delay fills half of 1 MiB, the smallest ring worth having.
const IDLE_FILL = 1 / 16;
const BUSY_FILL = 1 / 4;

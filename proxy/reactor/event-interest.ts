// What one descriptor's source asks epoll for. A system call is made only when that changes.

import type { EventSource, Reactor } from './reactor.ts';

export class EventInterest {
  readonly #reactor: Reactor;
  readonly #fd: number;
  readonly #source: EventSource;
  /** What epoll was told. */
  #events = 0;
  /** While it is held: what epoll will be told after that. -1: it is not. */
  #afterHold = NOT_HELD;
  #isDetached = true;

  constructor(reactor: Reactor, fd: number, source: EventSource) {
    this.#reactor = reactor;
    this.#fd = fd;
    this.#source = source;
  }

  get isHeld(): boolean {
    return this.#afterHold !== NOT_HELD;
  }

  /** Asks for `events` (bits of `EpollEvent`) and for what was asked for before. Returns 0 or a negated errno. */
  add(events: number): number {
    return this.set(this.#asked | events);
  }

  /** Asks no more for `events`. Returns 0 or a negated errno. */
  remove(events: number): number {
    return this.set(this.#asked & ~events);
  }

  /** Asks for exactly `events`. Returns 0 or a negated errno. */
  set(events: number): number {
    if (this.#afterHold !== NOT_HELD) {
      this.#afterHold = events;
      return 0;
    }
    return this.#tell(events);
  }

  /** Waits for `events` alone; what is asked for until `release` counts after that. Returns 0 or a negated errno. */
  holdTo(events: number): number {
    if (this.#afterHold === NOT_HELD) this.#afterHold = this.#events;
    return this.#tell(events);
  }

  release(): number {
    const events = this.#afterHold;
    this.#afterHold = NOT_HELD;
    return this.#tell(events);
  }

  get #asked(): number {
    return this.#afterHold === NOT_HELD ? this.#events : this.#afterHold;
  }

  #tell(events: number): number {
    if (events === this.#events) return 0;
    this.#events = events;
    if (!this.#isDetached) return this.#reactor.modify(this.#fd, events);
    this.#isDetached = false;
    return this.#reactor.register(this.#fd, events, this.#source);
  }

  /** A hang-up is reported for as long as epoll knows the descriptor, asked for or not: it would spin. */
  detach(): void {
    this.#events = 0;
    this.#afterHold = NOT_HELD;
    this.#isDetached = true;
    this.#reactor.unregister(this.#fd);
  }
}

const NOT_HELD = -1;

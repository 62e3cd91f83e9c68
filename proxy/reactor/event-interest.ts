// What one descriptor's source asks epoll for. A system call is made only when that changes.

import type { EventSource, Reactor } from './reactor.ts';

export class EventInterest {
  readonly #reactor: Reactor;
  readonly #fd: number;
  readonly #source: EventSource;
  #events = 0;
  #isDetached = true;

  constructor(reactor: Reactor, fd: number, source: EventSource) {
    this.#reactor = reactor;
    this.#fd = fd;
    this.#source = source;
  }

  /** Asks for `events` (bits of `EpollEvent`) and for what was asked for before. Returns 0 or a negated errno. */
  add(events: number): number {
    return this.set(this.#events | events);
  }

  /** Asks no more for `events`. Returns 0 or a negated errno. */
  remove(events: number): number {
    return this.set(this.#events & ~events);
  }

  /** Asks for exactly `events`. Returns 0 or a negated errno. */
  set(events: number): number {
    if (events === this.#events) return 0;
    this.#events = events;
    if (!this.#isDetached) return this.#reactor.modify(this.#fd, events);
    this.#isDetached = false;
    return this.#reactor.register(this.#fd, events, this.#source);
  }

  /** A hang-up is reported for as long as epoll knows the descriptor, asked for or not: it would spin. */
  detach(): void {
    this.#events = 0;
    this.#isDetached = true;
    this.#reactor.unregister(this.#fd);
  }
}

// Several deadlines behind one timer.
//
// A request sets and clears a handful of deadlines (idle, headers, route timeout …) and nearly always meets them all.
// So setting one is a store; the timer is armed only when the new deadline is earlier than what it waits for, and when
// it fires it looks for what is really due and arms itself for the rest. A kept-alive connection arms one timer for
// thousands of requests.

import type { Reactor } from './reactor.ts';
import { Timer } from './timer-wheel.ts';

export interface DeadlineOwner {
  /** The deadline in this slot has passed; it is cleared already. May cancel or set any slot. */
  onDeadline(slot: number): void;
}

export class Deadlines {
  readonly #reactor: Reactor;
  readonly #owner: DeadlineOwner;
  readonly #at: Float64Array;
  readonly #timer: Timer;
  #armedAtMs = Number.POSITIVE_INFINITY;

  constructor(reactor: Reactor, owner: DeadlineOwner, slotCount: number) {
    this.#reactor = reactor;
    this.#owner = owner;
    this.#at = new Float64Array(slotCount).fill(Number.POSITIVE_INFINITY);
    this.#timer = new Timer(() => this.#onTimeout());
  }

  /** Sets a slot to `delayMs` from now; 0 means none and clears it, as in Envoy's timeouts. */
  set(slot: number, delayMs: number): void {
    if (delayMs === 0) {
      this.#at[slot] = Number.POSITIVE_INFINITY;
      return;
    }
    const at = this.#reactor.nowMs + delayMs;
    this.#at[slot] = at;
    if (at < this.#armedAtMs) this.#arm(at);
  }

  clear(slot: number): void {
    this.#at[slot] = Number.POSITIVE_INFINITY;
  }

  isSet(slot: number): boolean {
    return this.#at[slot] !== Number.POSITIVE_INFINITY;
  }

  /** Clears every slot and disarms the timer: the owner is going away. */
  cancel(): void {
    this.#at.fill(Number.POSITIVE_INFINITY);
    this.#reactor.timers.cancel(this.#timer);
    this.#armedAtMs = Number.POSITIVE_INFINITY;
  }

  #arm(atMs: number): void {
    this.#armedAtMs = atMs;
    this.#reactor.timers.schedule(this.#timer, Math.max(0, atMs - this.#reactor.nowMs));
  }

  /** In the order they were due: a thread that was late must not say that the later one was missed. */
  #onTimeout(): void {
    this.#armedAtMs = Number.POSITIVE_INFINITY;
    const now = this.#reactor.nowMs;
    const at = this.#at;
    let slot = this.#earliest();
    for (; at[slot]! <= now; slot = this.#earliest()) {
      at[slot] = Number.POSITIVE_INFINITY;
      this.#owner.onDeadline(slot);
    }
    if (at[slot]! < this.#armedAtMs) this.#arm(at[slot]!);
  }

  #earliest(): number {
    const at = this.#at;
    let earliest = 0;
    for (let slot = 1; slot < at.length; slot++) if (at[slot]! < at[earliest]!) earliest = slot;
    return earliest;
  }
}

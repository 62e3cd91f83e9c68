// Turns of a reactor on Node's own event loop, for a thread where libraries have sockets of their own (proxy/engine):
// nothing may sleep there but Node. A turn comes when the reactor's epoll set has an event, which libuv tells of, and when
// a timer is due or work was put off.

import type { Epoll } from '../../native/epoll.ts';
import type { ReadableWatch } from '../../native/readiness.ts';

export class NodeLoop {
  readonly #epoll: Epoll;
  readonly #turn: (count: number) => void;
  readonly #watch: ReadableWatch;
  #immediate: NodeJS.Immediate | undefined;
  #timeout: NodeJS.Timeout | undefined;
  /** What `#timeout` waits for. One that turns out to be early costs a turn without events, and is cheaper than exact. */
  #dueAtMs = Number.POSITIVE_INFINITY;

  /** Calls `turn` with the count of events at hand (`Epoll.wait`), again and again until `close`. */
  constructor(epoll: Epoll, turn: (count: number) => void) {
    this.#epoll = epoll;
    this.#turn = turn;
    this.#watch = epoll.watch(turn);
  }

  /** A turn comes within `delayMs` from `nowMs`, Infinity for never, whatever else happens; 0 is after this callback. */
  plan(nowMs: number, delayMs: number): void {
    if (delayMs === 0) {
      this.#immediate ??= setImmediate(this.#onImmediate);
      return;
    }
    const dueAtMs = nowMs + delayMs;
    if (dueAtMs >= this.#dueAtMs) return;
    clearTimeout(this.#timeout);
    this.#dueAtMs = dueAtMs;
    this.#timeout = setTimeout(this.#onTimeout, Math.ceil(delayMs));
  }

  /** Before the epoll set is closed. */
  close(): void {
    clearImmediate(this.#immediate);
    clearTimeout(this.#timeout);
    this.#watch.close();
  }

  readonly #onImmediate = (): void => {
    this.#immediate = undefined;
    this.#turn(this.#epoll.wait(0));
  };

  readonly #onTimeout = (): void => {
    this.#dueAtMs = Number.POSITIVE_INFINITY;
    this.#turn(this.#epoll.wait(0));
  };
}

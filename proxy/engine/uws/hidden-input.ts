// Keeps input of a connection from uWebSockets.js while it reads though it was paused: a write that does not succeed makes it poll
// for input again (20.57), and it would read a request that nobody has looked at. While this lasts the kernel tells nobody of
// input, us neither.

import { setReceiveLowWater } from '../../../native/socket.ts';

export class HiddenInput {
  readonly #fd: number;
  #isHidden = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  get isHidden(): boolean {
    return this.#isHidden;
  }

  hide(): void {
    if (this.#isHidden) return;
    this.#isHidden = true;
    setReceiveLowWater(this.#fd, HIDDEN_BYTES);
  }

  show(): void {
    this.#isHidden = false;
    setReceiveLowWater(this.#fd, 1);
  }
}

/** More is told of all the same, and what the library then reads ends the connection. */
const HIDDEN_BYTES = 64 * 1024;

// The part of a connection that uWebSockets.js has of it: whether it reads, and what it keeps of responses.
//
// Each write that does not succeed makes the library read, though it was told not to (20.57), and then it would read a request
// that nobody has looked at, or take the client's end of its side for the end of all. So it is told again behind each write that
// may not have succeeded. Then it writes nothing by itself either: it is had to write when our reactor hears of room.

import { duplicate } from '../../../native/socket.ts';
import { HeldOutput } from './held-output.ts';
import type { UwsSocket } from './library.ts';

export class LibrarySocket {
  readonly #fd: number;
  readonly #held: HeldOutput;
  /** Null before the first request. */
  #socket: UwsSocket | null = null;
  #isPaused = false;

  constructor(fd: number) {
    this.#fd = fd;
    this.#held = new HeldOutput(fd);
  }

  get isAdopted(): boolean {
    return this.#socket !== null;
  }

  adopt(socket: UwsSocket): void {
    this.#socket = socket;
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#socket!.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket!.resume();
  }

  /** Something was written that there may have been no room for. */
  pauseAgain(): void {
    if (this.#isPaused) this.#socket!.pause();
  }

  /** Asked in turns in which the kernel has room, again until it is false; `sentBytes` is what the library was given so far. */
  mayHold(sentBytes: number): boolean {
    if (this.#socket === null) return false;
    // An empty write takes with it what is kept.
    this.#socket.cork(writeNothing);
    this.pauseAgain();
    return this.#held.isPossible(sentBytes);
  }

  /** A descriptor that the library knows nothing of, or a negated errno. Before `close`. */
  takeBack(): number {
    return this.#socket === null ? this.#fd : duplicate(this.#fd);
  }

  /** The engine hears of it. */
  close(): void {
    this.#socket?.close();
  }
}

function writeNothing(): void {}

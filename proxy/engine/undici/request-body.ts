// The body of a request on its way to undici, which wants a stream and takes from it what its socket takes. Memory is
// bounded by the stream's mark: above it the request is blocked, and whoever produces bytes stops reading.

import { Readable } from 'node:stream';

export class RequestBody {
  readonly stream: Readable;
  readonly #onDrained: () => void;
  /** Until undici reads for the first time there is nobody to take bytes. */
  #isBlocked = true;

  /** `onDrained` is called, never from inside a call, when bytes are taken again. */
  constructor(onDrained: () => void) {
    this.#onDrained = onDrained;
    this.stream = new Readable({ highWaterMark: MARK_BYTES, read: () => this.#onRead() });
  }

  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Takes the bytes over: they must not be written again. */
  push(bytes: Buffer): void {
    if (!this.stream.push(bytes)) this.#isBlocked = true;
  }

  end(): void {
    this.stream.push(null);
  }

  #onRead(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.#onDrained();
  }
}

const MARK_BYTES = 64 * 1024;

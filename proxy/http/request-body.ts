// The body of one request on its way up, as far as it has come. Where the request may have to be sent again it is kept, within
// the listener's `per_connection_buffer_limit_bytes` as in Envoy: a larger body goes on, and can no longer be repeated.

import type { NativeBuffer } from '../../native/native-buffer.ts';
import type { HeaderTable } from './header-table.ts';

/** Who takes what has come once more. */
export interface BodyTaker {
  sendBytes(bytes: Uint8Array): void;
}

export class RequestBody {
  readonly #limitBytes: number;
  /** Null when it is not kept, or not any more. */
  #pieces: Buffer[] | null;
  #bytes = 0;
  hasEnded = false;
  /** Once it has ended; they live as long as the request. */
  trailers: HeaderTable | null = null;

  constructor(isKept: boolean, limitBytes: number) {
    this.#pieces = isKept ? [] : null;
    this.#limitBytes = limitBytes;
  }

  /** Whether it can be sent again; what is still to come follows by itself. */
  get isKept(): boolean {
    return this.#pieces !== null;
  }

  /** Copies one piece. False for the piece that is one too many to be kept: the others are dropped, too. */
  add(buffer: NativeBuffer, start: number, end: number): boolean {
    if (this.#pieces === null) return true;
    this.#bytes += end - start;
    if (this.#bytes > this.#limitBytes) {
      this.#pieces = null;
      return false;
    }
    this.#pieces.push(Buffer.from(buffer.bytes.subarray(start, end)));
    return true;
  }

  end(trailers: HeaderTable | null): void {
    this.hasEnded = true;
    this.trailers = trailers;
  }

  /** Nothing is repeated any more. */
  forget(): void {
    this.#pieces = null;
  }

  sendTo(taker: BodyTaker): void {
    const pieces = this.#pieces;
    if (pieces === null) return;
    for (let index = 0; index < pieces.length; index++) taker.sendBytes(pieces[index]!);
  }
}

// The body of a request as far as it was sent, kept so that the request can be sent again. Its size is bounded by the
// listener's `per_connection_buffer_limit_bytes`, as in Envoy: a larger body goes on, and can no longer be repeated.

import type { NativeBuffer } from '../../native/native-buffer.ts';

/** Who takes the pieces again. */
export interface BodyTaker {
  sendBytes(bytes: Uint8Array): void;
}

export class KeptRequestBody {
  readonly #limitBytes: number;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Copies one piece. False when that would be more than may be kept: the body is then not complete, and useless. */
  add(buffer: NativeBuffer, start: number, end: number): boolean {
    this.#bytes += end - start;
    if (this.#bytes > this.#limitBytes) return false;
    this.#pieces.push(Buffer.from(buffer.bytes.subarray(start, end)));
    return true;
  }

  sendTo(taker: BodyTaker): void {
    for (let index = 0; index < this.#pieces.length; index++) taker.sendBytes(this.#pieces[index]!);
  }
}

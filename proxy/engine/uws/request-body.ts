// The body of one request after another, from uWebSockets.js to its stream. The library hands pieces over whether they are
// wanted or not, and its memory is gone when its call returns: pieces that are not wanted yet are copied, and the library is
// told to stop. It has at most one read of its own left (512 KiB), unless the client does not take the response that has begun:
// each write that does not succeed makes the library read again (20.57). What is kept is bounded here.

import type { NativeBuffer } from '../../../native/native-buffer.ts';
import type { Stream } from '../../http/stream.ts';

export class RequestBody {
  /** The library has handed over all of it. */
  isRead = false;
  /** Through which pieces reach the stream; used up before it is needed for anything else. */
  readonly #passage: NativeBuffer;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  /** To come. */
  #leftBytes = 0;

  constructor(passage: NativeBuffer) {
    this.#passage = passage;
  }

  /** The next request has a body of this length. */
  begin(lengthBytes: number): void {
    this.isRead = false;
    this.#leftBytes = lengthBytes;
    this.drop();
  }

  get hasKept(): boolean {
    return this.#kept.length > 0;
  }

  /** Forgets what nobody wants any more. */
  drop(): void {
    this.#kept.length = 0;
    this.#keptBytes = 0;
  }

  /**
   * False, and nothing is handed on, when the library finds another end of the body than our parser did. Urgent bytes of TCP
   * can do that (RFC 6093): one is no part of the stream when we look, and is when another comes before the library reads.
   * What is behind the body for the one would be a request for the other. False, too, when more would be kept than may be.
   */
  take(stream: Stream, bytes: Uint8Array, isLast: boolean): boolean {
    this.#leftBytes -= bytes.length;
    if (isLast !== (this.#leftBytes === 0) || this.#leftBytes < 0) return false;
    if (this.#keptBytes + bytes.length > MOST_KEPT_BYTES) return false;
    this.isRead = isLast;
    if (this.#kept.length > 0 || !stream.acceptsRequestBody) {
      this.#kept.push(Buffer.from(bytes));
      this.#keptBytes += bytes.length;
    } else this.#deliver(stream, bytes);
    return true;
  }

  /** Hands on what was kept, as far as it is wanted. */
  deliverKept(stream: Stream): void {
    while (this.#kept.length > 0 && stream.acceptsRequestBody) {
      const piece = this.#kept.shift()!;
      this.#keptBytes -= piece.length;
      this.#deliver(stream, piece);
    }
  }

  #deliver(stream: Stream, bytes: Uint8Array): void {
    const passage = this.#passage;
    for (let at = 0; at < bytes.length; at += passage.length) {
      const piece = bytes.subarray(at, at + passage.length);
      passage.bytes.set(piece);
      stream.onRequestData(passage, 0, piece.length);
    }
  }
}

/**
 * An endpoint that sends back what it gets, and a client that reads while it writes, had 8 to 12 MiB here; one that goes on
 * writing and does not read had all that it sent.
 */
const MOST_KEPT_BYTES = 16 * 1024 * 1024;

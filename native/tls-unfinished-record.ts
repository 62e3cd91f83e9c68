// A record of TLS that a write has begun and that the socket had no room for. Some of it may be encrypted: OpenSSL wants the
// same bytes again, and as many (SSL_write(3)). Whoever writes may cut bytes anew meanwhile, or move them, so these are kept here.
//
// Their memory is one of a few spare records of the thread, taken for as long as a record is unfinished and given back once.

import { NativeBuffer } from './native-buffer.ts';

/** The largest plain text of one record (RFC 8446 5.1). */
export const MAX_RECORD_BYTES = 16384;

export class UnfinishedRecord {
  /** 0: there is none. */
  lengthBytes = 0;
  #buffer: NativeBuffer | undefined;
  /** Sent in the end, and not told to whoever wrote them. */
  #untoldBytes = 0;

  /** Where its bytes are; only while there is one. */
  get address(): number {
    return this.#buffer!.address;
  }

  /** Copies `length` bytes of `buffer` from `from`, `MAX_RECORD_BYTES` at most; there must be none before. */
  keep(buffer: NativeBuffer, from: number, length: number): void {
    this.#buffer = spareBuffers.pop() ?? new NativeBuffer(MAX_RECORD_BYTES);
    buffer.bytes.copy(this.#buffer.bytes, 0, from, from + length);
    this.lengthBytes = length;
  }

  /**
   * So many of its bytes were sent: less than all when the peer takes small records only. The rest was not encrypted, and is
   * written again by whoever has it.
   */
  onSent(count: number): void {
    this.#untoldBytes = count;
    this.giveBack();
  }

  /** How many of `length` bytes, which begin with the record's, were sent already. */
  tell(length: number): number {
    const count = Math.min(this.#untoldBytes, length);
    this.#untoldBytes -= count;
    return count;
  }

  /** Forgets it; again, it does nothing. */
  giveBack(): void {
    if (this.#buffer !== undefined && spareBuffers.length < MAX_SPARE_BUFFERS) spareBuffers.push(this.#buffer);
    this.#buffer = undefined;
    this.lengthBytes = 0;
  }
}

// Connections that wait for a slow peer, each with a record; more than that are allocated.
const MAX_SPARE_BUFFERS = 64;

const spareBuffers: NativeBuffer[] = [];

// Where a worker assembles what it sends: one buffer for all its connections.
//
// A head and the first bytes of its body leave in one `send`. The buffer belongs to one stream at a time; whoever
// writes next flushes what the one before left, and every codec flushes at the end of its callback.

import { NativeBuffer } from '../../../native/native-buffer.ts';
import type { ByteStream } from '../../reactor/byte-stream.ts';
import { copyShort } from '../short-copy.ts';

/** Body bytes up to this are copied behind the head; above it a second `send` is cheaper than the copy. */
const copyLimitBytes = 16 * 1024;
const initialBytes = 64 * 1024;

export class OutputBuffer {
  #memory = new NativeBuffer(initialBytes);
  #length = 0;
  #owner: ByteStream | null = null;

  /** Makes room for `bytes` more bytes of `stream`; afterwards write into `bytes` at `length` and `advanceTo`. */
  begin(stream: ByteStream, bytes: number): void {
    if (this.#owner !== stream) {
      this.flush();
      this.#owner = stream;
    }
    if (this.#length + bytes <= this.#memory.length) return;
    this.flush();
    this.#owner = stream;
    if (bytes > this.#memory.length) this.#memory = new NativeBuffer(bytes);
  }

  get bytes(): Buffer {
    return this.#memory.bytes;
  }

  get length(): number {
    return this.#length;
  }

  advanceTo(length: number): void {
    this.#length = length;
  }

  /** Sends body bytes: behind the head when they are few, straight from the receive buffer when they are many. */
  append(stream: ByteStream, buffer: NativeBuffer, start: number, end: number): void {
    if (end - start <= copyLimitBytes) {
      this.begin(stream, end - start);
      this.#length = copyShort(buffer, start, end, this.#memory, this.#length);
      return;
    }
    this.flush();
    stream.write(buffer, start, end);
  }

  /** Sends text of ours, such as a local reply's body. */
  appendBytes(stream: ByteStream, bytes: Uint8Array): void {
    this.begin(stream, bytes.length);
    this.#memory.bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  flush(): void {
    const owner = this.#owner;
    if (owner === null) return;
    const length = this.#length;
    this.#owner = null;
    this.#length = 0;
    if (length > 0 && !owner.isClosed) owner.write(this.#memory, 0, length);
  }

  /** Whether bytes of `stream` wait here. */
  holds(stream: ByteStream): boolean {
    return this.#owner === stream && this.#length > 0;
  }

  /** Forgets what `stream` has not sent yet: its message was refused before a byte of it left. */
  discard(stream: ByteStream): void {
    if (this.#owner !== stream) return;
    this.#owner = null;
    this.#length = 0;
  }
}

// Received bytes that their handler has not consumed, kept in front of what arrives next, in one buffer that grows from
// 4 KiB to a bound. Empty, it holds no memory, and a read goes to the worker's shared buffer instead.

import type { NativeBuffer } from '../../native/native-buffer.ts';
import type { BufferPool } from './buffer-pool.ts';

export class KeptInput {
  readonly #pool: BufferPool;
  readonly #maxBytes: number;
  #buffer: NativeBuffer | undefined;
  #start = 0;
  #end = 0;

  constructor(pool: BufferPool, maxBytes: number) {
    this.#pool = pool;
    this.#maxBytes = maxBytes;
  }

  get lengthBytes(): number {
    return this.#end - this.#start;
  }

  get isFull(): boolean {
    return this.#end - this.#start >= this.#maxBytes;
  }

  /** The kept bytes are `buffer[start, end)`; only while there are some. */
  get buffer(): NativeBuffer {
    return this.#buffer!;
  }

  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#end;
  }

  /** Copies `buffer[start, end)` into an empty store. */
  keep(buffer: NativeBuffer, start: number, end: number): void {
    this.#buffer = this.#pool.take(end - start);
    this.#start = 0;
    this.#end = buffer.bytes.copy(this.#buffer.bytes, 0, start, end);
  }

  /** Makes room behind the kept bytes (there are some) and returns how many may be read to `end` of `buffer`; 0 when it is full. */
  makeRoom(): number {
    const length = this.#end - this.#start;
    const allowed = this.#maxBytes - length;
    if (allowed <= 0) return 0;
    const buffer = this.#buffer!;
    if (length * 2 > buffer.length && buffer.length < this.#maxBytes) this.#grow(buffer, length);
    else if (this.#end === buffer.length || this.#start > length) this.#moveToFront();
    return Math.min(this.#buffer!.length - this.#end, allowed);
  }

  /** `length` bytes were read to `end` of `buffer`. */
  added(length: number): void {
    this.#end += length;
  }

  consume(length: number): void {
    this.#start += length;
    if (this.#start >= this.#end) this.clear();
  }

  /** Forgets what is kept and gives the memory back. */
  clear(): void {
    if (this.#buffer === undefined) return;
    this.#pool.release(this.#buffer);
    this.#buffer = undefined;
    this.#start = 0;
    this.#end = 0;
  }

  /** Quadruples at each step, so that a large message is copied a few times and not once a read. */
  #grow(old: NativeBuffer, length: number): void {
    const larger = this.#pool.take(Math.min(length * 4, this.#maxBytes));
    old.bytes.copy(larger.bytes, 0, this.#start, this.#end);
    this.#pool.release(old);
    this.#buffer = larger;
    this.#start = 0;
    this.#end = length;
  }

  #moveToFront(): void {
    const { bytes } = this.#buffer!;
    bytes.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
  }
}

// Bytes that a peer has not taken yet, in order, copied into pooled chunks. Empty, it holds no memory.

import { Errno } from '../../native/errno.ts';
import type { NativeBuffer } from '../../native/native-buffer.ts';
import type { Transport } from '../transport/transport.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { TransferPipe } from './transfer-pipe.ts';

export class WriteQueue {
  readonly #pool: BufferPool;
  readonly #chunks: NativeBuffer[] = [];
  /** The first chunk's bytes begin here, the last chunk's end there. */
  #start = 0;
  #end = 0;
  #lengthBytes = 0;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  get lengthBytes(): number {
    return this.#lengthBytes;
  }

  /** Copies `buffer[start, end)` behind what is queued. */
  append(buffer: NativeBuffer, start: number, end: number): void {
    this.#lengthBytes += end - start;
    for (let from = start; from < end; ) {
      const chunk = this.#tailFor(end - from);
      const copied = buffer.bytes.copy(chunk.bytes, this.#end, from, Math.min(end, from + chunk.length - this.#end));
      this.#end += copied;
      from += copied;
    }
  }

  /** Moves `length` bytes, which `pipe` holds, behind what is queued. Returns 0 or a negated errno. */
  appendFrom(pipe: TransferPipe, length: number): number {
    for (let left = length; left > 0; ) {
      const chunk = this.#tailFor(left);
      const count = pipe.read(chunk, this.#end, Math.min(left, chunk.length - this.#end));
      if (count <= 0) return count === 0 ? -Errno.EIO : count;
      this.#end += count;
      this.#lengthBytes += count;
      left -= count;
    }
    return 0;
  }

  /** Writes until all is taken (0), or the transport refuses (its negated errno, -EAGAIN first of all). */
  flush(transport: Transport): number {
    while (this.#chunks.length > 0) {
      const chunk = this.#chunks[0]!;
      const end = this.#chunks.length === 1 ? this.#end : chunk.length;
      const written = transport.write(chunk, this.#start, end - this.#start);
      if (written < 0) return written;
      this.#lengthBytes -= written;
      this.#start += written;
      if (this.#start === end) this.#dropFirst();
    }
    return 0;
  }

  /** Forgets what is queued and gives the memory back. */
  clear(): void {
    while (this.#chunks.length > 0) this.#dropFirst();
    this.#lengthBytes = 0;
  }

  /** The last chunk when it has room, or a new one: as large as the rest needs, at most `MAX_CHUNK_BYTES`. */
  #tailFor(restBytes: number): NativeBuffer {
    const last = this.#chunks[this.#chunks.length - 1];
    if (last !== undefined && this.#end < last.length) return last;
    const chunk = this.#pool.take(Math.min(restBytes, MAX_CHUNK_BYTES));
    this.#chunks.push(chunk);
    this.#end = 0;
    return chunk;
  }

  #dropFirst(): void {
    this.#pool.release(this.#chunks.shift()!);
    this.#start = 0;
  }
}

const MAX_CHUNK_BYTES = 64 * 1024;

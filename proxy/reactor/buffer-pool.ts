// Buffers for bytes that have to wait: what a handler did not consume and what a peer would not take. Most connections
// never need one. A native buffer costs 2 us to make (measured), so a few of each size are kept for the next.

import { NativeBuffer } from '../../native/native-buffer.ts';

export class BufferPool {
  readonly #free: NativeBuffer[][] = SIZES_BYTES.map(() => []);

  /** A buffer of the smallest size that holds `lengthBytes`; its content is arbitrary. */
  take(lengthBytes: number): NativeBuffer {
    const size = sizeClass(lengthBytes);
    if (size === SIZES_BYTES.length) return new NativeBuffer(lengthBytes);
    return this.#free[size]!.pop() ?? new NativeBuffer(SIZES_BYTES[size]!);
  }

  /** Gives back a buffer that `take` returned. The caller must not touch it again. */
  release(buffer: NativeBuffer): void {
    const size = sizeClass(buffer.length);
    if (size === SIZES_BYTES.length || this.#free[size]!.length === MAX_FREE[size]) return;
    this.#free[size]!.push(buffer);
  }
}

const SIZES_BYTES = [4 * 1024, 16 * 1024, 64 * 1024, 128 * 1024];
/** At most about 1 MiB of each size lies idle. */
const MAX_FREE = [256, 64, 16, 8];

function sizeClass(lengthBytes: number): number {
  let size = 0;
  while (size < SIZES_BYTES.length && SIZES_BYTES[size]! < lengthBytes) size++;
  return size;
}

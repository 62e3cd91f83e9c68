// Memory for many small pieces of bytes that are dropped at about the same time: one allocation for all that fit. What is left of
// a slab holds it whole, so that slabs are small: a record that waits alone holds no more than it may have itself.

export const slabBytes = 16 * 1024;
/** Larger pieces have memory of their own. */
const largestPieceBytes = slabBytes / 4;

export class ByteSlab {
  #slab: Buffer = Buffer.alloc(0);
  #used = 0;

  /** Room that nobody else has; what is in it is left from before. */
  take(length: number): Buffer {
    if (length > largestPieceBytes) return Buffer.allocUnsafeSlow(length);
    if (this.#used + length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(slabBytes);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    return this.#slab.subarray(start, this.#used);
  }
}

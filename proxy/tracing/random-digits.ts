// Random ids, as digits. Bytes are drawn for many ids at a time: one call to the generator costs more than all else that
// a trace costs which is not kept.

import { hexDigit } from './hex-digits.ts';

const pooledBytes = 16_384;

export class RandomDigits {
  readonly #fill: (bytes: Uint8Array) => unknown;
  readonly #pool: Uint8Array = Buffer.alloc(pooledBytes);
  #at = pooledBytes;

  /** `fill` overwrites all bytes with random ones: `randomFillSync` of node:crypto. */
  constructor(fill: (bytes: Uint8Array) => unknown) {
    this.#fill = fill;
  }

  /** Writes `length` digits, an even number up to 32, at `target[at]`. They are never all zero. */
  write(target: Uint8Array, at: number, length: number): void {
    const pool = this.#pool;
    const end = at + length;
    let bits = 0;
    // All zero comes once in 2^64 times with a good generator.
    while (bits === 0) {
      if (this.#at + length / 2 > pooledBytes) {
        this.#fill(pool);
        this.#at = 0;
      }
      let from = this.#at;
      for (let index = at; index < end; index += 2) {
        const byte = pool[from++]!;
        target[index] = hexDigit[byte >> 4]!;
        target[index + 1] = hexDigit[byte & 15]!;
        bits |= byte;
      }
      this.#at = from;
    }
  }
}

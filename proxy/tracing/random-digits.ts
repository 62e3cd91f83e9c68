// Random ids, as digits. Drawn for many ids at a time: one call to the generator costs more than all else that a trace
// that is not kept costs.

import { hexDigit } from './hex-digits.ts';

const pooledBytes = 2048;

export class RandomDigits {
  readonly #fill: (bytes: Uint8Array) => unknown;
  readonly #bytes = new Uint8Array(pooledBytes);
  readonly #digits = new Uint8Array(pooledBytes * 2);
  #at = pooledBytes * 2;

  /** `fill` overwrites all bytes with random ones: `randomFillSync` of node:crypto. */
  constructor(fill: (bytes: Uint8Array) => unknown) {
    this.#fill = fill;
  }

  /** Writes `length` digits, an even number up to 32, at `target[at]`. They are never all zero. */
  write(target: Uint8Array, at: number, length: number): void {
    let bits = 0;
    // All zero comes once in 2^64 times with a good generator.
    while (bits === 0) {
      if (this.#at + length > this.#digits.length) this.#refill();
      const digits = this.#digits;
      const from = this.#at;
      for (let index = 0; index < length; index++) {
        const digit = digits[from + index]!;
        target[at + index] = digit;
        bits |= digit ^ digitZero;
      }
      this.#at = from + length;
    }
  }

  #refill(): void {
    const bytes = this.#bytes;
    const digits = this.#digits;
    this.#fill(bytes);
    for (let index = 0; index < bytes.length; index++) {
      digits[index * 2] = hexDigit[bytes[index]! >> 4]!;
      digits[index * 2 + 1] = hexDigit[bytes[index]! & 15]!;
    }
    this.#at = 0;
  }
}

const digitZero = 0x30;

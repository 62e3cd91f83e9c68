// Random ids, as digits. They are drawn for many ids at a time: one call to the generator costs more than all else that a
// trace costs which is not kept, and digits that lie ready are copied by words.

import { hexDigit } from './hex-digits.ts';

// The generator's code has left the CPU's caches by the next draw: 27 us for 4 KiB under load, where a loop of draws takes 3.5.
const pooledDigits = 32_768;
const wordLength = 4;

export class RandomDigits {
  readonly #fill: (bytes: Uint8Array) => unknown;
  readonly #drawn = new Uint8Array(pooledDigits / 2);
  readonly #pairs = new Uint16Array(pooledDigits / 2);
  readonly #digits = new DataView(this.#pairs.buffer);
  #at = pooledDigits;

  /** `fill` overwrites all bytes with random ones: `randomFillSync` of node:crypto. */
  constructor(fill: (bytes: Uint8Array) => unknown) {
    this.#fill = fill;
  }

  /** Writes `length` digits, a multiple of 4 up to 32, at `at` of `target`. They are never all zero. */
  write(target: DataView, at: number, length: number): void {
    const digits = this.#digits;
    const end = at + length;
    let difference = 0;
    // All zero comes once in 2^64 times with a good generator.
    while (difference === 0) {
      if (this.#at + length > pooledDigits) this.#draw();
      let from = this.#at;
      for (let index = at; index < end; index += wordLength) {
        const word = digits.getInt32(from);
        target.setInt32(index, word);
        difference |= word ^ zeros;
        from += wordLength;
      }
      this.#at = from;
    }
  }

  #draw(): void {
    const drawn = this.#drawn;
    const pairs = this.#pairs;
    this.#fill(drawn);
    for (let index = 0; index < drawn.length; index++) pairs[index] = digitsOf[drawn[index]!]!;
    this.#at = 0;
  }
}

/** Four digits 0. */
const zeros = 0x30303030;

/** The two digits of each byte, in the order of this machine's memory. */
const digitsOf = new Uint16Array(256);
const pair = new Uint8Array(digitsOf.buffer);
for (let byte = 0; byte < 256; byte++) {
  pair[2 * byte] = hexDigit[byte >> 4]!;
  pair[2 * byte + 1] = hexDigit[byte & 15]!;
}

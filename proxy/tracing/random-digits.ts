// Random ids, as digits. The generator is asked for many ids at a time: one call to it costs more than all else that a trace
// costs which is not kept.

// Its code has left the CPU's caches by the next draw: 27 us for 4 KiB under load, where a loop of draws takes 3.5.
const pooledBytes = 16_384;
const wordLength = 4;

export class RandomDigits {
  readonly #fill: (bytes: Uint8Array) => unknown;
  readonly #drawn = new Uint8Array(pooledBytes);
  readonly #pairs = new DataView(this.#drawn.buffer);
  #at = pooledBytes;

  /** `fill` overwrites all bytes with random ones: `randomFillSync` of node:crypto. */
  constructor(fill: (bytes: Uint8Array) => unknown) {
    this.#fill = fill;
  }

  /** Writes `length` digits, a multiple of 4 up to 32, at `at` of `target`. They are never all zero. */
  write(target: DataView, at: number, length: number): void {
    const end = at + length;
    let seen = 0;
    // All zero comes once in 2^64 times with a good generator.
    while (seen === 0) {
      if (this.#at + length / 2 > pooledBytes) this.#draw();
      let from = this.#at;
      for (let index = at; index < end; index += wordLength) {
        const pair = this.#pairs.getUint16(from);
        target.setInt32(index, digitsOf(pair));
        seen |= pair;
        from += 2;
      }
      this.#at = from;
    }
  }

  #draw(): void {
    this.#fill(this.#drawn);
    this.#at = 0;
  }
}

// Reckoned and not looked up: making digits of all that is drawn, to copy them later, took 67 ns of a request in its profile
// and 32 KiB of caches.
function digitsOf(pair: number): number {
  const bytes = (pair & 0xff) | ((pair & 0xff00) << 8);
  const values = (bytes | (bytes << 4)) & 0x0f0f0f0f;
  // 1 in each byte whose value is 10 or more.
  const letters = ((values + 0x06060606) >> 4) & 0x01010101;
  return values + 0x30303030 + letters * toLetter;
}

/** From behind the digit 9 to the letter a. */
const toLetter = 0x61 - 0x3a;

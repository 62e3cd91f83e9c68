// How many traces the records of a window are of: a request that passes this proxy several times is one.
//
// Numbers in an array rather than texts in a `Set`: at 100 % of traces there are tens of thousands a second, which lived long enough
// to be copied by every collection of garbage.

import { hexValue } from '../tracing/hex-digits.ts';
import { randomLength } from '../tracing/trace-context.ts';

/** A number has 53 bits and R 56: the first digit is left out. Two traces that differ in that alone do not meet in a second. */
const leftOut = 1;
/** Where the last six digits begin, 24 bits: a place is found by them, and the bits above them are too many for a shift. */
const lowFrom = randomLength - 6;
const smallest = 256;
const longestSearch = 32;

export class DistinctTraces {
  /** Open addressing, a power of two of places; 0 is a free one. */
  #places = new Float64Array(smallest);
  #stored = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** `digits` has R, in hex, from `start` on. */
  add(digits: Uint8Array, start: number): void {
    let high = 0;
    for (let index = leftOut; index < lowFrom; index++) high = high * 16 + hexValue[digits[start + index]!]!;
    let low = 0;
    for (let index = lowFrom; index < randomLength; index++) low = low * 16 + hexValue[digits[start + index]!]!;
    if (!this.#isNew(high * 2 ** 24 + low + 1, low)) return;
    this.#size++;
    if (this.#stored * 2 > this.#places.length) this.#grow();
  }

  /** Begins anew, with as much room as was needed. */
  clear(): void {
    if (this.#size === 0) return;
    const needed = roomFor(this.#size);
    if (needed < this.#places.length) this.#places = new Float64Array(needed);
    else this.#places.fill(0);
    this.#size = 0;
    this.#stored = 0;
  }

  // R is random, so that its last digits need no hash. A caller may choose ids whose last digits are equal: after
  // `longestSearch` places such a trace counts as new, so that nobody can make a search long.
  #isNew(value: number, hash: number): boolean {
    const places = this.#places;
    const mask = places.length - 1;
    for (let step = 0; step < longestSearch; step++) {
      const at = (hash + step) & mask;
      if (places[at] === value) return false;
      if (places[at] !== 0) continue;
      places[at] = value;
      this.#stored++;
      return true;
    }
    return true;
  }

  #grow(): void {
    const before = this.#places;
    this.#places = new Float64Array(before.length * 2);
    this.#stored = 0;
    for (const value of before) if (value !== 0) this.#isNew(value, (value - 1) % 2 ** 24);
  }
}

function roomFor(size: number): number {
  let room = smallest;
  while (room < size * 2) room *= 2;
  return room;
}

// Parts of a configuration that are equal are one object. A mesh of 10,000 clusters says the same about balancing,
// limits and HTTP 10,000 times; as one object each it is kept once by the main thread, and sent to and kept by a worker
// once, because structured cloning keeps identity.

import { isSameData } from '../../config/same-data.ts';

/** Different parts that are remembered; a configuration with more is read correctly and shares less. */
const capacity = 256;

/** Shares the parts of one kind. A part is plain JSON data and is never changed after it was shared. */
export class SharedParts<T extends object> {
  readonly #parts = new Map<string, T>();
  #last: T | undefined;

  /** The first part that was equal to this one; this one when there was none. */
  share(part: T): T {
    // Most say what the one before said, and comparing takes a tenth of the time of making text.
    if (!isSameData(part, this.#last)) this.#last = this.#find(part);
    return this.#last!;
  }

  #find(part: T): T {
    const text = JSON.stringify(part);
    const known = this.#parts.get(text);
    if (known !== undefined) return known;
    // Starting anew bounds what outlives its configuration.
    if (this.#parts.size === capacity) this.#parts.clear();
    this.#parts.set(text, part);
    return part;
  }
}

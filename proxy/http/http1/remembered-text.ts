// A string made from bytes, kept with them: as long as the same bytes come again, no string is made.
//
// Most clients ask one host, many one path, over and over on a connection. Comparing bytes with bytes takes a fourth of
// the time of making a short string, and half of the time of comparing bytes with a string (bench/micro/http1.ts).

/** Longer texts are made anew each time: they rarely repeat, and every connection would hold the memory. */
const longestRemembered = 64;

export class RememberedText {
  #text = '';
  #length = 0;
  readonly #bytes = new Uint8Array(longestRemembered);

  /** Whether `bytes[start, end)` is the text that is remembered. */
  matches(bytes: Buffer, start: number, end: number): boolean {
    if (end - start !== this.#length) return false;
    for (let index = 0; index < this.#length; index++) {
      if (bytes[start + index] !== this.#bytes[index]) return false;
    }
    return true;
  }

  /** The text of `bytes[start, end)` as latin1, remembered when it is short. */
  read(bytes: Buffer, start: number, end: number): string {
    if (this.matches(bytes, start, end)) return this.#text;
    const text = bytes.latin1Slice(start, end);
    if (end - start > longestRemembered) return text;
    for (let index = 0; index < text.length; index++) this.#bytes[index] = bytes[start + index]!;
    this.#length = text.length;
    this.#text = text;
    return text;
  }
}

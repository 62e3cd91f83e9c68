// Lines out of bytes that arrive in pieces, from a peer that may be hostile: what is held is never more than one line of the
// longest length allowed, and nothing is decoded before it is whole.

export class LineReader {
  readonly #mostBytes: number;
  #held: Buffer = Buffer.alloc(0);

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Whether a line has begun and not ended. */
  get isWithinLine(): boolean {
    return this.#held.length > 0;
  }

  /**
   * Takes the next bytes (copied) and gives the lines that they complete, without their ends; undefined when a line is longer
   * than allowed or is not UTF-8, after which the reader is of no use.
   */
  push(bytes: Uint8Array): readonly string[] | undefined {
    let rest = Buffer.concat([this.#held, bytes]);
    const lines: string[] = [];
    for (let end = rest.indexOf(LINE_FEED); end >= 0; end = rest.indexOf(LINE_FEED)) {
      if (end > this.#mostBytes) return undefined;
      const line = textOf(rest.subarray(0, end));
      if (line === undefined) return undefined;
      lines.push(line);
      rest = rest.subarray(end + 1);
    }
    if (rest.length > this.#mostBytes) return undefined;
    this.#held = rest;
    return lines;
  }
}

const LINE_FEED = 0x0a;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    // The only thing that a fatal decoder throws.
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

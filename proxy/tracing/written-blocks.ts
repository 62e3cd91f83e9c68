// Attributes that many spans have alike, kept as the bytes that they were when they were first written: an address is taken apart
// by calls out of V8, and each text is copied digit by digit. At 100 % of traces that was a third of what a record takes.

import type { SpanWriter } from './span-writer.ts';

/** Connections of a busy worker, about 150 bytes each. */
const mostBlocks = 4096;
/** A longer text comes from a request, and not again. */
const longestText = 256;

export class WrittenBlocks {
  readonly #blocks = new Map<string, Uint8Array>();
  /** What found no room since it was full. */
  #refused = 0;

  /** Writes what is known of `text`. False when it is to be written anew, and then given to `keep`. */
  write(writer: SpanWriter, text: string): boolean {
    const block = this.#blocks.get(text);
    if (block === undefined) return false;
    writer.raw(block, 0, block.length);
    return true;
  }

  /** What the writer has written from `start` on is that of `text`. */
  keep(writer: SpanWriter, text: string, start: number): void {
    if (text.length > longestText) return;
    if (this.#blocks.size >= mostBlocks) {
      this.#refused++;
      // Connections that are gone make room for others, and making blocks never costs more than it saves.
      if (this.#refused < mostBlocks) return;
      this.#refused = 0;
      this.#blocks.clear();
    }
    // A part of a text keeps the whole of it in memory, as a host does the target in absolute form that it was taken from.
    const own = Buffer.from(text, 'latin1').latin1Slice();
    // A path of a socket may have letters that latin1 has not; what stands for them must not stand for another path.
    if (own !== text) return;
    this.#blocks.set(own, Uint8Array.from(writer.bytes.subarray(start, writer.used)));
  }
}

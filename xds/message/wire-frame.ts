// Lengths on the wire: a reader is narrowed to what a length is in front of, so that nothing reads beyond its own message.

import type { Reader } from 'protobufjs/minimal.js';

/** Reads a length and ends `reader` there. Returns what `closeFrame` is to be given. Throws when it is too long. */
export function openFrame(reader: Reader): number {
  const outer = reader.len;
  const end = reader.size() + reader.pos;
  if (end > outer) throw new RangeError('index out of range');
  reader.len = end;
  return outer;
}

/** Throws when what was opened was not read to its end. */
export function closeFrame(reader: Reader, outer: number): void {
  if (reader.pos !== reader.len) throw new RangeError('index out of range');
  reader.len = outer;
}

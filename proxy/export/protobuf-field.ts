// Frames bytes as fields of protobuf messages, where contents are there already and only their lengths are missing.
// https://protobuf.dev/programming-guides/encoding/

const fixed64 = 1;
const lengthDelimited = 2;

/** Tag and length that stand before `length` bytes of a bytes, text or message field. Field numbers below 16. */
export function fieldHead(field: number, length: number): Uint8Array {
  const head = new Uint8Array(1 + varintLength(length));
  writeFieldHead(head, 0, field, length);
  return head;
}

/** How many bytes `writeFieldHead` writes. */
export function fieldHeadLength(length: number): number {
  return 1 + varintLength(length);
}

/** Writes tag and length into `target`. Returns where what follows begins. */
export function writeFieldHead(target: Uint8Array, start: number, field: number, length: number): number {
  let at = start;
  target[at++] = (field << 3) | lengthDelimited;
  let rest = length;
  while (rest > 0x7f) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}

/** A whole field. */
export function bytesField(field: number, contents: Uint8Array): Uint8Array {
  return Buffer.concat([fieldHead(field, contents.length), contents]);
}

export function textField(field: number, text: string): Uint8Array {
  return bytesField(field, Buffer.from(text));
}

/** A varint of a number that is not negative and below 2^53. */
export function integerField(field: number, value: number): Uint8Array {
  const bytes = [field << 3];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

/** A number that is not negative and below 2^53. */
export function fixed64Field(field: number, value: number): Uint8Array {
  const bytes = Buffer.alloc(9);
  bytes[0] = (field << 3) | fixed64;
  bytes.writeBigUInt64LE(BigInt(value), 1);
  return bytes;
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 0x7f; rest >>>= 7) length++;
  return length;
}

// Writes protobuf messages into one growing buffer: as much of the wire format as OTLP spans need. A worker has one, so that
// a kept request costs no object and no second copy.
// https://protobuf.dev/programming-guides/encoding/

const varint = 0;
const fixed64 = 1;
const lengthDelimited = 2;
const fixed32 = 5;

/** Room for any scalar with its tag. */
const scalarBytes = 16;
/** A message inside a message gets a length of this many bytes, padded: its size is known when it is written. */
const nestedLengthBytes = 3;
/** Of an attribute: what is longer is cut, so that its length fits there though every byte becomes three of UTF-8. */
const longestAttribute = 64 * 1024;

const twoTo32 = 2 ** 32;
const firstNonAscii = 0x80;

export class SpanWriter {
  bytes: Buffer<ArrayBuffer>;
  /** Bytes written so far. */
  used = 0;

  constructor(initialBytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(initialBytes);
  }

  /** Makes room for `extra` more bytes. */
  reserve(extra: number): void {
    if (this.used + extra <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.used + extra));
    this.bytes.copy(larger, 0, 0, this.used);
    this.bytes = larger;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.used++] = value;
  }

  uint16(value: number): void {
    this.reserve(2);
    this.used = this.bytes.writeUInt16LE(value, this.used);
  }

  uint32(value: number): void {
    this.reserve(4);
    this.used = this.bytes.writeUInt32LE(value >>> 0, this.used);
  }

  raw(source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start);
    const { bytes } = this;
    let at = this.used;
    for (let index = start; index < end; index++) bytes[at++] = source[index]!;
    this.used = at;
  }

  /** All of `source`. */
  block(source: Uint8Array): void {
    this.reserve(source.length);
    this.bytes.set(source, this.used);
    this.used += source.length;
  }

  /** Room for a length that `endLength32` fills in. Returns where. */
  beginLength32(): number {
    this.uint32(0);
    return this.used - 4;
  }

  endLength32(at: number): void {
    this.bytes.writeUInt32LE(this.used - at - 4, at);
  }

  /** Not negative, below 2^53. */
  integer(field: number, value: number): void {
    this.reserve(scalarBytes);
    this.#varint((field << 3) | varint);
    this.#varint(value);
  }

  fixed32(field: number, value: number): void {
    this.reserve(scalarBytes);
    this.#varint((field << 3) | fixed32);
    this.used = this.bytes.writeUInt32LE(value >>> 0, this.used);
  }

  /** A moment in milliseconds since the epoch as nanoseconds, exact to the microsecond that a double holds. */
  time(field: number, wallMs: number): void {
    this.reserve(scalarBytes);
    this.#varint((field << 3) | fixed64);
    const micros = Math.floor(wallMs * 1000);
    const high = Math.floor(micros / twoTo32);
    const low = (micros - high * twoTo32) * 1000;
    const carry = Math.floor(low / twoTo32);
    this.used = this.bytes.writeUInt32LE(low - carry * twoTo32, this.used);
    this.used = this.bytes.writeUInt32LE(high * 1000 + carry, this.used);
  }

  /** Bytes given as lower-case hex digits. */
  hex(field: number, digits: Uint8Array, start: number, length: number): void {
    this.reserve(scalarBytes + length / 2);
    this.#varint((field << 3) | lengthDelimited);
    this.#varint(length / 2);
    const { bytes } = this;
    let at = this.used;
    for (let index = start; index < start + length; index += 2) {
      bytes[at++] = (digitValue(digits[index]!) << 4) | digitValue(digits[index + 1]!);
    }
    this.used = at;
  }

  /** A byte string: each character one byte. What is not UTF-8 is replaced, because protobuf refuses it. */
  text(field: number, value: string): void {
    this.reserve(scalarBytes + value.length * 3);
    this.#varint((field << 3) | lengthDelimited);
    this.#textValue(value);
  }

  /** A message that is filled by what follows, to be ended by `endMessage`. Returns where it begins. */
  beginMessage(field: number): number {
    this.reserve(scalarBytes);
    this.#varint((field << 3) | lengthDelimited);
    this.used += nestedLengthBytes;
    return this.used;
  }

  endMessage(start: number): void {
    const length = this.used - start;
    const { bytes } = this;
    bytes[start - 3] = (length & 0x7f) | 0x80;
    bytes[start - 2] = ((length >>> 7) & 0x7f) | 0x80;
    bytes[start - 1] = length >>> 14;
  }

  /**
   * `key` is made by `attributeKey`; empty values are left out, as Envoy does. A byte string, as in `text`, of which 64 KiB
   * are written at most.
   */
  textAttribute(field: number, key: Uint8Array, given: string): void {
    const value = cutText(given, longestAttribute);
    const { length } = value;
    if (length === 0) return;
    this.reserve(scalarBytes * 3 + key.length + length * 3);
    const start = this.used;
    const anyBytes = 1 + varintSize(length) + length;
    this.#varint((field << 3) | lengthDelimited);
    this.#varint(key.length + 1 + varintSize(anyBytes) + anyBytes);
    this.raw(key, 0, key.length);
    this.bytes[this.used++] = anyValueTag;
    this.#varint(anyBytes);
    this.bytes[this.used++] = stringValueTag;
    this.#varint(length);
    if (this.#ascii(value)) return;
    this.used = start;
    this.#slowTextAttribute(field, key, value);
  }

  // The length was right if every character is a byte of its own in UTF-8 too. Found out while they are copied.
  #ascii(value: string): boolean {
    const { bytes } = this;
    let at = this.used;
    let bits = 0;
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      bits |= code;
      bytes[at++] = code;
    }
    this.used = at;
    return bits < firstNonAscii;
  }

  #slowTextAttribute(field: number, key: Uint8Array, value: string): void {
    const pair = this.beginMessage(field);
    this.raw(key, 0, key.length);
    const any = this.beginMessage(2);
    this.text(1, value);
    this.endMessage(any);
    this.endMessage(pair);
  }

  /** Not negative, below 2^53. */
  integerAttribute(field: number, key: Uint8Array, value: number): void {
    this.reserve(scalarBytes * 3 + key.length);
    const anyBytes = 1 + varintSize(value);
    this.#varint((field << 3) | lengthDelimited);
    this.#varint(key.length + 1 + varintSize(anyBytes) + anyBytes);
    this.raw(key, 0, key.length);
    this.bytes[this.used++] = anyValueTag;
    this.#varint(anyBytes);
    this.bytes[this.used++] = integerValueTag;
    this.#varint(value);
  }

  /** Takes out the attribute that has this key. From `start` on there are fields with a length alone, of numbers below 16. */
  removeAttribute(start: number, key: Uint8Array): void {
    const { bytes } = this;
    for (let at = start; at < this.used; ) {
      let length = 0;
      let content = at + 1;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[content++]!;
        length |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      const end = content + length;
      if (startsWith(bytes, content, key)) {
        bytes.copyWithin(at, end, this.used);
        this.used -= end - at;
        return;
      }
      at = end;
    }
  }

  #varint(value: number): void {
    const { bytes } = this;
    let at = this.used;
    let rest = value;
    // Above 31 bits shifts lose digits.
    while (rest > 0x7fffffff) {
      bytes[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.used = at;
  }

  #textValue(value: string): void {
    const start = this.used;
    this.#varint(value.length);
    if (this.#ascii(value)) return;
    this.used = start;
    const encoded = Buffer.from(Buffer.from(value, 'latin1').toString('utf8'), 'utf8');
    this.#varint(encoded.length);
    this.block(encoded);
  }
}

/** `KeyValue.value` */
const anyValueTag = (2 << 3) | lengthDelimited;
/** `AnyValue.string_value`, `AnyValue.int_value` */
const stringValueTag = (1 << 3) | lengthDelimited;
const integerValueTag = (3 << 3) | varint;

/** The name of an attribute as its field `KeyValue.key`, made once. */
export function attributeKey(name: string): Uint8Array {
  const writer = new SpanWriter(64);
  writer.text(1, Buffer.from(name, 'utf8').latin1Slice());
  return Uint8Array.from(writer.bytes.subarray(0, writer.used));
}

/** The first `longest` bytes of a byte string, less the character of UTF-8 that would be cut there: half of one reads as none. */
export function cutText(text: string, longest: number): string {
  if (text.length <= longest) return text;
  let end = longest;
  // The longest character has three bytes behind its first.
  while (end > longest - 3 && isContinuation(text.charCodeAt(end))) end--;
  return text.slice(0, isContinuation(text.charCodeAt(end)) ? longest : end);
}

function isContinuation(code: number): boolean {
  return (code & 0xc0) === 0x80;
}

function startsWith(bytes: Uint8Array, at: number, key: Uint8Array): boolean {
  for (let index = 0; index < key.length; index++) if (bytes[at + index] !== key[index]) return false;
  return true;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

// Without a branch: which of both kinds a random digit is cannot be foretold.
function digitValue(code: number): number {
  return (code & 0x0f) + (code >> 6) * 9;
}

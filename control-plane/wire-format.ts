// The parts of the protobuf wire format that discovery messages are made of. By hand, because only xds/ knows protobufjs,
// and because a request is read from any client: nothing here throws, and lengths are checked against what is there.
// https://protobuf.dev/programming-guides/encoding/

/** Receives the fields of a message in their order. `bytes` is a view; `number` is set for numeric fields. */
export type FieldVisitor = (field: number, bytes: Uint8Array, number: number) => void;

const wireType = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;
const nothing = new Uint8Array();

/** Walks over the fields of `message`; false when it is not a message. Numbers above 2^53 lose precision. */
export function readFields(message: Uint8Array, visit: FieldVisitor): boolean {
  const reader = new VarintReader(message);
  while (reader.position < message.length) {
    const tag = reader.next();
    if (tag === undefined || tag < 8 || tag > 0xffff_ffff) return false;
    const field = Math.floor(tag / 8);
    const type = tag % 8;
    if (type === wireType.varint) {
      const number = reader.next();
      if (number === undefined) return false;
      visit(field, nothing, number);
      continue;
    }
    const length = type === wireType.lengthDelimited ? reader.next() : lengthOf(type);
    if (length === undefined || length > message.length - reader.position) return false;
    visit(field, message.subarray(reader.position, reader.position + length), 0);
    reader.position += length;
  }
  return true;
}

/** Groups were deprecated before proto3 and are in no message of Envoy's. */
function lengthOf(type: number): number | undefined {
  return type === wireType.fixed64 ? 8 : type === wireType.fixed32 ? 4 : undefined;
}

const utf8 = new TextDecoder();

export function readString(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

/** Most bytes of a varint of 64 bits. */
const maxVarintBytes = 10;

class VarintReader {
  position = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  next(): number | undefined {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < maxVarintBytes && this.position < this.#bytes.length; count++) {
      const byte = this.#bytes[this.position++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    return undefined;
  }
}

/** Builds a message. Parts are kept as they are and joined once, so that a resource's bytes are copied once. */
export class FieldWriter {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** Left out when empty, as proto3 does. */
  string(field: number, text: string): this {
    return text === '' ? this : this.bytes(field, Buffer.from(text));
  }

  /** Also when empty: the presence of a message says something. */
  bytes(field: number, bytes: Uint8Array): this {
    this.#push(varint(field * 8 + wireType.lengthDelimited));
    this.#push(varint(bytes.length));
    this.#push(bytes);
    return this;
  }

  number(field: number, value: number): this {
    this.#push(varint(field * 8 + wireType.varint));
    this.#push(varint(value));
    return this;
  }

  message(field: number, message: FieldWriter): this {
    this.#push(varint(field * 8 + wireType.lengthDelimited));
    this.#push(varint(message.#length));
    for (const part of message.#parts) this.#push(part);
    return this;
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts, this.#length);
  }

  #push(part: Uint8Array): void {
    this.#parts.push(part);
    this.#length += part.length;
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

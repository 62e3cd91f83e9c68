// `google.protobuf.Struct` on the wire, as far as sidecars use it to tell of themselves: texts, and structs of texts.
// https://protobuf.dev/programming-guides/encoding/
//
// What a peer sends is read strictly: whole, within bounds, with texts that are UTF-8. Values of other kinds are passed
// over.

import { isUtf8 } from 'node:buffer';

/** Texts by name, and structs of texts. */
export interface TextStruct extends ReadonlyMap<string, string | TextStruct> {}

/** The bytes, the same for the same struct: entries are in the order of their names, as protobuf's are when asked. */
export function encodeStruct(struct: TextStruct): Buffer {
  const names = [...struct.keys()].sort(byBytes);
  return Buffer.concat(
    names.map((name) => {
      const value = struct.get(name)!;
      const encoded =
        typeof value === 'string'
          ? field(Value.text, Buffer.from(value, 'utf8'))
          : field(Value.struct, encodeStruct(value));
      const entry = [field(Entry.key, Buffer.from(name, 'utf8')), field(Entry.value, encoded)];
      return field(FIELDS, Buffer.concat(entry));
    }),
  );
}

/** Null for what is no struct. `depth` is that of structs within it which are read, others are passed over. */
export function decodeStruct(bytes: Buffer, depth = 1): TextStruct | null {
  const found = new Map<string, string | TextStruct>();
  const cursor = new Cursor(bytes);
  while (cursor.hasMore) {
    const tag = cursor.varint();
    if (tag !== tagOf(FIELDS)) {
      cursor.skip(tag);
      continue;
    }
    if (!readEntry(cursor.bytes(), depth, found)) return null;
  }
  return cursor.isValid ? found : null;
}

// The last of several entries of one name counts, and the last of several values of one entry (protobuf's rule).
function readEntry(bytes: Buffer, depth: number, found: Map<string, string | TextStruct>): boolean {
  let name = '';
  let value: string | TextStruct | null = null;
  const cursor = new Cursor(bytes);
  while (cursor.hasMore) {
    const tag = cursor.varint();
    if (tag === tagOf(Entry.key)) {
      const key = cursor.text();
      if (key === null) return false;
      name = key;
    } else if (tag === tagOf(Entry.value)) {
      const read = readValue(cursor.bytes(), depth);
      if (read === undefined) return false;
      value = read;
    } else cursor.skip(tag);
  }
  if (value !== null) found.set(name, value);
  return cursor.isValid;
}

/** Null for a value of another kind, undefined for what is none. */
function readValue(bytes: Buffer, depth: number): string | TextStruct | null | undefined {
  let value: string | TextStruct | null = null;
  const cursor = new Cursor(bytes);
  while (cursor.hasMore) {
    const tag = cursor.varint();
    if (tag === tagOf(Value.text)) {
      const text = cursor.text();
      if (text === null) return undefined;
      value = text;
    } else if (tag === tagOf(Value.struct) && depth > 0) {
      const struct = decodeStruct(cursor.bytes(), depth - 1);
      if (struct === null) return undefined;
      value = struct;
    } else {
      value = null;
      cursor.skip(tag);
    }
  }
  return cursor.isValid ? value : undefined;
}

const STRUCT = 'type.googleapis.com/google.protobuf.Struct';

/** A `google.protobuf.Any` that holds the struct. */
export function encodeAnyStruct(struct: TextStruct): Buffer {
  return Buffer.concat([field(Any.typeUrl, Buffer.from(STRUCT, 'utf8')), field(Any.value, encodeStruct(struct))]);
}

/** As `decodeStruct`; null too for an `Any` that holds something else. */
export function decodeAnyStruct(bytes: Buffer, depth: number): TextStruct | null {
  let type: string | null = '';
  let value: Buffer = nothing;
  const cursor = new Cursor(bytes);
  while (cursor.hasMore) {
    const tag = cursor.varint();
    if (tag === tagOf(Any.typeUrl)) type = cursor.text();
    else if (tag === tagOf(Any.value)) value = cursor.bytes();
    else cursor.skip(tag);
  }
  return cursor.isValid && type === STRUCT ? decodeStruct(value, depth) : null;
}

/** Each step fails when it would leave the bytes, and then nothing more is there. */
class Cursor {
  isValid = true;
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get hasMore(): boolean {
    return this.isValid && this.#at < this.#bytes.length;
  }

  /** Up to 2^28: tags and lengths here are never larger. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    this.isValid = false;
    return 0;
  }

  bytes(): Buffer {
    const length = this.varint();
    const end = this.#at + length;
    if (!this.isValid || end > this.#bytes.length) {
      this.isValid = false;
      return nothing;
    }
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  /** Null for what is no UTF-8. */
  text(): string | null {
    const bytes = this.bytes();
    return this.isValid && isUtf8(bytes) ? bytes.toString('utf8') : null;
  }

  /** Passes over the value of a field. Groups are gone from protobuf, and not known here. */
  skip(tag: number): void {
    const type = tag & 7;
    if (tag >> 3 === 0) this.isValid = false;
    else if (type === WireType.varint) this.#skipVarint();
    else if (type === WireType.fixed64) this.#advance(8);
    else if (type === WireType.bytes) this.bytes();
    else if (type === WireType.fixed32) this.#advance(4);
    else this.isValid = false;
  }

  #skipVarint(): void {
    for (let count = 0; count < 10; count++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      if (byte < 0x80) return;
    }
    this.isValid = false;
  }

  #advance(count: number): void {
    this.#at += count;
    if (this.#at > this.#bytes.length) this.isValid = false;
  }
}

function field(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([varintBytes(tagOf(number)), varintBytes(bytes.length), bytes]);
}

function varintBytes(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}

function tagOf(number: number): number {
  return (number << 3) | WireType.bytes;
}

function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left, 'utf8'), Buffer.from(right, 'utf8'));
}

const nothing = Buffer.alloc(0);
const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
/** Numbers of the fields that are read: of `Struct`, of its map's entries, of `Value`, of `Any`. */
const FIELDS = 1;
const Entry = { key: 1, value: 2 } as const;
const Value = { text: 3, struct: 5 } as const;
const Any = { typeUrl: 1, value: 2 } as const;

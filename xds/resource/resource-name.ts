// The name of a resource by its bytes. Every resource type has it as text in field 1, so a response of thousands of
// resources is told apart without decoding one. https://protobuf.dev/programming-guides/encoding/

/** The last value of field 1, as protobuf has it; empty without one, and when the bytes are no message. */
export function resourceNameOf(message: Uint8Array): string {
  let name: { readonly start: number; readonly end: number } | undefined;
  const cursor = { bytes: message, offset: 0 };
  while (cursor.offset < message.length) {
    const tag = readVarint(cursor);
    const start = tag === lengthDelimited(1) ? startOfContent(cursor) : cursor.offset;
    if (!skipField(cursor, tag & 7)) return '';
    if (tag === lengthDelimited(1)) name = { start, end: cursor.offset };
  }
  return name === undefined
    ? ''
    : Buffer.from(message.buffer, message.byteOffset + name.start, name.end - name.start).toString();
}

interface Cursor {
  readonly bytes: Uint8Array;
  offset: number;
}

function lengthDelimited(field: number): number {
  return (field << 3) | 2;
}

/** Where the content begins that a length here announces; the cursor stays. */
function startOfContent({ bytes, offset }: Cursor): number {
  const ahead = { bytes, offset };
  readVarint(ahead);
  return ahead.offset;
}

/** Moves behind a field's value; false when it goes beyond the end or has no wire type of proto3. */
function skipField(cursor: Cursor, wireType: number): boolean {
  switch (wireType) {
    case 0:
      readVarint(cursor);
      break;
    case 1:
      cursor.offset += 8;
      break;
    case 2: {
      const length = readVarint(cursor);
      cursor.offset += length;
      break;
    }
    case 5:
      cursor.offset += 4;
      break;
    default:
      return false;
  }
  return cursor.offset <= cursor.bytes.length;
}

/** One that is cut off, or longer than any, leaves the cursor beyond the end. */
function readVarint(cursor: Cursor): number {
  let value = 0;
  for (let index = 0; index < 10; index++) {
    const byte = cursor.bytes[cursor.offset++];
    if (byte === undefined) return Number.POSITIVE_INFINITY;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return value;
  }
  cursor.offset = Number.POSITIVE_INFINITY;
  return value;
}

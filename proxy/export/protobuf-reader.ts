// Reads protobuf's wire format field by field, without descriptors: enough for the few messages of OTLP that are looked into
// on their way. What is damaged ends the reading and says so; nothing throws, and nothing outside of the given bytes is read.
// https://protobuf.dev/programming-guides/encoding/

export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

export class ProtobufReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;
  readonly #end: number;
  #isDamaged = false;
  /** Number and wire type of the field that was read last. */
  field = 0;
  wireType = 0;
  /** Of a varint modulo 2^64, a fixed32 or fixed64. Unsigned. */
  value = 0n;
  /** Where the field begins: its tag. */
  tagStart = 0;
  /** Where the contents of a bytes field lie. */
  start = 0;
  end = 0;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#end = end;
  }

  /** Reads the next field; false at the end, which `isDamaged` tells from a fault. */
  next(): boolean {
    if (this.#isDamaged || this.#at >= this.#end) return false;
    this.tagStart = this.#at;
    const tag = this.#varint();
    this.field = Number(tag >> 3n);
    this.wireType = Number(tag & 7n);
    if (this.field === 0 || tag > 0xffff_ffffn) this.#isDamaged = true;
    if (!this.#isDamaged) this.#readValue();
    return !this.#isDamaged;
  }

  /** The message ended in the middle, or has what protobuf does not know. Fields before may have been read. */
  get isDamaged(): boolean {
    return this.#isDamaged;
  }

  /** Of a bytes field; a view, not a copy. */
  get contents(): Uint8Array {
    return this.#bytes.subarray(this.start, this.end);
  }

  /** Of a bytes field. What is no UTF-8 is replaced. */
  get text(): string {
    return utf8.decode(this.contents);
  }

  /** Of a bytes field: its contents as a message. */
  message(): ProtobufReader {
    return new ProtobufReader(this.#bytes, this.start, this.end);
  }

  /** As a double (`value` holds its bits). */
  get double(): number {
    doubles.setBigUint64(0, this.value);
    return doubles.getFloat64(0);
  }

  #readValue(): void {
    switch (this.wireType) {
      case WireType.varint:
        this.value = this.#varint();
        return;
      case WireType.fixed64:
        if (this.#has(8)) this.value = this.#view.getBigUint64(this.#at, true);
        this.#at += 8;
        return;
      case WireType.fixed32:
        if (this.#has(4)) this.value = BigInt(this.#view.getUint32(this.#at, true));
        this.#at += 4;
        return;
      case WireType.bytes: {
        const length = this.#varint();
        if (this.#isDamaged || length > BigInt(this.#end - this.#at)) {
          this.#isDamaged = true;
          return;
        }
        this.start = this.#at;
        this.end = this.#at + Number(length);
        this.#at = this.end;
        return;
      }
      default:
        this.#isDamaged = true;
    }
  }

  #has(length: number): boolean {
    if (this.#end - this.#at < length) this.#isDamaged = true;
    return !this.#isDamaged;
  }

  #varint(): bigint {
    // Most fit in a number, and numbers are far cheaper.
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    this.#isDamaged = true;
    return 0n;
  }

  #byte(): number {
    if (this.#at >= this.#end) {
      this.#isDamaged = true;
      return 0;
    }
    return this.#bytes[this.#at++]!;
  }
}

const utf8 = new TextDecoder();
const doubles = new DataView(new ArrayBuffer(8));

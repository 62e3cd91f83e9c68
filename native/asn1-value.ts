// A value of any type (ASN1_TYPE), as the text that a name of the type other-name is compared by (RFC 5280 4.2.1.6).

import { bytesAt } from './asn1-string.ts';
import { NativeBuffer } from './native-buffer.ts';
import { declareOpenssl } from './openssl.ts';

/** With dots: `1.3.6.1.4.1.311.20.2.3`. Empty for one of more than 255 characters. */
export function textOfObject(object: number): string {
  const length = objectText()(text.address, text.length, object, 1);
  return length <= 0 || length >= text.length ? '' : text.bytes.toString('latin1', 0, length);
}

/** DER of it; empty when there is none. */
export function derOfValue(value: number): Buffer {
  place.bytes.fill(0);
  const length = encode()(value, place.address);
  const made = Number(place.bytes.readBigUInt64LE());
  if (length <= 0 || made === 0) return Buffer.alloc(0);
  const der = bytesAt(made, length);
  release()(made, '', 0);
  return der;
}

/**
 * Bytes, as Latin-1: of text what it holds, in UTF-8 where its letters have two or four bytes; of a number its decimal digits;
 * `true` and `false`; of a sequence or set all of its DER. Empty for anything else.
 */
export function textOfValue(der: Buffer): string {
  const tag = der[0];
  const start = contentStart(der);
  if (tag === undefined || start === undefined) return '';
  const content = der.subarray(start);
  switch (tag) {
    case Tag.boolean:
      return content[0] === 0 ? 'false' : 'true';
    case Tag.integer:
    case Tag.enumerated:
      return decimal(content);
    case Tag.object:
      return objectIdentifier(content);
    case Tag.bitString:
      return content.toString('latin1', 1);
    case Tag.bmpString:
      return fromUnits(content, 2);
    case Tag.universalString:
      return fromUnits(content, 4);
    case Tag.sequence:
    case Tag.set:
      return der.toString('latin1');
    default:
      return plainStrings.has(tag) ? content.toString('latin1') : '';
  }
}

/** Undefined where the length is none, or not that of what follows. OpenSSL has written it in its shortest form. */
function contentStart(der: Buffer): number | undefined {
  const first = der[1];
  if (first === undefined) return undefined;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (lengthBytes > 4 || first === 0x80 || der.length < 2 + lengthBytes) return undefined;
  const start = 2 + lengthBytes;
  const length = lengthBytes === 0 ? first : der.readUIntBE(2, lengthBytes);
  return start + length === der.length ? start : undefined;
}

/** Two's complement, the highest byte first. What nobody would compare has no digits. */
function decimal(content: Buffer): string {
  if (content.length === 0 || content.length > MOST_DIGIT_BYTES) return '';
  return BigInt.asIntN(8 * content.length, BigInt(`0x${content.toString('hex')}`)).toString();
}

function objectIdentifier(content: Buffer): string {
  const parts: bigint[] = [];
  let part = 0n;
  if (content.length > MOST_DIGIT_BYTES) return '';
  for (const byte of content) {
    part = (part << 7n) | BigInt(byte & 0x7f);
    if (byte >= 0x80) continue;
    parts.push(part);
    part = 0n;
  }
  const [first, ...others] = parts;
  if (first === undefined) return '';
  // The first two are in one: 40 times the one, which is 0, 1 or 2, and the other (X.690 8.19.4).
  const top = first < 80n ? first / 40n : 2n;
  return [top, first - 40n * top, ...others].join('.');
}

function fromUnits(content: Buffer, bytes: 2 | 4): string {
  if (content.length % bytes !== 0) return '';
  let letters = '';
  for (let at = 0; at < content.length; at += bytes) {
    const point = content.readUIntBE(at, bytes);
    const isLetter = point <= 0x10_ffff && (point < 0xd800 || point > 0xdfff);
    if (!isLetter) return '';
    letters += String.fromCodePoint(point);
  }
  return Buffer.from(letters, 'utf8').toString('latin1');
}

/** X.680 8.4. */
const Tag = {
  boolean: 1,
  integer: 2,
  bitString: 3,
  object: 6,
  enumerated: 10,
  universalString: 28,
  bmpString: 30,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Octets, UTF-8, numeric, printable, T61, videotex, IA5, both times, graphic, visible, general. */
const plainStrings: ReadonlySet<number> = new Set([4, 12, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27]);

/** A number of so many bytes has 600 digits, and an identifier as many characters at most. */
const MOST_DIGIT_BYTES = 256;

const text = new NativeBuffer(256);
const place = new NativeBuffer(8);
const objectText = declareOpenssl('int', 'OBJ_obj2txt', ['uint64_t', 'int', 'uint64_t', 'int']);
const encode = declareOpenssl('int', 'i2d_ASN1_TYPE', ['uint64_t', 'uint64_t']);
const release = declareOpenssl('void', 'CRYPTO_free', ['uint64_t', 'str', 'int']);

// Writes DER (ITU-T X.690): as much of it as a certificate request needs.

/** One element: `tag`, then the length of what is in it, then that. */
export function derElement(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body]);
}

export function derSequence(...content: readonly Uint8Array[]): Buffer {
  return derElement(DerTag.sequence, ...content);
}

/** `dotted` is a number such as `1.2.840.10045.4.3.2`. */
export function derObjectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number);
  return derElement(DerTag.objectIdentifier, Buffer.from([first * 40 + second, ...others.flatMap(base128)]));
}

/** All of whose bits are used. */
export function derBitString(bits: Uint8Array): Buffer {
  return derElement(DerTag.bitString, Buffer.from([0]), bits);
}

export const DerTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
} as const;

/** 8.1.3: one byte below 128, else how many bytes the length takes, and the length. */
function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

/** Seven bits a byte, the highest first; all but the last have the eighth bit. */
function base128(value: number): number[] {
  const bytes = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift(0x80 | (rest % 128));
  return bytes;
}

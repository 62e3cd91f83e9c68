// Ids of traces as lower-case hexadecimal digits, the form in which they travel. Nothing makes numbers of them.

/** Value of a digit by its byte; `notHex` for every other byte, so that one `|` over a range tells whether all are. */
export const hexValue: Uint8Array = Buffer.alloc(256);
export const notHex = 0x40;
/** Digit by value. */
export const hexDigit: Uint8Array = Buffer.from('0123456789abcdef', 'latin1');

hexValue.fill(notHex);
for (let value = 0; value < 16; value++) hexValue[hexDigit[value]!] = value;

/** Whether `bytes[at, at + length)` are lower-case digits and not all zero: what every id must be. */
export function isId(bytes: Uint8Array, at: number, length: number): boolean {
  let bits = 0;
  for (let index = at; index < at + length; index++) bits |= hexValue[bytes[index]!]!;
  return bits !== 0 && bits < notHex;
}

/** Whether a text is lower-case digits, `least` to `most` of them. */
export function isHexText(text: string, least: number, most: number): boolean {
  if (text.length < least || text.length > most) return false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 255 || hexValue[code] === notHex) return false;
  }
  return true;
}

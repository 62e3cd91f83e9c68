// Case without locale: only ASCII letters have one in HTTP (RFC 9110 §4.2.3); other bytes must come out as they went in.

import { isAscii } from '../format/byte-string.ts';

/** A byte string with its ASCII letters in lower case. */
export function asciiLowerCase(text: string): string {
  if (isAscii(text)) return text.toLowerCase();
  let lower = '';
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    lower += code >= 0x41 && code <= 0x5a ? String.fromCharCode(code + 32) : text[index]!;
  }
  return lower;
}

// What each byte may be in an HTTP/1.1 head (RFC 9110 §5.5 and §5.6.2, RFC 9112 §3): one table look-up per byte decides,
// because the heads of a proxy's life are read byte by byte and by nothing else.

/** Values of `nameClass`; 0 for bytes that no token may hold. */
export const NameClass = {
  tchar: 1,
  /** `_` is a tchar too, but origins that read it as `-` make it worth knowing about. */
  underscore: 2,
} as const;

export const nameClass = new Uint8Array(256);
/** 1 for bytes of a field value: visible ASCII, space, tab and obs-text (RFC 9110 §5.5). */
export const valueClass = new Uint8Array(256);
/** 1 for bytes of a request target: visible ASCII. Raw UTF-8 has to come percent-encoded (RFC 3986 §2). */
export const targetClass = new Uint8Array(256);
/** The value of a hexadecimal digit; 255 for every other byte. */
export const hexValue = new Uint8Array(256).fill(255);

export const Byte = {
  tab: 0x09,
  lf: 0x0a,
  cr: 0x0d,
  space: 0x20,
  hash: 0x23,
  comma: 0x2c,
  slash: 0x2f,
  digit0: 0x30,
  digit9: 0x39,
  colon: 0x3a,
  semicolon: 0x3b,
} as const;

for (const letter of "!#$%&'*+-.^`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  nameClass[letter.charCodeAt(0)] = NameClass.tchar;
}
nameClass[0x5f] = NameClass.underscore;

valueClass.fill(1, 0x20, 0x7f);
valueClass.fill(1, 0x80);
valueClass[Byte.tab] = 1;

targetClass.fill(1, 0x21, 0x7f);

for (let digit = 0; digit < 16; digit++) {
  const text = digit.toString(16);
  hexValue[text.charCodeAt(0)] = digit;
  hexValue[text.toUpperCase().charCodeAt(0)] = digit;
}

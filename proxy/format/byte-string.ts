// Text between configuration, messages and logs travels as byte strings: each character stands for one byte, as header
// values are kept (RFC 9110 §5.5 gives them no encoding). They are written with latin1 and arrive as they were.

/** The UTF-8 bytes of a text, one character each. ASCII stays as it is. */
export function toByteString(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'utf8').latin1Slice();
}

/** The text that the bytes spell in UTF-8; what is not UTF-8 becomes U+FFFD. */
export function fromByteString(bytes: string): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
}

export function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}

/**
 * The value with what could end a line or a header field made visible: a control character other than tab becomes
 * `\xNN`, a character beyond one byte its UTF-8 bytes. For values that no codec has checked, such as metadata.
 */
export function withoutControls(value: string): string {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) return escapeControls(value);
  }
  return value;
}

function escapeControls(value: string): string {
  let escaped = '';
  for (const character of value) {
    const code = character.codePointAt(0)!;
    if (code > 0xff) escaped += toByteString(character);
    else if ((code < 0x20 && code !== 0x09) || code === 0x7f) escaped += `\\x${code.toString(16).padStart(2, '0')}`;
    else escaped += character;
  }
  return escaped;
}

// The bodies every proxy carries. Text from a fixed generator rather than one repeated byte: a proxy that shifts,
// drops or repeats a piece must not pass the comparison.
import { createHash } from 'node:crypto';

export const SMALL_BODY_BYTES = 100;
export const MEDIUM_BODY_BYTES = 16 * 1024;
export const LARGE_BODY_BYTES = 1024 * 1024;

const ALPHABET = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_';

// Letters, digits, '-' and '_' only: they need no quoting in an nginx or Lua string.
export function patternBody(sizeBytes: number): string {
  let state = 0x2545f491;
  let body = '';
  for (let index = 0; index < sizeBytes; index += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    body += ALPHABET[state >>> 26];
  }
  return body;
}

export function sha256(body: string | Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

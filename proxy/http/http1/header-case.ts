// Envoy's `proper_case_words`: `content-type` goes out as `Content-Type`.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/header_casing

import { lowerCase } from '../header-name.ts';
import type { HeaderTable } from '../header-table.ts';

const isLowerLetter = new Uint8Array(256).fill(1, 0x61, 0x7b);

/**
 * Spells every name with a capital first letter and a capital behind every character that is neither a letter nor a
 * digit. In place: a name's length does not change. Call it after the last edit, before the head is written.
 */
export function applyProperCase(headers: HeaderTable): void {
  for (let row = 0; row < headers.rowCount; row++) {
    if (!headers.isRemoved(row)) properCaseName(headers.bytes, headers.lineStart(row), headers.nameEnd(row));
  }
}

function properCaseName(bytes: Buffer, start: number, end: number): void {
  let isWordStart = true;
  for (let at = start; at < end; at++) {
    const lower = lowerCase[bytes[at]!]!;
    const isLetter = isLowerLetter[lower] === 1;
    bytes[at] = isLetter && isWordStart ? lower - 32 : lower;
    isWordStart = !isLetter && !(lower >= 0x30 && lower <= 0x39);
  }
}

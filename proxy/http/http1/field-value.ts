// The few field values that frame a message or its connection, read from their bytes without a string.

import { equalsIgnoreCase, lowerCase } from '../header-name.ts';
import type { HeaderTable } from '../header-table.ts';
import { Byte } from './byte-class.ts';

/** What a Connection header can ask for; bits, because one header can ask for several. */
export const ConnectionOption = { close: 1, keepAlive: 2, upgrade: 4, http2Settings: 8, te: 16, other: 32 } as const;

export const chunkedBytes: Uint8Array = Buffer.from('chunked');
export const continueBytes: Uint8Array = Buffer.from('100-continue');

const options: readonly (readonly [Uint8Array, number])[] = [
  [Buffer.from('keep-alive'), ConnectionOption.keepAlive],
  [Buffer.from('close'), ConnectionOption.close],
  [Buffer.from('upgrade'), ConnectionOption.upgrade],
  [Buffer.from('http2-settings'), ConnectionOption.http2Settings],
  [Buffer.from('te'), ConnectionOption.te],
];

/** The decimal number that is the whole value of a row; -1 when it is none or is above 2^53 - 1. */
export function decimalValue(headers: HeaderTable, row: number): number {
  const { bytes } = headers;
  const end = headers.valueEnd(row);
  let value = 0;
  let at = headers.valueStart(row);
  if (at === end) return -1;
  for (; at < end; at++) {
    const digit = bytes[at]! - Byte.digit0;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
    // Beyond this a double skips numbers: two counts of one body could differ.
    if (value > Number.MAX_SAFE_INTEGER) return -1;
  }
  return value;
}

/** Whether a decimal value has digits that its number does not need. */
export function hasLeadingZero(headers: HeaderTable, row: number): boolean {
  const start = headers.valueStart(row);
  return headers.valueEnd(row) - start > 1 && headers.bytes[start] === Byte.digit0;
}

/** The items of a list value one by one, empty ones left out (RFC 9110 §5.6.1). Reused, so that a header costs no memory. */
export class ListItems {
  /** Of the item that `next` found, in the store of the table. */
  start = 0;
  end = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #next = 0;
  #limit = 0;

  begin(headers: HeaderTable, row: number): void {
    this.#bytes = headers.bytes;
    this.#next = headers.valueStart(row);
    this.#limit = headers.valueEnd(row);
  }

  next(): boolean {
    const bytes = this.#bytes;
    while (this.#next < this.#limit) {
      const start = skipBlank(bytes, this.#next, this.#limit);
      const comma = listItemEnd(bytes, start, this.#limit);
      this.#next = comma + 1;
      this.start = start;
      this.end = trimBlank(bytes, start, comma);
      if (this.end > start) return true;
    }
    return false;
  }
}

const items = new ListItems();

/** The ConnectionOption bits of a Connection row. */
export function connectionOptions(headers: HeaderTable, row: number): number {
  let bits = 0;
  items.begin(headers, row);
  while (items.next()) bits |= optionBit(headers.bytes, items.start, items.end);
  return bits;
}

function optionBit(bytes: Buffer, start: number, end: number): number {
  for (let index = 0; index < options.length; index++) {
    const [name, bit] = options[index]!;
    if (name.length === end - start && equalsIgnoreCase(bytes, start, name)) return bit;
  }
  return ConnectionOption.other;
}

function skipBlank(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] === Byte.space || bytes[at] === Byte.tab || bytes[at] === Byte.comma)) at++;
  return at;
}

function trimBlank(bytes: Buffer, start: number, end: number): number {
  let at = end;
  while (at > start && (bytes[at - 1] === Byte.space || bytes[at - 1] === Byte.tab)) at--;
  return at;
}

/** The offset of the comma behind a list's item, or `end`. */
function listItemEnd(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== Byte.comma) at++;
  return at;
}

/** The first item of a list in lower case; empty when there is none. */
export function firstListItem(headers: HeaderTable, row: number): string {
  const { bytes } = headers;
  const end = headers.valueEnd(row);
  const start = skipBlank(bytes, headers.valueStart(row), end);
  return bytes.latin1Slice(start, trimBlank(bytes, start, listItemEnd(bytes, start, end))).toLowerCase();
}

const timeoutBytes = Buffer.from('timeout=');

/** Milliseconds of `timeout=N` in a Keep-Alive row; 0 when it is not said or makes no sense. */
export function keepAliveTimeoutMs(headers: HeaderTable, row: number): number {
  const { bytes } = headers;
  const end = headers.valueEnd(row);
  let at = headers.valueStart(row);
  while (at < end) {
    const start = skipBlank(bytes, at, end);
    const comma = listItemEnd(bytes, start, end);
    if (comma - start > timeoutBytes.length && equalsIgnoreCase(bytes, start, timeoutBytes)) {
      return secondsAsMs(bytes, start + timeoutBytes.length, trimBlank(bytes, start, comma));
    }
    at = comma + 1;
  }
  return 0;
}

function secondsAsMs(bytes: Buffer, start: number, end: number): number {
  let seconds = 0;
  // Six digits are eleven days: longer than any connection is kept, and far from overflow.
  for (let at = start; at < end && at < start + 6; at++) {
    const digit = lowerCase[bytes[at]!]! - Byte.digit0;
    if (digit < 0 || digit > 9) return 0;
    seconds = seconds * 10 + digit;
  }
  return seconds * 1000;
}

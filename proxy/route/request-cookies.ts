// The cookies of one request that routes ask for, read in one pass at most: a client may send 60 KB of them, and a virtual
// host may have a thousand routes that look at them.

import { HeaderId } from '../http/header-name.ts';
import type { HeaderTable } from '../http/header-table.ts';

export class RequestCookies {
  readonly #wanted = new Set<string>();
  readonly #found = new Map<string, string>();
  #isRead = false;

  /** A name that is asked for; before any request. */
  want(name: string): void {
    this.#wanted.add(name);
  }

  /** The request was matched: its cookies are not kept, and another one comes. */
  forget(): void {
    if (!this.#isRead) return;
    this.#isRead = false;
    this.#found.clear();
  }

  /** The value of the first cookie of a wanted name, without the quotes around it; undefined when there is none. */
  get(headers: HeaderTable, name: string): string | undefined {
    if (!this.#isRead) this.#read(headers);
    return this.#found.get(name);
  }

  #read(headers: HeaderTable): void {
    this.#isRead = true;
    for (let row = headers.findId(HeaderId.cookie); row >= 0; row = headers.findId(HeaderId.cookie, row + 1)) {
      this.#readField(headers.value(row));
    }
  }

  #readField(field: string): void {
    for (let at = 0; at < field.length; ) {
      const semicolon = field.indexOf(';', at);
      const end = semicolon < 0 ? field.length : semicolon;
      this.#readPair(field, at, end);
      at = end + 1;
    }
  }

  #readPair(field: string, from: number, end: number): void {
    let start = from;
    while (start < end && field.charCodeAt(start) === 0x20) start++;
    let equals = start;
    while (equals < end && field.charCodeAt(equals) !== 0x3d) equals++;
    if (equals === end) return;
    const name = field.slice(start, equals);
    if (this.#wanted.has(name) && !this.#found.has(name)) this.#found.set(name, unquoted(field, equals + 1, end));
  }
}

function unquoted(field: string, start: number, end: number): string {
  const isQuoted = end - start >= 2 && field.charCodeAt(start) === 0x22 && field.charCodeAt(end - 1) === 0x22;
  return isQuoted ? field.slice(start + 1, end - 1) : field.slice(start, end);
}

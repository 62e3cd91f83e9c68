// Judges response heads that undici has read. Its parser (llhttp) finds the end of a message; whether the head is one
// that we would forward is for the same parser to say as in the reactor's engine, from bytes that are put together again.
//
// Two things are lost on the way, and cannot be judged: the version of the status line, and white space around values.

import type { HeaderTable } from '../../http/header-table.ts';
import { type CodecError, responseFieldErrors } from '../../http/http1/codec-error.ts';
import { ResponseParser, type ResponseParserOptions } from '../../http/http1/response-parser.ts';
import type { ResponseHead } from '../../http/message.ts';

/** A response head as undici tells it: names and values in turn. */
export interface ReceivedHead {
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly Buffer[];
}

export class ResponseHeadReader {
  readonly #parser: ResponseParser;

  constructor(options: ResponseParserOptions) {
    this.#parser = new ResponseParser(options);
  }

  /** Fills `head`; `requestMethod` is that of the request it answers. Returns why it is refused, null when it is not. */
  read(received: ReceivedHead, head: ResponseHead, requestMethod: string): CodecError | null {
    const length = encode(received);
    const parser = this.#parser;
    const taken = parser.parse(encoded, 0, length, head, requestMethod);
    if (taken === length && areSame(head.headers, received.fields)) return null;
    const { error } = parser;
    parser.reset();
    // A head that ends before its bytes do, or has other fields, holds an end of line or a colon where none may be.
    return error ?? responseFieldErrors.bareLineFeed;
  }
}

/** One for all connections: what is in it is used at once. */
let encoded = Buffer.allocUnsafeSlow(4096);

function encode({ status, reason, fields }: ReceivedHead): number {
  let bytes = fixedBytes + reason.length * 3;
  for (let index = 0; index < fields.length; index++) bytes += fields[index]!.length + 2;
  if (bytes > encoded.length) encoded = Buffer.allocUnsafeSlow(bytes * 2);
  let at = encoded.latin1Write('HTTP/1.1 ', 0);
  at += encoded.latin1Write(String(status), at);
  encoded[at++] = space;
  // UTF-8, as undici has read it.
  at += encoded.write(reason, at);
  at = endLine(at);
  for (let index = 0; index + 1 < fields.length; index += 2) {
    at = copy(fields[index]!, at);
    encoded[at++] = colon;
    encoded[at++] = space;
    at = copy(fields[index + 1]!, at);
    at = endLine(at);
  }
  return endLine(at);
}

/** Whether the fields that were read are those that were told. */
function areSame(headers: HeaderTable, fields: readonly Buffer[]): boolean {
  if (headers.rowCount * 2 !== fields.length) return false;
  for (let row = 0; row < headers.rowCount; row++) {
    if (headers.nameEnd(row) - headers.lineStart(row) !== fields[row * 2]!.length) return false;
  }
  return true;
}

/** The status line without its reason, and the empty line. */
const fixedBytes = 32;
const space = 0x20;
const colon = 0x3a;

function endLine(at: number): number {
  encoded[at] = 0x0d;
  encoded[at + 1] = 0x0a;
  return at + 2;
}

// A loop, because a call of `copy` costs as much as 60 bytes of it.
function copy(bytes: Buffer, at: number): number {
  const { length } = bytes;
  if (length > longestLoop) return at + bytes.copy(encoded, at);
  for (let index = 0; index < length; index++) encoded[at + index] = bytes[index]!;
  return at + length;
}

const longestLoop = 60;

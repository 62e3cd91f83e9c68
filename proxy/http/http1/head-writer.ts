// Writes heads, chunk headers and last chunks as HTTP/1.1, whatever version they came in. Fields go out as they are in
// the table: order and spelling survive.
//
// The writer vouches for the framing: a body that the table says nothing of, because it came from another protocol or
// from us, gets its field here. A message whose end the peer cannot find would poison the connection.

import { HeaderId } from '../header-name.ts';
import type { HeaderTable } from '../header-table.ts';
import { BodyFraming, type RequestHead, type ResponseHead } from '../message.ts';
import { responseLine, standardReason } from './reason-phrase.ts';

/** Most bytes `writeChunkHeader` writes: 14 digits hold any length below 2^53, and CRLF. */
export const chunkHeaderBound = 16;

const requestVersion = Buffer.from(' HTTP/1.1\r\n');
const crlf = Buffer.from('\r\n');
const chunkedLine = Buffer.from('transfer-encoding: chunked\r\n');
const contentLengthName = Buffer.from('content-length: ');
const hostName = Buffer.from('host: ');
const lastChunk = Buffer.from('0\r\n');
const statusVersion = Buffer.from('HTTP/1.1 ');

/** Room for the version, spaces, line ends, and fields that the writer may have to add. */
const fixedBytes = 128;

/** Bytes that `writeRequestHead` writes at most. */
export function requestHeadBound(head: RequestHead): number {
  return head.method.length + head.path.length + 2 * head.authority.length + head.headers.used + fixedBytes;
}

/** Writes the request head at `offset`; returns the offset behind it. */
export function writeRequestHead(head: RequestHead, target: Buffer, offset: number): number {
  let at = writeText(head.method, target, offset);
  target[at++] = 0x20;
  at = writeText(head.method === 'CONNECT' ? head.authority : head.path, target, at);
  at = writeBytes(requestVersion, target, at);
  if (head.headers.findId(HeaderId.host) < 0) {
    at = writeBytes(hostName, target, at);
    at = writeText(head.authority, target, at);
    at = writeBytes(crlf, target, at);
  }
  return writeFields(head, target, at);
}

/** Bytes that `writeResponseHead` writes at most. */
export function responseHeadBound(head: ResponseHead): number {
  return head.reason.length + head.headers.used + fixedBytes;
}

/** Writes the response head at `offset`; returns the offset behind it. */
export function writeResponseHead(head: ResponseHead, target: Buffer, offset: number): number {
  const { status, reason } = head;
  let at = offset;
  if (reason === '' || reason === standardReason(status)) {
    at = writeBytes(responseLine(status), target, at);
  } else {
    at = writeBytes(statusVersion, target, at);
    at = writeDecimal(status, target, at);
    target[at++] = 0x20;
    at = writeText(reason, target, at);
    at = writeBytes(crlf, target, at);
  }
  return writeFields(head, target, at);
}

function writeFields(head: RequestHead | ResponseHead, target: Buffer, offset: number): number {
  const { headers, framing } = head;
  let at = headers.copyTo(target, offset);
  if (framing === BodyFraming.chunked) {
    if (headers.findId(HeaderId.transferEncoding) < 0) at = writeBytes(chunkedLine, target, at);
  } else if (framing === BodyFraming.length && headers.findId(HeaderId.contentLength) < 0) {
    at = writeBytes(contentLengthName, target, at);
    at = writeDecimal(head.contentLength, target, at);
    at = writeBytes(crlf, target, at);
  }
  target[at] = 0x0d;
  target[at + 1] = 0x0a;
  return at + 2;
}

/** Writes the line before a chunk of `length` bytes; 0 would end the body. Returns the offset behind it. */
export function writeChunkHeader(target: Buffer, offset: number, length: number): number {
  let digits = 1;
  for (let rest = Math.floor(length / 16); rest > 0; rest = Math.floor(rest / 16)) digits++;
  let rest = length;
  for (let at = offset + digits - 1; at >= offset; at--) {
    const digit = rest % 16;
    target[at] = digit < 10 ? 0x30 + digit : 0x57 + digit;
    rest = (rest - digit) / 16;
  }
  return writeBytes(crlf, target, offset + digits);
}

/** Bytes that `writeLastChunk` writes at most. */
export function lastChunkBound(trailers: HeaderTable | null): number {
  return lastChunk.length + (trailers === null ? 0 : trailers.encodedLength) + crlf.length;
}

/** Writes the last chunk, the trailers and the empty line; returns the offset behind them. */
export function writeLastChunk(target: Buffer, offset: number, trailers: HeaderTable | null): number {
  let at = writeBytes(lastChunk, target, offset);
  if (trailers !== null) at = trailers.copyTo(target, at);
  return writeBytes(crlf, target, at);
}

function writeDecimal(value: number, target: Buffer, offset: number): number {
  return writeText(String(value), target, offset);
}

// Loops, because for the few dozen bytes of these texts a call into the engine costs more than the bytes.

function writeText(text: string, target: Buffer, offset: number): number {
  if (text.length > longestLoop) return offset + target.latin1Write(text, offset);
  for (let index = 0; index < text.length; index++) target[offset + index] = text.charCodeAt(index);
  return offset + text.length;
}

function writeBytes(bytes: Uint8Array, target: Buffer, offset: number): number {
  for (let index = 0; index < bytes.length; index++) target[offset + index] = bytes[index]!;
  return offset + bytes.length;
}

const longestLoop = 48;

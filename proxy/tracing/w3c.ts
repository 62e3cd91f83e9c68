// The field `traceparent`. Versions above 00 are read as far as 00 goes, and answered with 00.
// https://www.w3.org/TR/trace-context-2/#traceparent-header

import { HeaderId } from '../http/header-name.ts';
import type { HeaderTable } from '../http/header-table.ts';
import { copyDigits, hexDigit, hexValue, isId, notHex } from './hex-digits.ts';
import { ParentDecision, spanIdLength, type TraceContext, TraceparentAt, traceIdLength } from './trace-context.ts';

/** Offset in the bytes of `headers` of the one valid `traceparent`; -1 when there is none. */
export function findTraceparent(headers: HeaderTable): number {
  const row = headers.findId(HeaderId.traceparent);
  if (row < 0 || headers.findId(HeaderId.traceparent, row + 1) >= 0) return -1;
  const { bytes } = headers;
  let at = headers.valueStart(row);
  let end = headers.valueEnd(row);
  while (at < end && isSpace(bytes[at]!)) at++;
  while (end > at && isSpace(bytes[end - 1]!)) end--;
  return isTraceparent(bytes, at, end) ? at : -1;
}

/** Takes ids, flags and decision of the valid value that `findTraceparent` found. */
export function takeTraceparent({ bytes }: HeaderTable, at: number, context: TraceContext): void {
  const line = context.line.bytes;
  for (let index = 0; index < traceIdLength; index++)
    line[TraceparentAt.traceId + index] = bytes[at + traceIdAt + index]!;
  copyDigits(bytes, at + spanIdAt, context.parentSpanId);
  context.hasParent = true;
  if (context.parentDecision !== ParentDecision.absent) return;
  const flags = hexValue[bytes[at + flagsAt + 1]!]!;
  context.parentDecision = (flags & sampledFlag) === 0 ? ParentDecision.notSampled : ParentDecision.sampled;
}

/** The random flag of the valid value that `findTraceparent` found. */
export function hasRandomFlag({ bytes }: HeaderTable, at: number): boolean {
  return (hexValue[bytes[at + flagsAt + 1]!]! & randomFlag) !== 0;
}

/** Whether the valid value that `findTraceparent` found is of the trace that the context has. */
export function isSameTrace({ bytes }: HeaderTable, at: number, context: TraceContext): boolean {
  const line = context.line.bytes;
  for (let index = 0; index < traceIdLength; index++) {
    if (line[TraceparentAt.traceId + index] !== bytes[at + traceIdAt + index]) return false;
  }
  return true;
}

/** Leaves exactly one field, with the ids and flags of the context; in place of a received one of our form. */
export function writeTraceparent(headers: HeaderTable, context: TraceContext): void {
  const { line } = context;
  const flags = (context.isSampled ? sampledFlag : 0) | (context.hasRandomFlag ? randomFlag : 0);
  line.bytes[TraceparentAt.flags + 1] = hexDigit[flags]!;
  const row = headers.findId(HeaderId.traceparent);
  if (
    row >= 0 &&
    headers.valueEnd(row) - headers.valueStart(row) === valueLength &&
    headers.findId(HeaderId.traceparent, row + 1) < 0
  ) {
    const at = headers.valueStart(row);
    const { bytes } = headers;
    for (let index = 0; index < valueLength; index++) bytes[at + index] = line.bytes[valueInLine + index]!;
    return;
  }
  headers.removeId(HeaderId.traceparent);
  headers.appendLine(line);
}

/** Replaces the span id in the field that `writeTraceparent` left. */
export function replaceSpanId(headers: HeaderTable, spanId: Uint8Array): void {
  const row = headers.findId(HeaderId.traceparent);
  if (row < 0) return;
  const at = headers.valueStart(row) + spanIdAt;
  for (let index = 0; index < spanIdLength; index++) headers.bytes[at + index] = spanId[index]!;
}

const sampledFlag = 1;
/** The right-most 7 bytes of the trace id are random. Level 2. */
const randomFlag = 2;

/** `00-<32 digits>-<16 digits>-<2 digits>` */
const traceIdAt = 3;
const spanIdAt = 36;
const flagsAt = 53;
const valueLength = 55;
const valueInLine = TraceparentAt.traceId - traceIdAt;
const dash = 0x2d;
const digitZero = 0x30;

function isTraceparent(bytes: Uint8Array, at: number, end: number): boolean {
  const length = end - at;
  if (length < valueLength) return false;
  if (length > valueLength) {
    const isFirstVersion = bytes[at] === digitZero && bytes[at + 1] === digitZero;
    if (isFirstVersion || bytes[at + valueLength] !== dash) return false;
  }
  if (bytes[at + 2] !== dash || bytes[at + spanIdAt - 1] !== dash || bytes[at + flagsAt - 1] !== dash) return false;
  const high = hexValue[bytes[at]!]!;
  const low = hexValue[bytes[at + 1]!]!;
  if ((high | low) >= notHex || (high === 15 && low === 15)) return false;
  if ((hexValue[bytes[at + flagsAt]!]! | hexValue[bytes[at + flagsAt + 1]!]!) >= notHex) return false;
  return isId(bytes, at + traceIdAt, traceIdLength) && isId(bytes, at + spanIdAt, spanIdLength);
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09;
}

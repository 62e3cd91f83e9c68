// The field `traceparent`. Versions above 00 are read as far as 00 goes, and answered with 00.
// https://www.w3.org/TR/trace-context-2/#traceparent-header

import { HeaderId } from '../http/header-name.ts';
import type { HeaderTable } from '../http/header-table.ts';
import { hexDigit, hexValue, isId, notHex } from './hex-digits.ts';
import { ParentDecision, spanIdLength, type TraceContext, TraceparentAt, traceIdLength } from './trace-context.ts';

/** Offset in the bytes of `headers` of the one `traceparent` that has the right form; -1 when there is none. */
export function findTraceparent(headers: HeaderTable): number {
  const row = headers.findId(HeaderId.traceparent);
  if (row < 0 || headers.findId(HeaderId.traceparent, row + 1) >= 0) return -1;
  const { bytes } = headers;
  let at = headers.valueStart(row);
  let end = headers.valueEnd(row);
  while (at < end && isSpace(bytes[at]!)) at++;
  while (end > at && isSpace(bytes[end - 1]!)) end--;
  return hasForm(bytes, at, end) ? at : -1;
}

/** Takes ids, and the decision where there is none, of what `findTraceparent` found. False when the ids are none. */
export function takeTraceparent({ bytes }: HeaderTable, at: number, context: TraceContext): boolean {
  // Checked while they are copied: where they turn out wrong, others are written over them.
  if (!takeId(bytes, at + traceIdAt, context.line.bytes, TraceparentAt.traceId, traceIdLength)) return false;
  if (!takeId(bytes, at + spanIdAt, context.parentSpanId, 0, spanIdLength)) return false;
  context.hasParent = true;
  context.traceparentAt = at;
  if (context.parentDecision !== ParentDecision.absent) return true;
  const flags = hexValue[bytes[at + flagsAt + 1]!]!;
  context.parentDecision = (flags & sampledFlag) === 0 ? ParentDecision.notSampled : ParentDecision.sampled;
  return true;
}

/** The random flag of what `findTraceparent` found. */
export function hasRandomFlag({ bytes }: HeaderTable, at: number): boolean {
  return (hexValue[bytes[at + flagsAt + 1]!]! & randomFlag) !== 0;
}

/** Whether what `findTraceparent` found is right and of the trace that the context has from elsewhere. */
export function isSameTrace({ bytes }: HeaderTable, at: number, context: TraceContext): boolean {
  const line = context.line.bytes;
  for (let index = 0; index < traceIdLength; index++) {
    if (line[TraceparentAt.traceId + index] !== bytes[at + traceIdAt + index]) return false;
  }
  return isId(bytes, at + spanIdAt, spanIdLength);
}

/** Leaves exactly one field, with the ids and flags of the context; in place of a received one of our form. */
export function writeTraceparent(headers: HeaderTable, context: TraceContext): void {
  const { line } = context;
  const flags = (context.isSampled ? sampledFlag : 0) | (context.hasRandomFlag ? randomFlag : 0);
  line.bytes[TraceparentAt.flags + 1] = hexDigit[flags]!;
  const row = headers.findId(HeaderId.traceparent);
  const at = row < 0 ? -1 : headers.valueStart(row);
  if (at < 0 || headers.valueEnd(row) - at !== valueLength || headers.findId(HeaderId.traceparent, row + 1) >= 0) {
    headers.removeId(HeaderId.traceparent);
    headers.appendLine(line);
    return;
  }
  const { bytes } = headers;
  // The trace id stands there already when it was taken from there.
  const from = at === context.traceparentAt ? spanIdAt : 0;
  for (let index = from; index < valueLength; index++) bytes[at + index] = line.bytes[valueInLine + index]!;
  bytes[at] = digitZero;
  bytes[at + 1] = digitZero;
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

/** All but the ids. */
function hasForm(bytes: Uint8Array, at: number, end: number): boolean {
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
  return (hexValue[bytes[at + flagsAt]!]! | hexValue[bytes[at + flagsAt + 1]!]!) < notHex;
}

/** Whether it is an id, see `isId`. */
function takeId(bytes: Uint8Array, from: number, target: Uint8Array, at: number, length: number): boolean {
  let bits = 0;
  for (let index = 0; index < length; index++) {
    const digit = bytes[from + index]!;
    target[at + index] = digit;
    bits |= hexValue[digit]!;
  }
  return bits !== 0 && bits < notHex;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09;
}

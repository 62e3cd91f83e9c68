// Reads B3, as one field (`b3`) and as several (`x-b3-…`). The one field wins where both are right.
// https://github.com/openzipkin/b3-propagation

import { HeaderId, lowerCase } from '../http/header-name.ts';
import { type HeaderTable, headerIdSet } from '../http/header-table.ts';
import { hexValue, notHex } from './hex-digits.ts';
import { ParentDecision, spanIdLength, type TraceContext, TraceparentAt, traceIdLength } from './trace-context.ts';

/** What a request says in B3. Offsets are into the bytes of its headers; -1 when it brings no ids. */
export interface ReceivedB3 {
  traceIdAt: number;
  /** 16 or 32. */
  traceIdLength: number;
  spanIdAt: number;
  decision: ParentDecision;
}

/**
 * Reads both forms; a malformed one counts for nothing. The object is one for all requests: what it says holds until the
 * next call.
 */
export function findB3(headers: HeaderTable): ReceivedB3 {
  clear();
  if (!headers.mayHave(b3Ids) || readSingle(headers)) return received;
  clear();
  if (!readMulti(headers)) clear();
  return received;
}

/** Takes the ids that `findB3` found, a 64-bit trace id padded to 128 bits. */
export function takeB3Ids({ bytes }: HeaderTable, from: ReceivedB3, context: TraceContext): void {
  const line = context.line.bytes;
  const padding = traceIdLength - from.traceIdLength;
  let at: number = TraceparentAt.traceId;
  for (let index = 0; index < padding; index++) line[at++] = digitZero;
  for (let index = 0; index < from.traceIdLength; index++) line[at++] = lowerCase[bytes[from.traceIdAt + index]!]!;
  for (let index = 0; index < spanIdLength; index++) {
    context.parentSpanId[index] = lowerCase[bytes[from.spanIdAt + index]!]!;
  }
  context.hasParent = true;
  context.has64BitId = padding > 0;
}

const received: ReceivedB3 = { traceIdAt: -1, traceIdLength: 0, spanIdAt: -1, decision: ParentDecision.absent };

const b3Ids = headerIdSet([
  HeaderId.b3,
  HeaderId.xB3Traceid,
  HeaderId.xB3Spanid,
  HeaderId.xB3Sampled,
  HeaderId.xB3Flags,
]);

const shortTraceIdLength = 16;
const dash = 0x2d;
const digitZero = 0x30;
const digitOne = 0x31;
const letterD = 0x64;
const trueBytes = Buffer.from('true', 'latin1');
const falseBytes = Buffer.from('false', 'latin1');

function clear(): void {
  received.traceIdAt = -1;
  received.traceIdLength = 0;
  received.spanIdAt = -1;
  received.decision = ParentDecision.absent;
}

/** `<trace>-<span>[-<state>[-<parent>]]`, or the state alone. */
function readSingle(headers: HeaderTable): boolean {
  const row = headers.findId(HeaderId.b3);
  if (row < 0 || headers.findId(HeaderId.b3, row + 1) >= 0) return false;
  const { bytes } = headers;
  const end = headers.valueEnd(row);
  const start = headers.valueStart(row);
  received.decision = stateOf(headers, row);
  if (received.decision !== ParentDecision.absent) return true;
  const idLength = bytes[start + shortTraceIdLength] === dash ? shortTraceIdLength : traceIdLength;
  const spanIdAt = start + idLength + 1;
  if (spanIdAt + spanIdLength > end || bytes[spanIdAt - 1] !== dash) return false;
  if (!isLenientId(bytes, start, idLength) || !isLenientId(bytes, spanIdAt, spanIdLength)) return false;
  received.traceIdAt = start;
  received.traceIdLength = idLength;
  received.spanIdAt = spanIdAt;
  return readState(bytes, spanIdAt + spanIdLength, end);
}

/** What follows the ids in a single field, from the dash on. */
function readState(bytes: Uint8Array, at: number, end: number): boolean {
  if (at === end) return true;
  if (bytes[at] !== dash || at + 2 > end) return false;
  received.decision = decisionOf(bytes[at + 1]!);
  if (received.decision === ParentDecision.absent) return false;
  if (at + 2 === end) return true;
  const parentAt = at + 3;
  return bytes[parentAt - 1] === dash && parentAt + spanIdLength === end && isLenientId(bytes, parentAt, spanIdLength);
}

/** An empty field is one that is not there; an id without the other is none. */
function readMulti(headers: HeaderTable): boolean {
  const traceId = onlyRow(headers, HeaderId.xB3Traceid);
  const spanId = onlyRow(headers, HeaderId.xB3Spanid);
  const sampled = onlyRow(headers, HeaderId.xB3Sampled);
  const flags = onlyRow(headers, HeaderId.xB3Flags);
  if (traceId === repeated || spanId === repeated || sampled === repeated || flags === repeated) return false;
  const { bytes } = headers;
  if (sampled >= 0) received.decision = stateOf(headers, sampled);
  if (flags >= 0 && lengthOf(headers, flags) === 1 && bytes[headers.valueStart(flags)] === digitOne) {
    received.decision = ParentDecision.debug;
  }
  if (traceId < 0 || spanId < 0) return true;
  const idLength = lengthOf(headers, traceId);
  if (idLength !== shortTraceIdLength && idLength !== traceIdLength) return false;
  const traceIdAt = headers.valueStart(traceId);
  const spanIdAt = headers.valueStart(spanId);
  if (lengthOf(headers, spanId) !== spanIdLength) return false;
  if (!isLenientId(bytes, traceIdAt, idLength) || !isLenientId(bytes, spanIdAt, spanIdLength)) return false;
  received.traceIdAt = traceIdAt;
  received.traceIdLength = idLength;
  received.spanIdAt = spanIdAt;
  return true;
}

const missing = -1;
const repeated = -2;

/** The one row that is not empty. */
function onlyRow(headers: HeaderTable, id: HeaderId): number {
  let found = missing;
  for (let row = headers.findId(id); row >= 0; row = headers.findId(id, row + 1)) {
    if (lengthOf(headers, row) === 0) continue;
    if (found >= 0) return repeated;
    found = row;
  }
  return found;
}

function lengthOf(headers: HeaderTable, row: number): number {
  return headers.valueEnd(row) - headers.valueStart(row);
}

/** The state that is the whole value; older tracers spell it as a word. */
function stateOf(headers: HeaderTable, row: number): ParentDecision {
  if (lengthOf(headers, row) === 1) return decisionOf(headers.bytes[headers.valueStart(row)]!);
  if (headers.valueEquals(row, trueBytes)) return ParentDecision.sampled;
  if (headers.valueEquals(row, falseBytes)) return ParentDecision.notSampled;
  return ParentDecision.absent;
}

function decisionOf(state: number): ParentDecision {
  if (state === digitOne) return ParentDecision.sampled;
  if (state === digitZero) return ParentDecision.notSampled;
  return state === letterD ? ParentDecision.debug : ParentDecision.absent;
}

/** Ids in capitals are not right, but tracers that write them exist: they are told on in lower case. */
function isLenientId(bytes: Uint8Array, at: number, length: number): boolean {
  let bits = 0;
  for (let index = at; index < at + length; index++) bits |= hexValue[lowerCase[bytes[index]!]!]!;
  return bits !== 0 && bits < notHex;
}

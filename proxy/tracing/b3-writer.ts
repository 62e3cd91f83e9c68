// Writes B3 in the forms that the next hop is to get. A request without ids gets none: an empty id is never sent.
// https://github.com/openzipkin/b3-propagation

import { HeaderId } from '../http/header-name.ts';
import { type EncodedLine, encodeLine, type HeaderTable, headerIdSet } from '../http/header-table.ts';
import {
  ParentDecision,
  spanIdLength,
  type TraceContext,
  TraceFormat,
  TraceparentAt,
  traceIdLength,
} from './trace-context.ts';

/**
 * Leaves ids and decision in the formats of `sentFormats`, and nothing else of B3. With `isAttempt` the span is
 * `attemptSpanId` and its parent the context's own. A span that shares its id with the caller's tells no parent: that would
 * be itself.
 */
export function writeB3(headers: HeaderTable, context: TraceContext, isAttempt: boolean): void {
  headers.removeAny(b3Ids);
  if ((context.sentFormats & (TraceFormat.b3 | TraceFormat.b3Multi)) === 0) return;
  const isShared = prepareIds(context, isAttempt);
  const is64Bit = context.has64BitId;
  const hasParent = (isAttempt || context.hasParent) && !isShared;
  if ((context.sentFormats & TraceFormat.b3) !== 0) appendSingle(headers, context, hasParent);
  if ((context.sentFormats & TraceFormat.b3Multi) === 0) return;
  headers.appendLine(fill(is64Bit ? shortTraceIdLine : traceIdLine, is64Bit ? shortTraceId : traceId, traceIdName));
  headers.appendLine(fill(spanIdLine, spanId, spanIdName));
  if (hasParent) headers.appendLine(fill(parentIdLine, parentId, parentIdName));
  // Debug says that it is sampled: to say so again is forbidden.
  if (context.parentDecision === ParentDecision.debug) headers.appendLine(debugLine);
  else headers.appendLine(context.isSampled ? sampledLine : notSampledLine);
}

const b3Ids = headerIdSet([
  HeaderId.b3,
  HeaderId.xB3Traceid,
  HeaderId.xB3Spanid,
  HeaderId.xB3Parentspanid,
  HeaderId.xB3Sampled,
  HeaderId.xB3Flags,
]);

// Ids of the request that is written, and lines to put them into: one set for all requests, as a table copies.
const shortTraceIdLength = 16;
const traceId = new Uint8Array(traceIdLength);
const shortTraceId = traceId.subarray(traceIdLength - shortTraceIdLength);
const spanId = new Uint8Array(spanIdLength);
const parentId = new Uint8Array(spanIdLength);

const traceIdName = 'x-b3-traceid';
const spanIdName = 'x-b3-spanid';
const parentIdName = 'x-b3-parentspanid';
const traceIdLine = encodeLine(traceIdName, '0'.repeat(traceIdLength));
const shortTraceIdLine = encodeLine(traceIdName, '0'.repeat(shortTraceIdLength));
const spanIdLine = encodeLine(spanIdName, '0'.repeat(spanIdLength));
const parentIdLine = encodeLine(parentIdName, '0'.repeat(spanIdLength));
const sampledLine = encodeLine('x-b3-sampled', '1');
const notSampledLine = encodeLine('x-b3-sampled', '0');
const debugLine = encodeLine('x-b3-flags', '1');

const singleName = 'b3';
const shortIds = `${'0'.repeat(shortTraceIdLength)}-${'0'.repeat(spanIdLength)}-0`;
const longIds = `${'0'.repeat(traceIdLength)}-${'0'.repeat(spanIdLength)}-0`;
const parentPart = `-${'0'.repeat(spanIdLength)}`;
const singleLines = {
  short: { root: encodeLine(singleName, shortIds), child: encodeLine(singleName, shortIds + parentPart) },
  long: { root: encodeLine(singleName, longIds), child: encodeLine(singleName, longIds + parentPart) },
};
const digitZero = 0x30;
const digitOne = 0x31;
const letterD = 0x64;

/** Whether the span has the id of its parent. */
function prepareIds(context: TraceContext, isAttempt: boolean): boolean {
  const line = context.line.bytes;
  for (let index = 0; index < traceIdLength; index++) traceId[index] = line[TraceparentAt.traceId + index]!;
  const { attemptSpanId, parentSpanId } = context;
  let difference = 0;
  for (let index = 0; index < spanIdLength; index++) {
    const own = line[TraceparentAt.spanId + index]!;
    spanId[index] = isAttempt ? attemptSpanId[index]! : own;
    parentId[index] = isAttempt ? own : parentSpanId[index]!;
    difference |= spanId[index]! ^ parentId[index]!;
  }
  return difference === 0;
}

function appendSingle(headers: HeaderTable, context: TraceContext, hasParent: boolean): void {
  const lines = context.has64BitId ? singleLines.short : singleLines.long;
  const line = hasParent ? lines.child : lines.root;
  const { bytes } = line;
  let at = put(bytes, singleName.length + 2, context.has64BitId ? shortTraceId : traceId);
  at = put(bytes, at + 1, spanId) + 1;
  if (context.parentDecision === ParentDecision.debug) bytes[at] = letterD;
  else bytes[at] = context.isSampled ? digitOne : digitZero;
  if (hasParent) put(bytes, at + 2, parentId);
  headers.appendLine(line);
}

function fill(line: EncodedLine, id: Uint8Array, name: string): EncodedLine {
  put(line.bytes, name.length + 2, id);
  return line;
}

/** Returns the offset behind the id. */
function put(bytes: Uint8Array, at: number, id: Uint8Array): number {
  for (let index = 0; index < id.length; index++) bytes[at + index] = id[index]!;
  return at + id.length;
}

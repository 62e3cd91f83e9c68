// The way of a trace through this hop: what arrived is taken out of the headers, ids are made, and the next hop is told.
// Every hop tells the ids, whether the request is kept or not: whoever keeps one later has ids that join.
//
// A request that brings nothing, or a plain `traceparent`, is read and written without a string and without an object.

import { HeaderId } from '../http/header-name.ts';
import { type HeaderTable, headerIdSet } from '../http/header-table.ts';
import { findB3, type ReceivedB3, takeB3Ids } from './b3-reader.ts';
import { writeB3 } from './b3-writer.ts';
import type { RandomDigits } from './random-digits.ts';
import {
  ParentDecision,
  spanIdLength,
  type TraceContext,
  TraceFormat,
  TraceparentAt,
  traceIdLength,
} from './trace-context.ts';
import { readTraceState, writeTraceState } from './trace-state.ts';
import {
  findTraceparent,
  hasRandomFlag,
  isSameTrace,
  replaceSpanId,
  takeTraceparent,
  writeTraceparent,
} from './w3c.ts';

/**
 * Fills the context, which is new, with what the request brings. For a provider that writes B3, as Zipkin's, B3 comes before W3C, for any other
 * behind it: the first that has ids gives them, and the first that says so gives the decision. B3's debug counts wherever
 * it stands.
 */
export function extract(headers: HeaderTable, context: TraceContext, providerFormats: number): void {
  if (!headers.mayHave(traceIds)) return;
  context.formats = formatsOf(headers);
  if (context.formats === 0) return;
  const at = findTraceparent(headers);
  const comesFirst = (providerFormats & anyB3) === 0;
  let isItsOwn = comesFirst && at >= 0 && takeTraceparent(headers, at, context);
  if ((context.formats & anyB3) !== 0) takeB3(headers, findB3(headers), context);
  if (!comesFirst && at >= 0) {
    isItsOwn = context.hasParent ? isSameTrace(headers, at, context) : takeTraceparent(headers, at, context);
  }
  // Random flag and tracestate are of the trace that `traceparent` names.
  if (!isItsOwn) return;
  context.hasRandomFlag = hasRandomFlag(headers, at);
  if (headers.findId(HeaderId.tracestate) >= 0) readTraceState(headers, context);
}

/** A span id of our own, and where no trace arrived a trace id. `is64Bit`: half of a new trace id is zeros, as Zipkin's. */
export function beginIds(context: TraceContext, random: RandomDigits, is64Bit = false): void {
  const { line, lineView } = context;
  random.write(lineView, TraceparentAt.spanId, spanIdLength);
  if (context.hasParent) return;
  context.hasRandomFlag = true;
  context.has64BitId = is64Bit;
  const zeros = is64Bit ? traceIdLength / 2 : 0;
  // Asked for nothing, the call still costs 60 ns.
  if (zeros > 0) line.bytes.fill(digitZero, TraceparentAt.traceId, TraceparentAt.traceId + zeros);
  random.write(lineView, TraceparentAt.traceId + zeros, traceIdLength - zeros);
}

/**
 * Tells the next hop: ids, `isSampled`, `sentThreshold` and `sentChain` of the context, in the formats that arrived and in
 * those of the provider.
 */
export function inject(context: TraceContext, headers: HeaderTable, providerFormats: number): void {
  context.sentFormats = context.formats | providerFormats;
  if ((context.sentFormats & TraceFormat.w3c) !== 0) {
    writeTraceparent(headers, context);
    writeTraceState(headers, context);
  } else {
    headers.removeId(HeaderId.tracestate);
  }
  writeB3(headers, context, false);
}

/**
 * After `inject`: the attempt that begins is a span of its own, a child of the request's. Its id is in `attemptSpanId` and
 * replaces the one that was told.
 */
export function renewSpanId(context: TraceContext, headers: HeaderTable, random: RandomDigits): void {
  renewAttemptId(context, random);
  if ((context.sentFormats & TraceFormat.w3c) !== 0) replaceSpanId(headers, context.attemptSpanId);
  if ((context.sentFormats & anyB3) !== 0) writeB3(headers, context, true);
}

/** As `renewSpanId`, where headers are left as they came. */
export function renewAttemptId(context: TraceContext, random: RandomDigits): void {
  random.write(context.attemptView, 0, spanIdLength);
}

/** After `inject`: the chain is another one, or none. */
export function tellChain(context: TraceContext, headers: HeaderTable, chain: string): void {
  context.sentChain = chain;
  // What stands in the headers is ours by now.
  context.keepsState = false;
  if ((context.sentFormats & TraceFormat.w3c) !== 0) writeTraceState(headers, context);
}

const multiIds = headerIdSet([HeaderId.xB3Traceid, HeaderId.xB3Spanid, HeaderId.xB3Sampled, HeaderId.xB3Flags]);
const traceIds = headerIdSet([
  HeaderId.traceparent,
  HeaderId.b3,
  HeaderId.xB3Traceid,
  HeaderId.xB3Spanid,
  HeaderId.xB3Sampled,
  HeaderId.xB3Flags,
]);
const anyB3 = TraceFormat.b3 | TraceFormat.b3Multi;
const digitZero = 0x30;

/** Of which fields are there, malformed ones too: a hop before us speaks that language. */
function formatsOf(headers: HeaderTable): number {
  let formats = 0;
  if (headers.findId(HeaderId.traceparent) >= 0) formats |= TraceFormat.w3c;
  if (headers.findId(HeaderId.b3) >= 0) formats |= TraceFormat.b3;
  if (headers.hasAny(multiIds)) formats |= TraceFormat.b3Multi;
  return formats;
}

function takeB3(headers: HeaderTable, b3: ReceivedB3, context: TraceContext): void {
  if (b3.decision === ParentDecision.debug || context.parentDecision === ParentDecision.absent) {
    context.parentDecision = b3.decision;
  }
  if (!context.hasParent && b3.traceIdAt >= 0) takeB3Ids(headers, b3, context);
}

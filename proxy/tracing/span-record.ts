// One kept request as it goes to the main thread: what stage 2 of sampling asks for, and the spans as the OTLP messages that they
// will be. The main thread adds the `trace_state` (and the reason `rare`) behind what stands here: the order of fields is
// free in protobuf. Little endian:
//
//   u32  length of what follows
//   u8   index of the provider
//   u8   `SamplingReason`
//   u8   `RecordFlag` bits
//   u8   number of spans
//   u32  slot of the key
//   u32  hash of the kind of error; 0 without one
//   14   R, digits
//   14   threshold of the head decision, or what of stage 2 a request has passed that this did not choose, digits; meaningless
//        without `knowsThreshold`
//   u16  length, then: other keys of the `ot` member (`rv:…;k:v`, without `th`), a line break, other members, joined by commas
//   and by span: u32 length, then an `opentelemetry.proto.trace.v1.Span`. The first is that of the request.

import type { RequestTrace } from './request-trace.ts';
import type { SpanWriter } from './span-writer.ts';
import { randomLength, type TraceContext } from './trace-context.ts';

export const RecordFlag = {
  knowsThreshold: 1,
  /** Chosen before the outcome was known. */
  isHeadKept: 2,
  /** The first of its kind of errors for ten seconds, in this worker. */
  isNewSignature: 4,
  /** The first span has the id of the caller's span, as Zipkin's shared spans. */
  sharesSpanId: 8,
} as const;

/** What stands in a record beside the trace: one object, refilled for each. */
export interface RecordFacts {
  provider: number;
  spanCount: number;
  signature: number;
  isNewSignature: boolean;
}

/** Writes all but the spans. Returns what `writer.endLength32` is given behind the last of them. */
export function beginRecord(writer: SpanWriter, trace: RequestTrace, facts: RecordFacts): number {
  const start = writer.beginLength32();
  writer.byte(facts.provider);
  writer.byte(trace.reason);
  writer.byte(
    (trace.hasThreshold ? RecordFlag.knowsThreshold : 0) |
      (trace.isHeadKept ? RecordFlag.isHeadKept : 0) |
      (facts.isNewSignature ? RecordFlag.isNewSignature : 0) |
      (trace.sharesSpanId ? RecordFlag.sharesSpanId : 0),
  );
  writer.byte(facts.spanCount);
  writer.uint32(trace.keySlot);
  writer.uint32(facts.signature);
  writer.raw(trace.random, 0, randomLength);
  writer.raw(trace.threshold, 0, randomLength);
  writeState(writer, trace.context);
  return start;
}

// Bytes of headers, and no more of them than a sensible list has: the recommendation asks for 512 to be carried.
function writeState(writer: SpanWriter, { randomValue, otherOt, otherState }: TraceContext): void {
  const rv = randomValue === '' ? '' : `rv:${randomValue}`;
  const ot = `${rv}${rv === '' || otherOt === '' ? '' : ';'}${otherOt}`;
  const state = `${ot}\n${otherState.length > longestState ? '' : otherState}`;
  writer.uint16(state.length);
  writer.reserve(state.length);
  writer.used += writer.bytes.latin1Write(state, writer.used);
}

const longestState = 4096;

// Records of kept requests as workers write them, made of plain descriptions.

import type { SpanRecord } from '../../proxy/export/span-record-reader.ts';
import { SamplingReason } from '../../proxy/tracing/sampling-reason.ts';
import { RecordFlag } from '../../proxy/tracing/span-record.ts';
import { SpanWriter } from '../../proxy/tracing/span-writer.ts';
import { encodeOtlp } from './otlp-messages.ts';

export interface RecordShape {
  readonly provider?: number;
  readonly reason?: SamplingReason;
  readonly flags?: number;
  readonly keySlot?: number;
  readonly signature?: number;
  /** The last 14 digits of the trace id by default. */
  readonly random?: string;
  readonly threshold?: string;
  /** Other keys of `ot`, a line break, other members. */
  readonly state?: string;
  readonly spans?: readonly SpanShape[];
}

export interface SpanShape {
  readonly traceId?: string;
  readonly spanId?: string;
  readonly parentSpanId?: string;
  readonly name?: string;
  /** 2 is a server's, 3 a client's. */
  readonly kind?: number;
  readonly startNs?: bigint;
  readonly endNs?: bigint;
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
  readonly events?: readonly { readonly name: string; readonly timeNs: bigint }[];
  /** An error with this message; empty is one without. */
  readonly error?: string;
}

export const someTraceId = '0af7651916cd43dd8448eb211c80319c';

export function encodeSpan(shape: SpanShape = {}): Uint8Array {
  const { traceId = someTraceId, spanId = 'b7ad6b7169203331', parentSpanId = '', name = 'GET /a', kind = 2 } = shape;
  const {
    startNs = 1_760_000_000_000_000_000n,
    endNs = startNs + 12_000_000n,
    attributes = {},
    events = [],
    error,
  } = shape;
  return encodeOtlp('Span', {
    traceId: Buffer.from(traceId, 'hex'),
    spanId: Buffer.from(spanId, 'hex'),
    parentSpanId: Buffer.from(parentSpanId, 'hex'),
    name,
    kind,
    startTimeUnixNano: `${startNs}`,
    endTimeUnixNano: `${endNs}`,
    attributes: Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) })),
    events: events.map((event) => ({ name: event.name, timeUnixNano: `${event.timeNs}` })),
    ...(error !== undefined && { status: { code: 2, message: error } }),
  });
}

/** What a record says, as a plain object. */
export function factsOf(record: SpanRecord) {
  const { provider, reason, isHeadKept, isSignatureNew, sharesSpanId, keySlot, signature } = record;
  const { random, threshold, ot, otherState, spans } = record;
  return {
    ...{ provider, reason, isHeadKept, isSignatureNew, sharesSpanId, keySlot, signature },
    ...{ random, threshold, ot, otherState, spans },
  };
}

export type ReadFacts = ReturnType<typeof factsOf>;

/** One batch with these records. */
export function encodeRecords(...records: readonly RecordShape[]): Uint8Array<ArrayBuffer> {
  const writer = new SpanWriter(16);
  for (const record of records) writeRecord(writer, record);
  return new Uint8Array(writer.bytes.subarray(0, writer.used));
}

function writeRecord(writer: SpanWriter, shape: RecordShape): void {
  const { spans = [{}], state = '\n', threshold, provider = 0, reason = SamplingReason.head } = shape;
  const { random = (spans[0]?.traceId ?? someTraceId).slice(-14), keySlot = 0, signature = 0 } = shape;
  const { flags = threshold === undefined ? 0 : RecordFlag.knowsThreshold } = shape;
  const start = writer.beginLength32();
  for (const byte of [provider, reason, flags, spans.length]) writer.byte(byte);
  writer.uint32(keySlot);
  writer.uint32(signature);
  for (const digits of [random, threshold ?? '0'.repeat(14)]) writer.raw(Buffer.from(digits), 0, 14);
  writer.uint16(state.length);
  writer.raw(Buffer.from(state, 'latin1'), 0, state.length);
  for (const span of spans) {
    const at = writer.beginLength32();
    const bytes = encodeSpan(span);
    writer.raw(bytes, 0, bytes.length);
    writer.endLength32(at);
  }
  writer.endLength32(start);
}

function anyValue(value: string | number | boolean): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: value } : { doubleValue: value };
}

// Numbers of the fields of OTLP's spans that are written here.
// https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto

/** `opentelemetry.proto.trace.v1.Span`, but for `trace_state` (3), which the main thread adds. */
export const SpanField = {
  traceId: 1,
  spanId: 2,
  parentSpanId: 4,
  name: 5,
  kind: 6,
  startTime: 7,
  endTime: 8,
  attributes: 9,
  events: 11,
  status: 15,
  flags: 16,
} as const;

/** `Span.Event` */
export const EventField = { time: 1, name: 2, attributes: 3 } as const;

/** `Status` */
export const StatusField = { message: 2, code: 3 } as const;

export const SpanKind = { server: 2, client: 3 } as const;
export type SpanKind = (typeof SpanKind)[keyof typeof SpanKind];

/** `StatusCode.STATUS_CODE_ERROR` */
export const errorStatus = 2;

/** `SpanFlags`: beside the flags of the trace, whether it is known that the parent is of another process, and that it is. */
export const SpanFlag = { sampled: 0x01, random: 0x02, knowsRemote: 0x100, isRemote: 0x200 } as const;

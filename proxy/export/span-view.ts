// What an encoded OTLP span says, for those few who look into it: Zipkin, the admin page, exemplars.

import { ProtobufReader, WireType } from './protobuf-reader.ts';

export interface SpanView {
  /** Lower-case hex; the parent is empty for a root. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  /** `SpanKind` of OTLP. */
  readonly kind: number;
  /** Nanoseconds since 1970. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** The last value of a key. Lists and maps, which no worker writes, are left out. */
  readonly attributes: ReadonlyMap<string, string | number | boolean>;
  readonly events: readonly { readonly name: string; readonly timeNs: bigint }[];
  /** The message of its status, empty when there is none; null when it is no error. */
  readonly error: string | null;
}

/** Null when the bytes are no span. */
export function readSpan(bytes: Uint8Array): SpanView | null {
  const span = { traceId: '', spanId: '', parentSpanId: '', name: '', kind: 0, startNs: 0n, endNs: 0n };
  const attributes = new Map<string, string | number | boolean>();
  const events: { name: string; timeNs: bigint }[] = [];
  let error: string | null = null;
  const fields = new ProtobufReader(bytes);
  while (fields.next()) {
    switch (fields.field) {
      case 1:
        span.traceId = hexOf(fields);
        break;
      case 2:
        span.spanId = hexOf(fields);
        break;
      case 4:
        span.parentSpanId = hexOf(fields);
        break;
      case 5:
        span.name = textOf(fields);
        break;
      case 6:
        span.kind = Number(fields.value);
        break;
      case 7:
        span.startNs = fields.value;
        break;
      case 8:
        span.endNs = fields.value;
        break;
      case 9:
        if (fields.wireType === WireType.bytes) readAttribute(fields.message(), attributes);
        break;
      case 11:
        if (fields.wireType === WireType.bytes) events.push(readEvent(fields.message()));
        break;
      case 15:
        if (fields.wireType === WireType.bytes) error = readError(fields.message());
    }
  }
  return fields.isDamaged ? null : { ...span, attributes, events, error };
}

function hexOf(field: ProtobufReader): string {
  return field.wireType === WireType.bytes ? Buffer.from(field.contents).toString('hex') : '';
}

function textOf(field: ProtobufReader): string {
  return field.wireType === WireType.bytes ? field.text : '';
}

function readAttribute(pair: ProtobufReader, attributes: Map<string, string | number | boolean>): void {
  let key = '';
  let value: string | number | boolean | null = null;
  while (pair.next()) {
    if (pair.wireType !== WireType.bytes) continue;
    if (pair.field === 1) key = pair.text;
    else if (pair.field === 2) value = readValue(pair.message());
  }
  if (value !== null) attributes.set(key, value);
}

/** Of an `AnyValue`. */
function readValue(any: ProtobufReader): string | number | boolean | null {
  let value: string | number | boolean | null = null;
  while (any.next()) {
    if (any.field === 1) value = textOf(any);
    else if (any.field === 2) value = any.value !== 0n;
    else if (any.field === 3) value = Number(BigInt.asIntN(64, any.value));
    else if (any.field === 4 && any.wireType === WireType.fixed64) value = any.double;
  }
  return value;
}

function readEvent(event: ProtobufReader): { name: string; timeNs: bigint } {
  let name = '';
  let timeNs = 0n;
  while (event.next()) {
    if (event.field === 1) timeNs = event.value;
    else if (event.field === 2) name = textOf(event);
  }
  return { name, timeNs };
}

function readError(status: ProtobufReader): string | null {
  let isError = false;
  let message = '';
  while (status.next()) {
    if (status.field === 2) message = textOf(status);
    else if (status.field === 3) isError = status.value === statusError;
  }
  return isError ? message : null;
}

/** `STATUS_CODE_ERROR` */
const statusError = 2n;

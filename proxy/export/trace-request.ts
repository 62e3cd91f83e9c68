// An `ExportTraceServiceRequest` that grows span by span, without looking into them: what a worker wrote is copied once, into the
// bytes that are sent, with `trace_state` behind it, and all that is around it are lengths. See "Spans: SDK or direct" in
// bench/FINDINGS.md.
// https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto

import { bytesField, fieldHeadLength, textField, writeFieldHead } from './protobuf-field.ts';
import { ProtobufReader, WireType } from './protobuf-reader.ts';

/** Fields of `Span`. */
const traceStateNumber = 3;
const attributesField = 9;
/** `ResourceSpans.resource`, `ScopeSpans.scope`, and what they have many of. */
const describedBy = 1;
const contained = 2;
const resourceSpansField = 1;

/** One record, or as many of its spans as there are. */
export interface RequestSpans {
  /** Here, from `spansStart` to `end`, is each span behind its length (u32, little endian). */
  readonly bytes: Buffer;
  readonly spansStart: number;
  readonly end: number;
}

/** A whole field of `Span`. An empty state is not written. */
export function traceStateField(text: string): Uint8Array {
  return text === '' ? noField : textField(traceStateNumber, text);
}

const noField = new Uint8Array();

/** How many bytes these spans have in a request. */
export function requestBytes({ bytes, spansStart, end }: RequestSpans, stateBytes: number): number {
  let total = 0;
  for (let at = spansStart; at < end; ) {
    const length = bytes.readUInt32LE(at);
    at += 4 + length;
    total += fieldHeadLength(length + stateBytes) + length + stateBytes;
  }
  return total;
}

/** What is before the spans: tag and length of two messages, which are known at the end and stand right before them. */
const headRoom = 2 * (1 + 5);
const firstBytes = 16 * 1024;
/** Of what is needed is added when a request grows: a collector that does not answer has this beside the bound of its queue. */
const spareShare = 0.25;

export class TraceRequest {
  #bytes: Buffer;
  #used = headRoom;

  /** `bytes` are written over: those of a request that nobody needs any more. */
  constructor(bytes: Buffer = Buffer.allocUnsafeSlow(firstBytes)) {
    this.#bytes = bytes;
  }

  /** Every span gets `state`, of `traceStateField`. `total` is what `requestBytes` said. */
  add({ bytes, spansStart, end }: RequestSpans, state: Uint8Array, total: number): void {
    this.#reserve(total);
    const request = this.#bytes;
    let at = this.#used;
    for (let from = spansStart; from < end; ) {
      const length = bytes.readUInt32LE(from);
      const start = from + 4;
      from = start + length;
      at = writeFieldHead(request, at, contained, length + state.length);
      bytes.copy(request, at, start, from);
      at += length;
      for (let index = 0; index < state.length; index++) request[at++] = state[index]!;
    }
    this.#used = at;
  }

  /** The whole request. `resource` and `scope` are messages; they stand behind the spans, as the order of fields is free. */
  finish(resource: Uint8Array, scope: Uint8Array): Uint8Array {
    const scopeField = bytesField(describedBy, scope);
    const resourceField = bytesField(describedBy, resource);
    this.#reserve(scopeField.length + resourceField.length);
    const bytes = this.#bytes;
    bytes.set(scopeField, this.#used);
    const scopeSpans = this.#used + scopeField.length - headRoom;
    bytes.set(resourceField, headRoom + scopeSpans);
    const resourceSpans = fieldHeadLength(scopeSpans) + scopeSpans + resourceField.length;
    const start = headRoom - fieldHeadLength(scopeSpans) - fieldHeadLength(resourceSpans);
    writeFieldHead(bytes, writeFieldHead(bytes, start, resourceSpansField, resourceSpans), contained, scopeSpans);
    return bytes.subarray(start, headRoom + scopeSpans + resourceField.length);
  }

  /** What another request may be written into when nobody reads this one any more. */
  get memory(): Buffer {
    return this.#bytes;
  }

  #reserve(extra: number): void {
    const needed = this.#used + extra;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.ceil(needed * (1 + spareShare)));
    this.#bytes.copy(larger, 0, 0, this.#used);
    this.#bytes = larger;
  }
}

/** The span with `value` in the place of an attribute that it has; keys are unique in a span. */
export function withAttribute(span: Uint8Array, key: string, value: string): Uint8Array {
  const fields = new ProtobufReader(span);
  const parts: Uint8Array[] = [];
  let kept = 0;
  while (fields.next()) {
    if (fields.field !== attributesField || fields.wireType !== WireType.bytes) continue;
    if (keyOf(fields.message()) !== key) continue;
    parts.push(span.subarray(kept, fields.tagStart));
    kept = fields.end;
  }
  return Buffer.concat([...parts, span.subarray(kept), spanAttribute(key, value)]);
}

function keyOf(pair: ProtobufReader): string {
  while (pair.next()) if (pair.field === 1 && pair.wireType === WireType.bytes) return pair.text;
  return '';
}

/** One text attribute of a span, a whole field. */
function spanAttribute(key: string, value: string): Uint8Array {
  return bytesField(attributesField, keyValue(key, value));
}

/** A `KeyValue` with a text. */
export function keyValue(key: string, value: string): Uint8Array {
  return Buffer.concat([textField(1, key), bytesField(2, textField(1, value))]);
}

// Puts encoded spans into an `ExportTraceServiceRequest` without looking into them: what a worker wrote is copied once, with
// `trace_state` behind it, and all that is around it are lengths. See "Spans: SDK or direct" in bench/FINDINGS.md.
// https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto

import { bytesField, fieldHead, fieldHeadLength, textField, writeFieldHead } from './protobuf-field.ts';

/** Fields of `Span`. */
const traceStateField = 3;
const attributesField = 9;
/** `ResourceSpans.resource`, `ScopeSpans.scope`, and what they have many of. */
const describedBy = 1;
const contained = 2;
const resourceSpansField = 1;

export interface SpanEnding {
  /** Empty writes none. */
  readonly traceState: string;
  /** Whole fields that stand behind the first span (attributes are repeated fields). */
  readonly firstSpan: Uint8Array;
}

/** The spans of one record as they stand in `ScopeSpans`. */
export function spanFields(spans: readonly Uint8Array[], { traceState, firstSpan }: SpanEnding): Uint8Array {
  const state = traceState === '' ? nothing : textField(traceStateField, traceState);
  let total = 0;
  for (let index = 0; index < spans.length; index++) {
    const length = spans[index]!.length + state.length + (index === 0 ? firstSpan.length : 0);
    total += fieldHeadLength(length) + length;
  }
  const fields = Buffer.allocUnsafeSlow(total);
  let at = 0;
  for (let index = 0; index < spans.length; index++) {
    const span = spans[index]!;
    const more = index === 0 ? firstSpan : nothing;
    at = writeFieldHead(fields, at, contained, span.length + state.length + more.length);
    for (const part of [span, state, more]) {
      fields.set(part, at);
      at += part.length;
    }
  }
  return fields;
}

/** One text attribute of a span, a whole field. */
export function spanAttribute(key: string, value: string): Uint8Array {
  return bytesField(attributesField, keyValue(key, value));
}

/** A `KeyValue` with a text. */
export function keyValue(key: string, value: string): Uint8Array {
  return Buffer.concat([textField(1, key), bytesField(2, textField(1, value))]);
}

/** `resource` and `scope` are messages; `items` come from `spanFields`. */
export function traceRequest(resource: Uint8Array, scope: Uint8Array, items: readonly Uint8Array[]): Uint8Array {
  const scopeField = bytesField(describedBy, scope);
  const resourceField = bytesField(describedBy, resource);
  let scopeSpans = scopeField.length;
  for (const item of items) scopeSpans += item.length;
  const scopeSpansHead = fieldHead(contained, scopeSpans);
  const resourceSpans = resourceField.length + scopeSpansHead.length + scopeSpans;
  const head = fieldHead(resourceSpansField, resourceSpans);
  return Buffer.concat([head, resourceField, scopeSpansHead, scopeField, ...items], head.length + resourceSpans);
}

const nothing = new Uint8Array();

// Puts encoded spans into an `ExportTraceServiceRequest` without looking into them: what a worker wrote is copied once, with
// `trace_state` behind it, and all that is around it are lengths. See "Spans: SDK or direct" in bench/FINDINGS.md.
// https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto

import { bytesField, fieldHead, fieldHeadLength, textField, writeFieldHead } from './protobuf-field.ts';
import { ProtobufReader, WireType } from './protobuf-reader.ts';

/** Fields of `Span`. */
const traceStateField = 3;
const attributesField = 9;
/** `ResourceSpans.resource`, `ScopeSpans.scope`, and what they have many of. */
const describedBy = 1;
const contained = 2;
const resourceSpansField = 1;

/** The spans of one record as they stand in `ScopeSpans`. An empty state is not written. */
export function spanFields(spans: readonly Uint8Array[], traceState: string): Uint8Array {
  const stateField = stateFieldOf(traceState);
  let total = 0;
  for (const span of spans) {
    const length = span.length + stateField.length;
    total += fieldHeadLength(length) + length;
  }
  // Out of Node's pool, of which neighbours leave together: memory of its own for each record was half of all that is done here.
  const fields = Buffer.allocUnsafe(total);
  let at = 0;
  for (const span of spans) {
    at = writeFieldHead(fields, at, contained, span.length + stateField.length);
    fields.set(span, at);
    at += span.length;
    for (let index = 0; index < stateField.length; index++) fields[at++] = stateField[index]!;
  }
  return fields;
}

// That of the span before mostly: of a share of all traces there is one.
function stateFieldOf(traceState: string): Uint8Array {
  if (traceState === '') return noField;
  if (traceState !== lastState.text) {
    lastState.text = traceState;
    lastState.field = textField(traceStateField, traceState);
  }
  return lastState.field;
}

const noField = new Uint8Array();
const lastState: { text: string; field: Uint8Array } = { text: '', field: noField };

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

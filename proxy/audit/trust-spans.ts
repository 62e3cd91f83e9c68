// Spans out of a file: OTLP in JSON, as one document or one a line, as collectors write files.
// https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding

import { TrustAttribute } from '../tracing/trust.ts';
import type { AuditedSpan } from './trust-audit.ts';

/** Text that is not what it should be; the message says where. */
export class SpanFileError extends Error {}

/** All spans of the text. Throws SpanFileError. */
export function readSpans(text: string): readonly AuditedSpan[] {
  const whole = parse(text);
  if (whole !== undefined) return spansOf(whole, 'the document');
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const request = parse(line);
    if (request === undefined) throw new SpanFileError(`line ${index + 1} is not JSON`);
    return spansOf(request, `line ${index + 1}`);
  });
}

/** Any of the messages: what is read of each, unchecked. */
type Tree = {
  readonly [Field in
    | 'resourceSpans'
    | 'resource'
    | 'scopeSpans'
    | 'spans'
    | 'attributes'
    | IdField
    | 'name'
    | 'kind'
    | 'key'
    | 'value'
    | 'stringValue']?: unknown;
};
type IdField = 'traceId' | 'spanId' | 'parentSpanId';

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The caller says where, and knows whether it was a document or a line.
    return undefined;
  }
}

function spansOf(request: unknown, where: string): AuditedSpan[] {
  if (!isTree(request) || !Array.isArray(request.resourceSpans)) {
    throw new SpanFileError(`${where} has no resourceSpans: it is not an export of traces in OTLP's JSON`);
  }
  return listOf(request, 'resourceSpans').flatMap((group) => {
    const service = attributesOf(group.resource).get('service.name') ?? '';
    return listOf(group, 'scopeSpans').flatMap((scope) =>
      listOf(scope, 'spans').map((span) => spanOf(span, service, where)),
    );
  });
}

function spanOf(span: Tree, service: string, where: string): AuditedSpan {
  const attributes = attributesOf(span);
  const attribute = (name: string) => attributes.get(name) ?? '';
  return {
    traceId: idOf(span, 'traceId', 32, where),
    spanId: idOf(span, 'spanId', 16, where),
    parentSpanId: stringOf(span.parentSpanId) === '' ? '' : idOf(span, 'parentSpanId', 16, where),
    name: stringOf(span.name),
    service,
    kind: kindOf(span.kind),
    transport: attribute(TrustAttribute.transport),
    issuer: attribute(TrustAttribute.issuer),
    peerId: attribute(TrustAttribute.peerId),
    ownId: attribute(TrustAttribute.ownId),
    certHash: attribute(TrustAttribute.certHash),
    chain: attribute(TrustAttribute.chain),
  };
}

function idOf(span: Tree, field: IdField, length: number, where: string): string {
  const id = stringOf(span[field]).toLowerCase();
  if (id.length !== length || !/^[0-9a-f]+$/.test(id)) {
    throw new SpanFileError(`${where} has a span whose ${field} is not ${length} hexadecimal digits`);
  }
  return id;
}

function kindOf(kind: unknown): AuditedSpan['kind'] {
  if (kind === 2 || kind === 'SPAN_KIND_SERVER') return 'server';
  return kind === 3 || kind === 'SPAN_KIND_CLIENT' ? 'client' : 'other';
}

/** Values that are strings, by key; where a key is repeated the last. */
function attributesOf(owner: unknown): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  if (!isTree(owner)) return attributes;
  for (const { key, value } of listOf(owner, 'attributes')) {
    if (typeof key === 'string' && isTree(value) && typeof value.stringValue === 'string') {
      attributes.set(key, value.stringValue);
    }
  }
  return attributes;
}

function listOf(owner: Tree, field: keyof Tree): readonly Tree[] {
  const list = owner[field];
  return Array.isArray(list) ? list.filter(isTree) : [];
}

function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

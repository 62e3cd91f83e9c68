// What one request showed of the tracing of one proxy, as named values. Ids are named by what they are: the caller's, or new
// ones in the order in which they are seen.

import type { CollectedSpan } from '../support/otlp-collector.ts';
import type { CollectedZipkinSpan } from '../support/zipkin-collector.ts';
import type { HttpMessage } from './http-message.ts';
import type { Observation } from './observation.ts';

/** Ids that a case's caller may send. */
export interface CallerIds {
  readonly trace: string;
  readonly span: string;
}

/** A span of either protocol. */
export interface ObservedSpan {
  readonly traceId: string;
  readonly id: string;
  readonly parentId: string;
  readonly start: bigint;
  /** The attribute `case`; empty where it has none. */
  readonly caseName: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

export interface TraceFacts {
  readonly caller: CallerIds;
  readonly origin: readonly HttpMessage[];
  readonly responses: readonly HttpMessage[];
  readonly spans: readonly ObservedSpan[];
  /** What is the same in both and has another number in each: ports. */
  readonly names: readonly (readonly [pattern: RegExp, name: string])[];
}

export function observeTrace(facts: TraceFacts): Observation {
  const observation = new Map<string, string>();
  const ids = new IdNames(facts.caller);
  const set = (field: string, value: string): void => {
    observation.set(
      field,
      facts.names.reduce((text, [pattern, name]) => text.replace(pattern, name), ids.named(value)),
    );
  };
  for (const [index, message] of facts.origin.entries()) setHeaders(set, `origin.${index}`, message);
  for (const [index, message] of facts.responses.entries()) {
    set(`response.${index}.status`, message.startLine.split(' ')[1] ?? '');
    setHeaders(set, `response.${index}`, message);
  }
  set('spans', String(facts.spans.length));
  for (const [index, span] of inOrder(facts.spans).entries()) {
    const place = `span.${index}`;
    set(`${place}.trace`, span.traceId);
    set(`${place}.id`, span.id);
    set(`${place}.parent`, span.parentId === '' ? 'none' : span.parentId);
    for (const [name, value] of span.fields) set(`${place}.${name}`, value);
  }
  return observation;
}

/** Attributes that tell what Envoy tells under another name. Values are compared under Envoy's. */
export const conventionalNames: ReadonlyMap<string, string> = new Map([
  ['http.request.method', 'http.method'],
  ['http.response.status_code', 'http.status_code'],
  ['http.request.body.size', 'request_size'],
  ['http.response.body.size', 'response_size'],
  ['http.request.resend_count', 'retry.count'],
  ['user_agent.original', 'user_agent'],
  ['client.address', 'peer.address'],
  ['url.full', 'http.url'],
  ['rpc.grpc.status_code', 'grpc.status_code'],
]);
/** They are told in one attribute in Envoy: `http.url`, `http.protocol`, `peer.address`. */
const parts = /^(url|server|network)\./;

function tagsOf(attributes: Readonly<Record<string, unknown>>): readonly (readonly [name: string, value: string])[] {
  const tags = new Map<string, string>();
  for (const [key, value] of Object.entries(attributes)) {
    const name = conventionalNames.get(key) ?? key;
    if (name !== key || !parts.test(key)) tags.set(name, sortedJson(String(value)));
  }
  const text = (key: string): string => String(attributes[key] ?? '');
  const query = text('url.query') === '' ? '' : `?${text('url.query')}`;
  const { 'url.path': path, 'network.protocol.version': version, 'network.peer.address': peer } = attributes;
  if (path !== undefined) tags.set('http.url', `${text('url.scheme')}://${text('server.address')}${path}${query}`);
  if (version !== undefined) tags.set('http.protocol', `HTTP/${version}`);
  if (peer !== undefined && !tags.has('peer.address')) tags.set('peer.address', `${peer}:${text('network.peer.port')}`);
  return [...tags].map(([name, value]) => [`tag.${name}`, value]);
}

/** Members of maps have no order. */
function sortedJson(value: string): string {
  if (!value.startsWith('{')) return value;
  return JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(value)).sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** Of what both tell, in one form: attributes as text. */
export function otlpSpan(span: CollectedSpan): ObservedSpan {
  const { kind, name, traceState, flags, status, attributes, events, resource } = span;
  return {
    traceId: span.traceId,
    id: span.spanId,
    parentId: span.parentSpanId,
    start: span.startNs,
    caseName: String(attributes['case'] ?? ''),
    fields: [
      ['kind', kind],
      ['name', name],
      ['tracestate', traceState],
      ['flags', flags.toString(16)],
      ['status', status.code],
      ['status message', status.message],
      ['events', events.map((event) => event.name).join(', ')],
      ...Object.entries(resource).map(([key, value]) => [`resource.${key}`, String(value)] as const),
      ...tagsOf(attributes),
    ],
  };
}

export function zipkinSpan(span: CollectedZipkinSpan): ObservedSpan {
  const { traceId, id, parentId = '', tags = {}, annotations = [], timestamp, duration: _, ...others } = span;
  const ofSpan = tags as Readonly<Record<string, string>>;
  const events = annotations as readonly { readonly value: string }[];
  return {
    traceId,
    id,
    parentId: String(parentId),
    start: BigInt(timestamp as number) * 1000n,
    caseName: ofSpan['case'] ?? '',
    fields: [
      ...Object.entries(others).map(([key, value]) => [key, sortedJson(JSON.stringify(value))] as const),
      ['events', events.map(({ value }) => value).join(', ')],
      ...tagsOf(ofSpan),
    ],
  };
}

/** Headers of a message that say something of a trace, or may. */
const otherHeaders =
  /^(date|x-envoy-expected-rq-timeout-ms|content-length|content-type|host|x-case|x-envoy-upstream-service-time|connection)$/;
/** Those that name ids come first, so that both proxies' ids are seen in the same order. */
const idHeaders = ['traceparent', 'b3', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid'];

function setHeaders(set: (field: string, value: string) => void, place: string, { headers }: HttpMessage): void {
  const values = new Map<string, string>();
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (otherHeaders.test(key)) continue;
    const before = values.get(key);
    values.set(key, before === undefined ? value : `${before} | ${value}`);
  }
  for (const name of [...idHeaders, ...values.keys()]) {
    const value = values.get(name);
    if (value !== undefined) set(`${place}.${name}`, value);
  }
}

/** The span of the request, then those of its attempts. */
function inOrder(spans: readonly ObservedSpan[]): readonly ObservedSpan[] {
  const ids = new Set(spans.map(({ id }) => id));
  const isAttempt = (span: ObservedSpan): number => Number(span.parentId !== span.id && ids.has(span.parentId));
  return [...spans].sort((a, b) => isAttempt(a) - isAttempt(b) || Number(a.start - b.start));
}

const zeros = '0'.repeat(16);
const uuid = /\b([0-9a-f]{8}-[0-9a-f]{4}-)([0-9a-f])([0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12})\b/g;

class IdNames {
  readonly #known: Map<string, string>;
  #spans = 0;
  #traces = 0;

  constructor({ trace, span }: CallerIds) {
    const short = trace.slice(16);
    this.#known = new Map([
      [trace, "<caller's trace>"],
      [trace.toUpperCase(), "<CALLER'S TRACE>"],
      [short, "<caller's short trace>"],
      [zeros + short, "<caller's short trace, padded>"],
      [span, "<caller's span>"],
    ]);
  }

  named(value: string): string {
    return value
      .replace(uuid, (_, first, mark, last) => `<${this.#requestId(first + last)}, mark ${mark}>`)
      .replace(/\b[0-9a-fA-F]{32}\b/g, (id) => this.#traceName(id))
      .replace(/\b[0-9a-fA-F]{16}\b/g, (id) => this.#spanName(id));
  }

  #requestId(id: string): string {
    return id.startsWith('8a1c2f3e-0b5d-') ? "caller's id" : 'new id';
  }

  #traceName(id: string): string {
    let name = this.#known.get(id);
    if (name === undefined) {
      const isPadded = id.startsWith(zeros);
      if (isPadded) return `<padded ${this.#spanName(id.slice(16))}>`;
      this.#traces++;
      name = this.#traces === 1 ? '<trace>' : `<trace ${this.#traces}>`;
      this.#known.set(id, name);
    }
    return name;
  }

  #spanName(id: string): string {
    let name = this.#known.get(id);
    if (name === undefined) {
      this.#spans++;
      name = `<id ${this.#spans}>`;
      this.#known.set(id, name);
    }
    return name;
  }
}

// Zipkin's view of a span: the names that Envoy gives to tags, microseconds, and what Zipkin has in the place of what it does not
// know (an error is a tag, an event an annotation).
// https://zipkin.io/zipkin-api/#/default/post_spans
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/observability/tracing#trace-context-propagation

import { isIPv4, isIPv6 } from 'node:net';
import type { SpanView } from './span-view.ts';

/** As it stands in Zipkin's JSON. What is not known is left out. */
export interface ZipkinSpan {
  /** 16 or 32 digits. */
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly kind?: 'CLIENT' | 'SERVER';
  readonly name?: string;
  /** Microseconds since 1970. */
  readonly timestamp: number;
  /** Microseconds, at least 1. */
  readonly duration: number;
  /** The id is that of the caller's span. */
  readonly shared?: true;
  readonly localEndpoint: ZipkinEndpoint;
  readonly remoteEndpoint?: ZipkinEndpoint;
  readonly annotations?: readonly { readonly timestamp: number; readonly value: string }[];
  readonly tags?: Readonly<Record<string, string>>;
}

export interface ZipkinEndpoint {
  readonly serviceName?: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly port?: number;
}

/** `isShared`: the first span of a record that has the id of the caller's. */
export function zipkinSpan(span: SpanView, localEndpoint: ZipkinEndpoint, isShared: boolean): ZipkinSpan {
  const { traceId, spanId, parentSpanId, name, startNs, endNs, events } = span;
  const remoteEndpoint = remoteOf(span);
  const timestamp = micros(startNs);
  return {
    // An id that came with 64 bits leaves as it came.
    traceId: traceId.startsWith(noHighBits) ? traceId.slice(noHighBits.length) : traceId,
    id: spanId,
    ...(parentSpanId !== '' && { parentId: parentSpanId }),
    ...kindOf(span),
    ...(name !== '' && { name }),
    timestamp,
    duration: Math.max(micros(endNs) - timestamp, 1),
    ...(isShared && { shared: true }),
    localEndpoint,
    ...(remoteEndpoint !== null && { remoteEndpoint }),
    ...(events.length > 0 && {
      annotations: events.map(({ name, timeNs }) => ({ timestamp: micros(timeNs), value: name })),
    }),
    tags: tagsOf(span),
  };
}

/** `address` is a literal IP address; what is none has no place in an endpoint. */
export function zipkinEndpoint(serviceName: string, address: string, port: number): ZipkinEndpoint {
  return {
    ...(serviceName !== '' && { serviceName }),
    ...ipOf(address),
    ...(port > 0 && { port }),
  };
}

// An IPv4 address within IPv6 is one of IPv4 there. An interface behind `%` is nobody's but this machine's.
function ipOf(address: string): Pick<ZipkinEndpoint, 'ipv4' | 'ipv6'> {
  const literal = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (isIPv4(literal)) return { ipv4: literal };
  return isIPv6(literal) ? { ipv6: literal } : {};
}

const noHighBits = '0'.repeat(16);

/** `SpanKind` of OTLP. */
const kinds: ReadonlyMap<number, 'CLIENT' | 'SERVER'> = new Map([
  [2, 'SERVER'],
  [3, 'CLIENT'],
]);

function kindOf({ kind }: SpanView): Pick<ZipkinSpan, 'kind'> {
  const name = kinds.get(kind);
  return name === undefined ? {} : { kind: name };
}

/** Exact: microseconds of this century fit in a double. */
function micros(ns: bigint): number {
  return Number(ns / 1000n);
}

function remoteOf({ attributes }: SpanView): ZipkinEndpoint | null {
  const address = attributes.get('network.peer.address');
  if (address === undefined) return null;
  const endpoint = zipkinEndpoint('', String(address), Number(attributes.get('network.peer.port') ?? 0));
  return endpoint.ipv4 === undefined && endpoint.ipv6 === undefined ? null : endpoint;
}

/** Attributes that Envoy knows under other names; those that it has no name for keep theirs. */
const envoyNames: ReadonlyMap<string, string> = new Map([
  ['http.request.method', 'http.method'],
  ['http.response.status_code', 'http.status_code'],
  ['http.request.body.size', 'request_size'],
  ['http.response.body.size', 'response_size'],
  ['user_agent.original', 'user_agent'],
  ['client.address', 'peer.address'],
  ['url.full', 'http.url'],
  ['rpc.grpc.status_code', 'grpc.status_code'],
  ['http.request.resend_count', 'retry.count'],
]);

/** They are told by others: the URL, the endpoints, the protocol. */
const toldElsewhere: ReadonlySet<string> = new Set([
  'url.scheme',
  'url.path',
  'url.query',
  'server.address',
  'server.port',
  'network.peer.address',
  'network.peer.port',
  'network.protocol.version',
]);

function tagsOf({ attributes, error }: SpanView): Record<string, string> {
  // Names come from configuration, too: none of them may mean a prototype.
  const tags: Record<string, string> = Object.create(null);
  for (const [key, value] of attributes) {
    if (!toldElsewhere.has(key)) tags[envoyNames.get(key) ?? key] = String(value);
  }
  const url = urlOf(attributes);
  if (url !== '') tags['http.url'] = url;
  // Of an attempt, whose peer is the endpoint.
  const endpoint = attributes.get('upstream_address');
  if (endpoint !== undefined && !('peer.address' in tags)) tags['peer.address'] = String(endpoint);
  const version = attributes.get('network.protocol.version');
  if (version !== undefined) tags['http.protocol'] = `HTTP/${version}`;
  if (error !== null) {
    tags['error'] = 'true';
    if (error !== '') tags['error.message'] = error;
  }
  return tags;
}

/** Of a server's span, whose parts are attributes of their own. */
function urlOf(attributes: SpanView['attributes']): string {
  const scheme = attributes.get('url.scheme');
  const path = attributes.get('url.path');
  if (scheme === undefined || path === undefined) return '';
  const host = String(attributes.get('server.address') ?? '');
  const port = attributes.get('server.port');
  const query = attributes.get('url.query');
  const authority = `${host.includes(':') ? `[${host}]` : host}${port === undefined ? '' : `:${port}`}`;
  return `${scheme}://${authority}${path}${query === undefined ? '' : `?${query}`}`;
}

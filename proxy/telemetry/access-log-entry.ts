// What a worker tells about a request or connection that an access log service is to hear of. A worker encodes no
// protobuf: it writes the facts as one line of JSON, which joins a batch as lines of text do, and the main thread makes the
// message (`proxy/export/access-log-message.ts`). Facts have their places in arrays, because their names would be two
// thirds of a line.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/data/accesslog/v3/accesslog.proto

import type { EnvoyLogEntries, LogDelivery } from '../../config/access-log.ts';
import { toByteString } from '../format/byte-string.ts';
import { compileCustomTag } from '../format/custom-tag.ts';
import type { FormatContext, Operator } from '../format/format-context.ts';
import { requestHeadersBytes, responseHeadersBytes } from '../format/header-bytes.ts';
import { headerOperators } from '../format/header-operators.ts';
import { type HeaderName, headerName } from '../http/header-name.ts';
import type { HeaderTable } from '../http/header-table.ts';
import type { RequestHead } from '../http/message.ts';
import type { StreamInfo } from '../http/stream-info.ts';
import { SamplingReason, samplingReasonNames } from '../tracing/sampling-reason.ts';
import { type TlsEntryFacts, tlsEntryFacts } from './access-log-tls.ts';

/** Texts are byte strings: each character one byte. An empty one is a fact that is not known. */
export type EntryFacts = readonly [common: CommonFacts, http: HttpFacts | null];

export type CommonFacts = readonly [
  startWallMs: number,
  /** Microseconds after the start, -1 for what has not happened; in the order of the message's fields 6 to 12. */
  times: readonly number[],
  /** As `times`. */
  duration: number,
  remoteAddress: string,
  localAddress: string,
  directRemoteAddress: string,
  upstreamRemoteAddress: string,
  upstreamLocalAddress: string,
  upstreamCluster: string,
  routeName: string,
  /** Bits of `ResponseFlag`. */
  responseFlags: number,
  attempts: number,
  upstreamTransportFailureReason: string,
  connectionTerminationDetails: string,
  streamId: string,
  downstreamWireBytes: readonly [sent: number, received: number],
  upstreamWireBytes: readonly [sent: number, received: number],
  /** By namespace; texts in it are byte strings too. */
  dynamicMetadata: { readonly [namespace: string]: unknown } | null,
  /** Values of `customTags` in their order. */
  tags: readonly (string | null)[],
  trace: readonly [traceId: string, spanId: string, reason: string] | null,
  tls: TlsEntryFacts | null,
];

export type HttpFacts = readonly [
  protocol: string,
  method: string,
  scheme: string,
  authority: string,
  path: string,
  originalPath: string,
  userAgent: string,
  referer: string,
  forwardedFor: string,
  requestId: string,
  /** Of names and values as they are when the request is logged; of the body; of the head as it was received. */
  requestBytes: readonly [headers: number, body: number, wireHeaders: number],
  requestHeaders: readonly (string | null)[],
  responseCode: number,
  responseCodeDetails: string,
  /** As of the request, and of the head as it was sent. */
  responseBytes: readonly [headers: number, body: number, wireHeaders: number],
  responseHeaders: readonly (string | null)[],
  responseTrailers: readonly (string | null)[],
];

/** Makes the writer of one log's lines, without their end. */
export function compileEntryLine(collector: LogDelivery & EnvoyLogEntries): (context: FormatContext) => string {
  const { kind, requestHeaders, responseHeaders, responseTrailers, customTags } = collector;
  const tags = customTags.map(compileCustomTag);
  const read = {
    request: requestHeaders.map(compileRequestHeader),
    response: responseHeaders.map(compileResponseHeader),
    trailers: responseTrailers.map((name) => allOf(headerName(name), ({ responseTrailers }) => responseTrailers)),
  };
  return (context) => {
    const facts: EntryFacts = [commonFacts(context, tags), kind === 'http-entries' ? httpFacts(context, read) : null];
    return toLine(facts);
  };
}

/** JSON as a byte string. */
export function toLine(facts: unknown): string {
  const line = JSON.stringify(facts);
  return beyondBytes.test(line) ? line.replaceAll(beyondBytesOfLine, toByteString) : line;
}

// Names in a configuration can have any character.
const beyondBytes = /[^\0-\xff]/;
const beyondBytesOfLine = /[^\0-\xff]+/g;

interface HeaderReaders {
  readonly request: readonly Operator[];
  readonly response: readonly Operator[];
  readonly trailers: readonly Operator[];
}

function compileRequestHeader(name: string): Operator {
  if (name.startsWith(':')) return headerOperators['REQ']!({ name: 'REQ', argument: name, maxLength: null });
  if (name === 'host') return ({ request }) => request?.authority || null;
  return allOf(headerName(name), ({ request }) => request?.headers ?? null);
}

function compileResponseHeader(name: string): Operator {
  if (name.startsWith(':')) return headerOperators['RESP']!({ name: 'RESP', argument: name, maxLength: null });
  return allOf(headerName(name), ({ response }) => response?.headers ?? null);
}

// The values of all fields of a name, joined.
function allOf(name: HeaderName, read: (context: FormatContext) => HeaderTable | null): Operator {
  return (context) => read(context)?.get(name) ?? null;
}

function commonFacts(context: FormatContext, tags: readonly Operator[]): CommonFacts {
  const { info } = context;
  return [
    info.startWallMs,
    [
      after(info, info.requestEndAtMs),
      after(info, info.upstreamRequestStartAtMs),
      after(info, info.upstreamRequestEndAtMs),
      after(info, info.responseHeadAtMs),
      after(info, info.responseHeadAtMs < 0 ? -1 : info.responseEndAtMs),
      after(info, info.downstreamResponseStartAtMs),
      after(info, info.downstreamResponseStartAtMs < 0 ? -1 : info.endedAtMs),
    ],
    after(info, info.endedAtMs),
    info.downstreamRemoteAddress,
    info.downstreamLocalAddress,
    info.downstreamDirectRemoteAddress,
    info.upstreamRemoteAddress,
    info.upstreamLocalAddress,
    // As Envoy has it: that of the endpoint, not of the route.
    info.upstreamRemoteAddress === '' ? '' : toByteString(info.upstreamCluster),
    toByteString(info.routeName),
    info.responseFlags,
    info.attemptCount,
    // Kept in the spelling of formats, which have no spaces in it.
    info.upstreamTransportFailureReason.replaceAll('_', ' '),
    info.connectionTerminationDetails,
    info.requestId,
    [info.responseHeaderBytes + info.responseBodyBytes, info.requestHeaderBytes + info.requestBodyBytes],
    [info.upstreamBytesSent, info.upstreamBytesReceived],
    dynamicMetadata(info),
    texts(tags, context),
    traceOf(info),
    tlsEntryFacts(info.downstreamTls),
  ];
}

/** The trace of a request as texts; null without one. */
export function traceOf({ trace }: StreamInfo): readonly [traceId: string, spanId: string, reason: string] | null {
  if (trace === null) return null;
  const reason = trace.reason === SamplingReason.none ? '' : samplingReasonNames[trace.reason]!;
  return [trace.traceIdText, trace.spanIdText, reason];
}

function httpFacts(context: FormatContext, read: HeaderReaders): HttpFacts {
  const { info, request, response } = context;
  return [
    info.protocol,
    request?.method ?? '',
    request?.scheme ?? '',
    request?.authority ?? '',
    request?.path ?? '',
    field(request, originalPathName),
    field(request, userAgentName),
    field(request, refererName),
    field(request, forwardedForName),
    field(request, requestIdName),
    [requestHeadersBytes(request), info.requestBodyBytes, info.requestHeaderBytes],
    texts(read.request, context),
    info.responseCode,
    info.responseCodeDetails,
    [responseHeadersBytes(response), info.responseBodyBytes, info.responseHeaderBytes],
    texts(read.response, context),
    texts(read.trailers, context),
  ];
}

const originalPathName = headerName('x-envoy-original-path');
const userAgentName = headerName('user-agent');
const refererName = headerName('referer');
const forwardedForName = headerName('x-forwarded-for');
const requestIdName = headerName('x-request-id');

function after(info: StreamInfo, atMs: number): number {
  return atMs < 0 ? -1 : Math.max(0, Math.round((atMs - info.startedAtMs) * 1000));
}

function field(head: RequestHead | null, name: HeaderName): string {
  return head?.headers.get(name) ?? '';
}

/** Null stays what is not there. */
export function texts(operators: readonly Operator[], context: FormatContext): (string | null)[] {
  const values: (string | null)[] = [];
  for (let index = 0; index < operators.length; index++) {
    const value = operators[index]!(context);
    values.push(value === null ? null : String(value));
  }
  return values;
}

function dynamicMetadata({ dynamicMetadata: all }: StreamInfo): { readonly [namespace: string]: unknown } | null {
  if (all === null || all.size === 0) return null;
  return Object.fromEntries([...all].map(([namespace, values]) => [namespace, Object.fromEntries(values)]));
}

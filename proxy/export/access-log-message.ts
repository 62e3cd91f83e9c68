// Messages of an access log service (`envoy.service.accesslog.v3.StreamAccessLogsMessage`), made of what workers tell. By
// hand, as spans are: there is one message, and of each entry most fields are there.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/service/accesslog/v3/als.proto

import type { CustomTag } from '../../config/tracing.ts';
import { toByteString } from '../format/byte-string.ts';
import { ResponseFlag } from '../http/stream-info.ts';
import type { CommonFacts, EntryFacts, HttpFacts } from '../telemetry/access-log-entry.ts';
import type { CertificateEntryFacts, TlsEntryFacts } from '../telemetry/access-log-tls.ts';
import { SpanWriter } from '../tracing/span-writer.ts';
import { bytesField } from './protobuf-field.ts';

/** What the names of tags and headers are: facts are told by their places. */
export interface EntryNames {
  readonly customTags: readonly Pick<CustomTag, 'tag'>[];
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
  readonly responseTrailers: readonly string[];
}

/** The bytes of an `HTTPAccessLogEntry` or a `TCPAccessLogEntry`. */
export function writeEntry(facts: EntryFacts, names: EntryNames): Uint8Array {
  const [common, http] = facts;
  writer.used = 0;
  const start = writer.beginMessage(1);
  writeCommon(common, http === null, names);
  writer.endMessage(start);
  if (http === null) {
    const downstreamBytes = common[15];
    const connection = writer.beginMessage(2);
    integer(1, downstreamBytes[1]);
    integer(2, downstreamBytes[0]);
    writer.endMessage(connection);
  } else writeHttp(http, names);
  return Buffer.from(writer.bytes.subarray(0, writer.used));
}

/** `node` is an encoded `core.v3.Node`. */
export function writeIdentifier(node: Uint8Array, logName: string): Uint8Array {
  const name = Buffer.from(logName);
  return bytesField(1, Buffer.concat([bytesField(1, node), bytesField(2, name)]));
}

/** A message with entries; `identifier` is empty but for the first of a stream. */
export function writeMessage(
  identifier: Uint8Array,
  kind: 'http-entries' | 'tcp-entries',
  entries: readonly Uint8Array[],
): Uint8Array {
  const list = Buffer.concat(entries.map((entry) => bytesField(1, entry)));
  return Buffer.concat([identifier, bytesField(kind === 'http-entries' ? 2 : 3, list)]);
}

/** One for all entries. */
const writer = new SpanWriter(16 * 1024);

// `AccessLogCommon`. What says nothing is not on the wire.
function writeCommon(facts: CommonFacts, isConnection: boolean, { customTags }: EntryNames): void {
  const [
    startWallMs,
    times,
    duration,
    remote,
    local,
    directRemote,
    upstreamRemote,
    upstreamLocal,
    cluster,
    route,
    flags,
    attempts,
    upstreamFailure,
    termination,
    streamId,
    downstreamBytes,
    upstreamBytes,
    metadata,
    tags,
    trace,
    tls,
  ] = facts;
  address(2, remote);
  address(3, local);
  writeTls(tls);
  const micros = Math.round(startWallMs * 1000);
  parts(5, Math.floor(micros / 1e6), (micros % 1e6) * 1000);
  for (const [index, time] of times.entries()) elapsed(6 + index, time);
  address(13, upstreamRemote);
  address(14, upstreamLocal);
  text(15, cluster);
  writeFlags(flags);
  writeMetadata(metadata);
  text(18, upstreamFailure);
  text(19, route);
  address(20, directRemote);
  pairs(
    22,
    customTags.map(({ tag }) => tag),
    tags,
  );
  writeTrace(trace, customTags);
  elapsed(23, duration);
  integer(24, attempts);
  text(25, termination);
  text(26, streamId);
  integer(29, downstreamBytes[0]);
  integer(30, downstreamBytes[1]);
  integer(31, upstreamBytes[0]);
  integer(32, upstreamBytes[1]);
  // A connection that is still open is logged by its interval.
  const ofConnection = duration < 0 ? AccessLogType.tcpPeriodic : AccessLogType.tcpConnectionEnd;
  integer(33, isConnection ? ofConnection : AccessLogType.downstreamEnd);
}

function writeTls(tls: TlsEntryFacts | null): void {
  if (tls === null) return;
  const [version, cipherSuite, serverName, own, peer, sessionId] = tls;
  const message = writer.beginMessage(4);
  integer(1, version);
  if (cipherSuite > 0) {
    const value = writer.beginMessage(2);
    integer(1, cipherSuite);
    writer.endMessage(value);
  }
  text(3, serverName);
  writeCertificate(4, own);
  writeCertificate(5, peer);
  text(6, sessionId);
  writer.endMessage(message);
}

function writeCertificate(field: number, certificate: CertificateEntryFacts | null): void {
  if (certificate === null) return;
  const [uris, dnsNames, subject, issuer] = certificate;
  const message = writer.beginMessage(field);
  for (const uri of uris) writeAltName(1, uri);
  for (const name of dnsNames) writeAltName(2, name);
  text(2, subject);
  text(3, issuer);
  writer.endMessage(message);
}

function writeAltName(kind: number, name: string): void {
  const message = writer.beginMessage(1);
  writer.text(kind, name);
  writer.endMessage(message);
}

const AccessLogType = { tcpPeriodic: 2, tcpConnectionEnd: 3, downstreamEnd: 6 } as const;

// The message has no place for it but tags. One of the configuration with the same name stands alone.
function writeTrace(trace: CommonFacts[19], customTags: EntryNames['customTags']): void {
  if (trace === null) return;
  for (const [index, name] of ['trace_id', 'span_id', 'sampling_reason'].entries()) {
    if (trace[index] !== '' && !customTags.some(({ tag }) => tag === name)) pair(22, name, trace[index]!);
  }
}

function writeHttp(facts: HttpFacts, { requestHeaders, responseHeaders, responseTrailers }: EntryNames): void {
  const [
    protocol,
    method,
    scheme,
    authority,
    path,
    originalPath,
    userAgent,
    referer,
    forwardedFor,
    requestId,
    requestBytes,
    requestValues,
    code,
    details,
    responseBytes,
    responseValues,
    trailers,
  ] = facts;
  integer(2, protocols.indexOf(protocol));
  const request = writer.beginMessage(3);
  integer(1, methods.indexOf(method) + 1);
  text(2, scheme);
  text(3, authority);
  text(5, path);
  text(6, userAgent);
  text(7, referer);
  text(8, forwardedFor);
  text(9, requestId);
  text(10, originalPath);
  integer(11, requestBytes[0]);
  integer(12, requestBytes[1]);
  pairs(13, requestHeaders, requestValues);
  integer(15, requestBytes[2]);
  writer.endMessage(request);
  const response = writer.beginMessage(4);
  if (code > 0) {
    const value = writer.beginMessage(1);
    integer(1, code);
    writer.endMessage(value);
  }
  integer(2, responseBytes[0]);
  integer(3, responseBytes[1]);
  pairs(4, responseHeaders, responseValues);
  pairs(5, responseTrailers, trailers);
  text(6, details);
  integer(8, responseBytes[2]);
  writer.endMessage(response);
}

/** By their numbers in `HTTPVersion`. */
const protocols = ['', 'HTTP/1.0', 'HTTP/1.1', 'HTTP/2', 'HTTP/3'];
/** From number 1 on in `core.v3.RequestMethod`; any other is not specified. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

/** Fields of `ResponseFlags`; all but one are of type bool. */
const flagFields: readonly (readonly [bit: number, field: number])[] = [
  [ResponseFlag.failedLocalHealthCheck, 1],
  [ResponseFlag.noHealthyUpstream, 2],
  [ResponseFlag.upstreamRequestTimeout, 3],
  [ResponseFlag.localReset, 4],
  [ResponseFlag.upstreamRemoteReset, 5],
  [ResponseFlag.upstreamConnectionFailure, 6],
  [ResponseFlag.upstreamConnectionTermination, 7],
  [ResponseFlag.upstreamOverflow, 8],
  [ResponseFlag.noRouteFound, 9],
  [ResponseFlag.delayInjected, 10],
  [ResponseFlag.faultInjected, 11],
  [ResponseFlag.rateLimited, 12],
  [ResponseFlag.unauthorized, 13],
  [ResponseFlag.downstreamConnectionTermination, 15],
  [ResponseFlag.upstreamRetryLimitExceeded, 16],
  [ResponseFlag.streamIdleTimeout, 17],
  [ResponseFlag.downstreamProtocolError, 19],
  [ResponseFlag.upstreamMaxStreamDurationReached, 20],
  [ResponseFlag.noFilterConfigFound, 22],
  [ResponseFlag.durationTimeout, 23],
  [ResponseFlag.upstreamProtocolError, 24],
  [ResponseFlag.noClusterFound, 25],
  [ResponseFlag.overloadManager, 26],
  [ResponseFlag.dnsResolutionFailed, 27],
  [ResponseFlag.downstreamRemoteReset, 28],
];

function writeFlags(flags: number): void {
  if (flags === 0) return;
  const message = writer.beginMessage(16);
  for (const [bit, field] of flagFields) {
    if ((flags & bit) === 0) continue;
    if (bit !== ResponseFlag.unauthorized) {
      integer(field, 1);
      continue;
    }
    const unauthorized = writer.beginMessage(field);
    integer(1, externalService);
    writer.endMessage(unauthorized);
  }
  writer.endMessage(message);
}

/** `ResponseFlags.Unauthorized.Reason.EXTERNAL_SERVICE` */
const externalService = 1;

function writeMetadata(metadata: CommonFacts[17]): void {
  if (metadata === null) return;
  const message = writer.beginMessage(17);
  for (const [namespace, values] of Object.entries(metadata)) {
    const entry = writer.beginMessage(1);
    writer.text(1, namespace);
    const struct = writer.beginMessage(2);
    writeStruct(values as { readonly [key: string]: unknown });
    writer.endMessage(struct);
    writer.endMessage(entry);
  }
  writer.endMessage(message);
}

// `google.protobuf.Struct` and `Value`.
function writeStruct(struct: { readonly [key: string]: unknown }): void {
  for (const [key, value] of Object.entries(struct)) {
    const entry = writer.beginMessage(1);
    writer.text(1, key);
    const message = writer.beginMessage(2);
    writeValue(value);
    writer.endMessage(message);
    writer.endMessage(entry);
  }
}

function writeValue(value: unknown): void {
  if (typeof value === 'string') writer.text(3, value);
  else if (typeof value === 'boolean') writer.integer(4, value ? 1 : 0);
  else if (typeof value === 'number') {
    const bytes = Buffer.alloc(9);
    bytes[0] = numberValueTag;
    bytes.writeDoubleLE(value, 1);
    writer.raw(bytes, 0, bytes.length);
  } else if (Array.isArray(value)) {
    const list = writer.beginMessage(6);
    for (const item of value) {
      const message = writer.beginMessage(1);
      writeValue(item);
      writer.endMessage(message);
    }
    writer.endMessage(list);
  } else if (typeof value === 'object' && value !== null) {
    const struct = writer.beginMessage(5);
    writeStruct(value as { readonly [key: string]: unknown });
    writer.endMessage(struct);
  } else writer.integer(1, 0);
}

/** Field 2, eight bytes. */
const numberValueTag = (2 << 3) | 1;

function integer(field: number, value: number): void {
  if (value > 0) writer.integer(field, value);
}

function text(field: number, value: string): void {
  if (value !== '') writer.text(field, value);
}

/** Entries of a map of texts; null is left out. */
function pairs(field: number, keys: readonly string[], values: readonly (string | null)[]): void {
  for (const [index, value] of values.entries()) if (value !== null) pair(field, keys[index]!, value);
}

/** An entry of a map of texts. */
function pair(field: number, key: string, value: string): void {
  const entry = writer.beginMessage(field);
  writer.text(1, toByteString(key));
  writer.text(2, value);
  writer.endMessage(entry);
}

/** A `Duration` of microseconds; nothing for what has not happened. */
function elapsed(field: number, micros: number): void {
  if (micros >= 0) parts(field, Math.floor(micros / 1e6), (micros % 1e6) * 1000);
}

function parts(field: number, seconds: number, nanos: number): void {
  const message = writer.beginMessage(field);
  integer(1, seconds);
  integer(2, nanos);
  writer.endMessage(message);
}

/** A `core.v3.Address` of `ip:port` or the path of a pipe. */
function address(field: number, value: string): void {
  if (value === '') return;
  const message = writer.beginMessage(field);
  const colon = value.lastIndexOf(':');
  if (value.startsWith('/') || value.startsWith('@') || colon < 0) {
    const pipe = writer.beginMessage(2);
    writer.text(1, value);
    writer.endMessage(pipe);
  } else {
    const socket = writer.beginMessage(1);
    writer.text(2, value.startsWith('[') ? value.slice(1, colon - 1) : value.slice(0, colon));
    // Of a choice, which is on the wire when it is 0 too.
    writer.integer(3, Number(value.slice(colon + 1)));
    writer.endMessage(socket);
  }
  writer.endMessage(message);
}

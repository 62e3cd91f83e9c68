// What a span says of a request: the stable names of OpenTelemetry's semantic conventions for HTTP, those for gRPC, and the names
// that Envoy gives where Istio's dashboards look for them.
// https://opentelemetry.io/docs/specs/semconv/http/http-spans/ https://opentelemetry.io/docs/specs/semconv/rpc/grpc/

import { HeaderId } from '../http/header-name.ts';
import type { RequestHead } from '../http/message.ts';
import { responseFlagNames, type StreamInfo } from '../http/stream-info.ts';
import type { AttemptTrace } from './request-trace.ts';
import { SpanField } from './span-field.ts';
import { attributeKey, SpanWriter } from './span-writer.ts';
import { WrittenBlocks } from './written-blocks.ts';

const field = SpanField.attributes;

const key = {
  method: attributeKey('http.request.method'),
  originalMethod: attributeKey('http.request.method_original'),
  status: attributeKey('http.response.status_code'),
  requestSize: attributeKey('http.request.body.size'),
  responseSize: attributeKey('http.response.body.size'),
  resendCount: attributeKey('http.request.resend_count'),
  scheme: attributeKey('url.scheme'),
  path: attributeKey('url.path'),
  query: attributeKey('url.query'),
  fullUrl: attributeKey('url.full'),
  serverAddress: attributeKey('server.address'),
  serverPort: attributeKey('server.port'),
  clientAddress: attributeKey('client.address'),
  peerAddress: attributeKey('network.peer.address'),
  peerPort: attributeKey('network.peer.port'),
  protocolVersion: attributeKey('network.protocol.version'),
  userAgent: attributeKey('user_agent.original'),
  errorType: attributeKey('error.type'),
  rpcSystem: attributeKey('rpc.system'),
  rpcService: attributeKey('rpc.service'),
  rpcMethod: attributeKey('rpc.method'),
  grpcStatus: attributeKey('rpc.grpc.status_code'),
  requestId: attributeKey('guid:x-request-id'),
  clientTraceId: attributeKey('guid:x-client-trace-id'),
  responseFlags: attributeKey('response_flags'),
  downstreamCluster: attributeKey('downstream_cluster'),
  upstreamAddress: attributeKey('upstream_address'),
} as const;

/** What of a request's path goes into spans. */
export interface PathLimit {
  readonly maxPathTagLength: number;
}

/** Of the request itself: the same for its server span and those of its attempts. */
export function writeRequest(
  writer: SpanWriter,
  { head, info }: { readonly head: RequestHead; readonly info: StreamInfo },
  grpcStatus: number,
): void {
  if (isKnownMethod(head.method)) writeCommon(writer, head.method, methodAttribute);
  else {
    writer.textAttribute(field, key.method, '_OTHER');
    writer.textAttribute(field, key.originalMethod, head.method);
  }
  if (info.protocol !== '' && !protocols.write(writer, info.protocol)) {
    const start = writer.used;
    writer.textAttribute(field, key.protocolVersion, info.protocol.slice('HTTP/'.length));
    protocols.keep(writer, info.protocol, start);
  }
  if (isGrpc(head)) writeRpc(writer, info.originalPath || head.path, grpcStatus);
}

/** Where the request was headed, and who sent it. */
export function writeTarget(
  writer: SpanWriter,
  { head, info }: { readonly head: RequestHead; readonly info: StreamInfo },
  { maxPathTagLength }: PathLimit,
): void {
  const { headers } = head;
  // Without a method the head was refused, and what else it has is of the request before.
  if (head.method !== '') {
    const target = (info.originalPath || head.path).slice(0, maxPathTagLength);
    const query = target.indexOf('?');
    writeCommon(writer, head.scheme, schemeAttribute);
    writer.textAttribute(field, key.path, query < 0 ? target : target.slice(0, query));
    if (query >= 0) writer.textAttribute(field, key.query, target.slice(query + 1));
    writeHostAndPort(writer, head.authority, serverAddress);
  }
  writeHostAndPort(writer, info.downstreamDirectRemoteAddress, peerAddress);
  writeClient(writer, info.downstreamRemoteAddress);
  const userAgent = headers.findId(HeaderId.userAgent);
  if (userAgent >= 0) writer.textAttribute(field, key.userAgent, headers.value(userAgent));
  writer.textAttribute(field, key.requestId, info.requestId);
  const clientTraceId = headers.findId(HeaderId.xClientTraceId);
  if (clientTraceId >= 0) writer.textAttribute(field, key.clientTraceId, headers.value(clientTraceId));
  const caller = headers.findId(HeaderId.xEnvoyDownstreamServiceCluster);
  if (caller < 0) writer.raw(noCaller, 0, noCaller.length);
  else writer.textAttribute(field, key.downstreamCluster, headers.value(caller));
}

/** What became of it. `errorType` is empty where nothing went wrong. */
export function writeOutcome(writer: SpanWriter, info: StreamInfo, errorType: string): void {
  if (info.responseCode > 0) writer.integerAttribute(field, key.status, info.responseCode);
  writer.integerAttribute(field, key.requestSize, info.requestBodyBytes);
  writer.integerAttribute(field, key.responseSize, info.responseBodyBytes);
  if (info.responseFlags === 0) writer.raw(noFlags, 0, noFlags.length);
  else writer.textAttribute(field, key.responseFlags, shortFlags(info.responseFlags));
  writer.textAttribute(field, key.errorType, errorType);
}

/** Where one attempt went. */
export function writeEndpoint(writer: SpanWriter, { endpoint }: AttemptTrace, attributes: number): void {
  if (endpoint === null) return;
  writer.textAttribute(attributes, key.upstreamAddress, endpoint.addressText);
}

export interface AttemptFacts extends PathLimit {
  readonly head: RequestHead;
  /** 0 for the first. */
  readonly number: number;
  readonly grpcStatus: number;
}

/** Of the span of an attempt. */
export function writeAttempt(
  writer: SpanWriter,
  attempt: AttemptTrace,
  { head, number, grpcStatus, maxPathTagLength }: AttemptFacts,
): void {
  const { endpoint, status, failure } = attempt;
  const path = head.path.slice(0, maxPathTagLength);
  writer.textAttribute(field, key.fullUrl, `${head.scheme}://${head.authority}${path}`);
  if (endpoint !== null) {
    writer.textAttribute(field, key.upstreamAddress, endpoint.addressText);
    const host = endpoint.hostname === '' ? hostOf(endpoint.addressText) : endpoint.hostname;
    writer.textAttribute(field, key.serverAddress, host);
    writeHostAndPort(writer, endpoint.addressText, peerAddress);
    const port = portOf(endpoint.addressText);
    if (port > 0) writer.integerAttribute(field, key.serverPort, port);
  }
  if (number > 0) writer.integerAttribute(field, key.resendCount, number);
  writeAnswer(writer, attempt, field);
  if (failure !== '') writer.textAttribute(field, key.errorType, 'upstream_reset');
  else if (grpcStatus > 0) writer.textAttribute(field, key.errorType, String(grpcStatus));
  else if (status >= 400) writer.textAttribute(field, key.errorType, String(status));
}

/** What an attempt got, in a span or in an event. */
export function writeAnswer(writer: SpanWriter, { status }: AttemptTrace, attributes: number): void {
  if (status > 0) writer.integerAttribute(attributes, key.status, status);
}

/** Attributes that never change, as fields of a span. Names and values are UTF-16; empty values are left out. */
export function encodeAttributes(pairs: readonly (readonly [name: string, value: string])[]): Uint8Array {
  const writer = new SpanWriter(256);
  for (const [name, value] of pairs) {
    writer.textAttribute(field, attributeKey(name), Buffer.from(value, 'utf8').latin1Slice());
  }
  return Uint8Array.from(writer.bytes.subarray(0, writer.used));
}

/** Short names joined by commas; `-` when there are none, as Envoy writes them. */
export function shortFlags(flags: number): string {
  if (flags === 0) return '-';
  let names = '';
  for (const { bit, short } of responseFlagNames) {
    if ((flags & bit) !== 0) names += names === '' ? short : `,${short}`;
  }
  return names;
}

export function isGrpc({ headers }: RequestHead): boolean {
  const row = headers.findId(HeaderId.contentType);
  if (row < 0) return false;
  const start = headers.valueStart(row);
  if (headers.valueEnd(row) - start < grpcType.length) return false;
  for (let index = 0; index < grpcType.length; index++) {
    if (headers.bytes[start + index] !== grpcType[index]) return false;
  }
  return true;
}

const grpcType = Buffer.from('application/grpc', 'latin1');

// `/package.Service/Method`
function writeRpc(writer: SpanWriter, path: string, status: number): void {
  writer.textAttribute(field, key.rpcSystem, 'grpc');
  const slash = path.lastIndexOf('/');
  if (path.startsWith('/') && slash > 0) {
    writer.textAttribute(field, key.rpcService, path.slice(1, slash));
    writer.textAttribute(field, key.rpcMethod, path.slice(slash + 1));
  }
  if (status >= 0) writer.integerAttribute(field, key.grpcStatus, status);
}

/** To the semantic conventions: others are `_OTHER`. */
export function isKnownMethod(method: string): boolean {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'POST':
    case 'PUT':
    case 'DELETE':
    case 'CONNECT':
    case 'OPTIONS':
    case 'TRACE':
    case 'PATCH':
      return true;
    default:
      return false;
  }
}

/** An attribute that many spans have alike. */
interface CommonAttribute {
  readonly key: Uint8Array;
  readonly written: WrittenBlocks;
}

function writeCommon(writer: SpanWriter, text: string, { key, written }: CommonAttribute): void {
  if (written.write(writer, text)) return;
  const start = writer.used;
  writer.textAttribute(field, key, text);
  written.keep(writer, text, start);
}

function writeClient(writer: SpanWriter, address: string): void {
  if (clients.write(writer, address)) return;
  const start = writer.used;
  writer.textAttribute(field, key.clientAddress, hostOf(address));
  clients.keep(writer, address, start);
}

/** An address in two attributes. */
interface AddressAttributes {
  readonly host: Uint8Array;
  readonly port: Uint8Array;
  readonly written: WrittenBlocks;
}

function writeHostAndPort(writer: SpanWriter, address: string, { host, port, written }: AddressAttributes): void {
  if (written.write(writer, address)) return;
  const start = writer.used;
  writer.textAttribute(field, host, hostOf(address));
  const number = portOf(address);
  if (number > 0) writer.integerAttribute(field, port, number);
  written.keep(writer, address, start);
}

const methodAttribute = { key: key.method, written: new WrittenBlocks() };
const protocols = new WrittenBlocks();
const schemeAttribute = { key: key.scheme, written: new WrittenBlocks() };
const clients = new WrittenBlocks();
const serverAddress = { host: key.serverAddress, port: key.serverPort, written: new WrittenBlocks() };
const peerAddress = { host: key.peerAddress, port: key.peerPort, written: new WrittenBlocks() };
const noCaller = encodeAttributes([['downstream_cluster', '-']]);
const noFlags = encodeAttributes([['response_flags', '-']]);

/** Of `host`, `host:port`, `[v6]:port`, or a path. */
export function hostOf(address: string): string {
  if (address.charCodeAt(0) === 0x5b) return address.slice(1, Math.max(1, address.indexOf(']')));
  const colon = address.lastIndexOf(':');
  return colon < 0 || address.charCodeAt(0) === 0x2f ? address : address.slice(0, colon);
}

function portOf(address: string): number {
  const colon = address.lastIndexOf(':');
  if (colon < 0 || address.charCodeAt(0) === 0x2f || address.endsWith(']')) return 0;
  const port = Number(address.slice(colon + 1));
  return Number.isInteger(port) && port > 0 ? port : 0;
}

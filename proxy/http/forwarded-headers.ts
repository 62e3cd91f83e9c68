// What the next hop is told about the client: x-forwarded-for, -proto, x-envoy-internal, x-request-id, via.
// Envoy's rules: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers

import { isIP } from 'node:net';
import type { ConnectionFacts } from './connection-facts.ts';
import { HeaderId, headerName } from './header-name.ts';
import { encodeLine, type HeaderTable, headerIdSet } from './header-table.ts';
import { newRequestId } from './request-id.ts';
import type { Stream } from './stream.ts';

const protoHttpLine = encodeLine('x-forwarded-proto', 'http');
const protoHttpsLine = encodeLine('x-forwarded-proto', 'https');
const https = Buffer.from('https');
const internalLine = encodeLine('x-envoy-internal', 'true');
const viaName = headerName('via');
const forwardedForName = headerName('x-forwarded-for');
const forwardedProtoName = headerName('x-forwarded-proto');
const externalAddressName = headerName('x-envoy-external-address');

/** Set by us or by trusted hops only: removed from requests that are not internal. */
const internalOnly = headerIdSet([
  HeaderId.xEnvoyInternal,
  HeaderId.xEnvoyRetriableStatusCodes,
  HeaderId.xEnvoyRetriableHeaderNames,
  HeaderId.xEnvoyRetryOn,
  HeaderId.xEnvoyRetryGrpcOn,
  HeaderId.xEnvoyMaxRetries,
  HeaderId.xEnvoyUpstreamAltStatName,
  HeaderId.xEnvoyUpstreamRqTimeoutMs,
  HeaderId.xEnvoyUpstreamRqPerTryTimeoutMs,
  HeaderId.xEnvoyExpectedRqTimeoutMs,
  HeaderId.xEnvoyForceTrace,
  HeaderId.xEnvoyIpTags,
  HeaderId.xEnvoyOriginalUrl,
  HeaderId.xEnvoyHedgeOnPerTryTimeout,
]);
const edgeOnly = headerIdSet([
  HeaderId.xEnvoyDecoratorOperation,
  HeaderId.xEnvoyDownstreamServiceCluster,
  HeaderId.xEnvoyDownstreamServiceNode,
  HeaderId.xEnvoyOriginalPath,
]);

export function applyForwardedHeaders(stream: Stream): void {
  const { head, manager } = stream;
  const { headers } = head;
  const { config } = manager;
  joinForwardedFor(headers);
  manager.clientCert.apply(headers, stream.facts.tls);
  const client = config.useRemoteAddress ? applyRemoteAddress(stream) : applyTrustedXff(stream);
  if (config.scheme.kind === 'overwrite') {
    head.scheme = config.scheme.scheme;
    headers.removeId(HeaderId.xForwardedProto);
    headers.appendLine(head.scheme === 'https' ? protoHttpsLine : protoHttpLine);
  } else {
    const proto = headers.findId(HeaderId.xForwardedProto);
    const isHttps = proto < 0 ? stream.facts.tls !== undefined : headers.valueEquals(proto, https);
    if (proto < 0) headers.appendLine(isHttps ? protoHttpsLine : protoHttpLine);
    if (isHttps) head.scheme = 'https';
  }
  if (config.via !== '') {
    const via = headers.get(viaName);
    headers.set(viaName, via === undefined ? config.via : `${via}, ${config.via}`);
  }
  const isEdge = config.useRemoteAddress && !stream.isInternal;
  stream.isExternal = isEdge;
  if (stream.isInternal) {
    headers.removeId(HeaderId.xEnvoyInternal);
    headers.appendLine(internalLine);
  } else {
    cleanInternalHeaders(stream, isEdge);
    if (isEdge && client !== '') headers.set(externalAddressName, client);
  }
  applyRequestId(stream, isEdge);
}

// Several fields are one list (RFC 9110 section 5.3): who reads only the first can be told another client.
function joinForwardedFor(headers: HeaderTable): void {
  const first = headers.findId(HeaderId.xForwardedFor);
  if (first < 0) return;
  if (headers.findId(HeaderId.xForwardedFor, first + 1) >= 0)
    headers.set(forwardedForName, headers.get(forwardedForName)!);
}

// `use_remote_address`: the peer itself is the client, or the first hop we do not trust. Returns its address.
function applyRemoteAddress(stream: Stream): string {
  const { head, manager, facts, info } = stream;
  const { headers } = head;
  const { config } = manager;
  const received = headers.findId(HeaderId.xForwardedFor);
  let client = facts.remoteIp;
  if (config.xffNumTrustedHops > 0 && received >= 0) {
    const named = lastAddress(headers.value(received), config.xffNumTrustedHops - 1);
    if (named !== '') {
      client = named;
      info.downstreamRemoteAddress = `${named}:0`;
    }
  }
  stream.isInternal = received < 0 && manager.isInternalAddress(client);
  if (!config.skipXffAppend) {
    const own = facts.isLoopbackPeer ? manager.context.localIp : facts.remoteIp;
    if (received < 0) headers.append('x-forwarded-for', own);
    else headers.replaceValue(received, joined(headers.value(received), own));
  }
  if (config.xffNumTrustedHops === 0) overwriteForwardedProto(headers, facts);
  return client;
}

// The hop before us is not trusted to tell how the client reached it: over this connection.
function overwriteForwardedProto(headers: HeaderTable, { tls }: ConnectionFacts): void {
  if (headers.findId(HeaderId.xForwardedProto) >= 0)
    headers.set(forwardedProtoName, tls === undefined ? 'http' : 'https');
}

function joined(list: string, item: string): string {
  return list === '' ? item : `${list},${item}`;
}

// Otherwise the client is whom x-forwarded-for names, counted from its end. Returns its address, empty when unknown.
function applyTrustedXff(stream: Stream): string {
  const { headers } = stream.head;
  const received = headers.findId(HeaderId.xForwardedFor);
  if (received < 0) {
    stream.isInternal = false;
    return '';
  }
  const value = headers.value(received);
  const named = lastAddress(value, stream.manager.config.xffNumTrustedHops);
  if (named === '') return '';
  stream.info.downstreamRemoteAddress = `${named}:0`;
  stream.isInternal = !value.includes(',') && stream.manager.isInternalAddress(named);
  return named;
}

/** The address `skip` places before the last of a comma-separated list; empty when there is none or it is no address. */
function lastAddress(value: string, skip: number): string {
  let end = value.length;
  for (let hop = 0; hop < skip; hop++) {
    end = value.lastIndexOf(',', end - 1);
    if (end < 0) return '';
  }
  const start = value.lastIndexOf(',', end - 1) + 1;
  const address = value.slice(start, end).trim();
  return isIP(address) === 0 ? '' : address;
}

function cleanInternalHeaders(stream: Stream, isEdge: boolean): void {
  const { headers } = stream.head;
  headers.removeAny(internalOnly);
  if (isEdge) headers.removeAny(edgeOnly);
  const { internalOnlyHeaders } = stream.manager;
  for (let index = 0; index < internalOnlyHeaders.length; index++) headers.remove(internalOnlyHeaders[index]!);
}

function applyRequestId(stream: Stream, isEdge: boolean): void {
  const { head, info, manager } = stream;
  const { config } = manager;
  const row = head.headers.findId(HeaderId.xRequestId);
  const isKept = row >= 0 && (config.preserveExternalRequestId || !isEdge);
  if (isKept || !config.generateRequestId) {
    if (row >= 0) info.requestId = head.headers.value(row);
    return;
  }
  info.requestId = newRequestId();
  if (row >= 0) head.headers.replaceValue(row, info.requestId);
  else head.headers.append('x-request-id', info.requestId);
}

// Zipkin's protobuf form of a span (`zipkin.proto3.Span`), as an entry of `ListOfSpans`.
// https://github.com/openzipkin/zipkin-api/blob/master/zipkin.proto

import { parseIpAddress } from '../../config/ip-address.ts';
import { bytesField, fixed64Field, integerField, textField } from './protobuf-field.ts';
import type { ZipkinEndpoint, ZipkinSpan } from './zipkin-span.ts';

/** A whole field: entries one behind the other are a `ListOfSpans`. */
export function zipkinSpanField(span: ZipkinSpan): Uint8Array {
  const { traceId, parentId, id, kind, name, timestamp, duration, localEndpoint, remoteEndpoint, shared } = span;
  const parts: Uint8Array[] = [bytesField(1, Buffer.from(traceId, 'hex'))];
  if (parentId !== undefined) parts.push(bytesField(2, Buffer.from(parentId, 'hex')));
  parts.push(bytesField(3, Buffer.from(id, 'hex')));
  if (kind !== undefined) parts.push(integerField(4, kind === 'CLIENT' ? 1 : 2));
  if (name !== undefined) parts.push(textField(5, name));
  parts.push(fixed64Field(6, timestamp), integerField(7, duration), bytesField(8, endpointMessage(localEndpoint)));
  if (remoteEndpoint !== undefined) parts.push(bytesField(9, endpointMessage(remoteEndpoint)));
  for (const { timestamp, value } of span.annotations ?? []) {
    parts.push(bytesField(10, Buffer.concat([fixed64Field(1, timestamp), textField(2, value)])));
  }
  for (const [key, value] of Object.entries(span.tags ?? {})) {
    parts.push(bytesField(11, Buffer.concat([textField(1, key), textField(2, value)])));
  }
  if (shared) parts.push(integerField(13, 1));
  return bytesField(1, Buffer.concat(parts));
}

function endpointMessage({ serviceName, ipv4, ipv6, port }: ZipkinEndpoint): Uint8Array {
  const parts: Uint8Array[] = [];
  if (serviceName !== undefined) parts.push(textField(1, serviceName));
  if (ipv4 !== undefined) parts.push(bytesField(2, addressBytes(ipv4)));
  if (ipv6 !== undefined) parts.push(bytesField(3, addressBytes(ipv6)));
  if (port !== undefined) parts.push(integerField(4, port));
  return Buffer.concat(parts);
}

/** In network order; none of what is no address. */
function addressBytes(ip: string): Uint8Array {
  const bits = parseIpAddress(ip);
  if (bits === null) return new Uint8Array();
  return Buffer.from(bits.toString(16).padStart(typeof bits === 'number' ? 8 : 32, '0'), 'hex');
}

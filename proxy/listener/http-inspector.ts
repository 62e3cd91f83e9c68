// Finds out whether a connection that is not TLS begins with HTTP, and with which version.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/listener_filters/http_inspector
//
// As in Envoy the whole request line is awaited, because the version is its end, and every version of HTTP/1 but 1.1 is
// `http/1.0`. Whatever has the shape of a request line counts, sound or not: the codec refuses it with a reply, where a
// chain for other protocols would pass it on unread. What has not is known from the first byte that is wrong.

import { httpInspectorStats } from '../telemetry/listener-filter-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import { type Inspection, type Inspector, MAX_INSPECTED_BYTES, Verdict } from './listener-filter.ts';

export class HttpInspector implements Inspector {
  readonly #stats: StatBlock;

  /** `stats` is a block of `httpInspectorStats`. */
  constructor(stats: StatBlock) {
    this.#stats = stats;
  }

  inspect({ bytes, end, seen, found }: Inspection): Verdict {
    if (found.transportProtocol === 'tls') return Verdict.done;
    const outcome = recognizeHttp(bytes, end, seen);
    if (outcome === 'incomplete') {
      if (end < MAX_INSPECTED_BYTES) return Verdict.needsMore;
      this.#stats.inc(httpInspectorStats.readError);
      return Verdict.refused;
    }
    this.#stats.inc(statOf[outcome]);
    if (outcome !== 'none') found.applicationProtocols = protocolsOf[outcome];
    return Verdict.done;
  }
}

const statOf = {
  'http/1.0': httpInspectorStats.http10Found,
  'http/1.1': httpInspectorStats.http11Found,
  h2c: httpInspectorStats.http2Found,
  none: httpInspectorStats.httpNotFound,
} as const;

const protocolsOf = { 'http/1.0': ['http/1.0'], 'http/1.1': ['http/1.1'], h2c: ['h2c'] } as const;

/** What `bytes[0, end)` begins with; the first `seen` of them were incomplete before. */
export function recognizeHttp(
  bytes: Buffer,
  end: number,
  seen: number,
): 'http/1.0' | 'http/1.1' | 'h2c' | 'none' | 'incomplete' {
  const prefaceBytes = Math.min(end, preface.length);
  if (bytes.compare(preface, 0, prefaceBytes, 0, prefaceBytes) === 0) {
    return end < preface.length ? 'incomplete' : 'h2c';
  }
  const methodBytes = tokenLength(bytes, Math.min(end, MAX_METHOD_BYTES + 1));
  if (methodBytes > MAX_METHOD_BYTES) return 'none';
  if (methodBytes === end) return 'incomplete';
  if (methodBytes === 0 || !isSpace(bytes[methodBytes]!)) return 'none';
  // What began as the preface was not searched.
  for (let at = seen > preface.length ? seen : methodBytes; at < end; at++) {
    if (bytes[at] === LINE_FEED) return versionOf(bytes, methodBytes, at);
  }
  return 'incomplete';
}

/** RFC 9112 section 2.3, at the end of the request line; white space behind it is left to the codec to refuse. */
function versionOf(bytes: Buffer, methodEnd: number, lineEnd: number): 'http/1.0' | 'http/1.1' | 'none' {
  let end = lineEnd;
  while (isSpace(bytes[end - 1]!) || bytes[end - 1] === CARRIAGE_RETURN) end--;
  const start = end - VERSION_BYTES;
  if (start <= methodEnd || !isSpace(bytes[start - 1]!)) return 'none';
  const version = bytes.latin1Slice(start, end);
  if (version === 'HTTP/1.1') return 'http/1.1';
  return /^HTTP\/\d\.\d$/.test(version) ? 'http/1.0' : 'none';
}

/** RFC 9110 section 5.6.2. */
function tokenLength(bytes: Buffer, end: number): number {
  let at = 0;
  while (at < end && isTokenByte[bytes[at]!] === 1) at++;
  return at;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09;
}

const isTokenByte = new Uint8Array(256);
for (const byte of Buffer.from("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")) {
  isTokenByte[byte] = 1;
}

/** RFC 9113 section 3.4. */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** Far longer than any method there is: a protocol that begins with a long word is not waited for. */
const MAX_METHOD_BYTES = 64;
const VERSION_BYTES = 'HTTP/1.1'.length;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

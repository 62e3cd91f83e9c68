// Well-known header names as small integers, so that the data path compares numbers and not strings.

/**
 * Names that some stage looks up on every request. 0 stands for every other name, 95 is the last that there can be: a
 * table says in three words of 32 bits which it has.
 */
export const HeaderId = {
  other: 0,
  host: 1,
  connection: 2,
  contentLength: 3,
  transferEncoding: 4,
  keepAlive: 5,
  proxyConnection: 6,
  te: 7,
  trailer: 8,
  upgrade: 9,
  expect: 10,
  date: 11,
  server: 12,
  via: 13,
  xForwardedFor: 14,
  xForwardedProto: 15,
  xForwardedHost: 16,
  xRequestId: 17,
  xEnvoyInternal: 18,
  xEnvoyExternalAddress: 19,
  xEnvoyExpectedRqTimeoutMs: 20,
  xEnvoyAttemptCount: 21,
  xEnvoyUpstreamServiceTime: 22,
  xEnvoyUpstreamRqTimeoutMs: 23,
  xEnvoyUpstreamRqPerTryTimeoutMs: 24,
  xEnvoyRetryOn: 25,
  xEnvoyMaxRetries: 26,
  xEnvoyOriginalPath: 27,
  contentType: 28,
  grpcStatus: 29,
  grpcMessage: 30,
  http2Settings: 31,
  retryAfter: 32,
  userAgent: 33,
  accept: 34,
  location: 35,
  xEnvoyDecoratorOperation: 36,
  xEnvoyOverloaded: 37,
  xEnvoyRetriableStatusCodes: 38,
  xEnvoyUpstreamAltStatName: 39,
  xEnvoyRatelimited: 40,
  xEnvoyRetryGrpcOn: 41,
  xEnvoyRetriableHeaderNames: 42,
  xEnvoyHedgeOnPerTryTimeout: 43,
  xEnvoyDownstreamServiceCluster: 44,
  xEnvoyDownstreamServiceNode: 45,
  xEnvoyIpTags: 46,
  xEnvoyForceTrace: 47,
  authorization: 48,
  cookie: 49,
  xEnvoyOriginalMethod: 50,
  xEnvoyUpstreamStreamDurationMs: 51,
  xEnvoyLocalOverloaded: 52,
  xForwardedClientCert: 53,
  xClientTraceId: 54,
  grpcTimeout: 55,
  traceparent: 56,
  tracestate: 57,
  b3: 58,
  xB3Traceid: 59,
  xB3Spanid: 60,
  xB3Sampled: 61,
  xB3Flags: 62,
  xB3Parentspanid: 63,
  xEnvoyPeerMetadata: 64,
  xEnvoyPeerMetadataId: 65,
  serverTiming: 66,
  xEnvoyOriginalUrl: 67,
} as const;
export type HeaderId = (typeof HeaderId)[keyof typeof HeaderId];

/** ASCII lower case of every byte; other bytes map to themselves. */
export const lowerCase: Uint8Array = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) lowerCase[byte] = byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;

/** A header name prepared for look-ups: lower case, with its bytes and its id. Made at compile time, not per request. */
export interface HeaderName {
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly id: HeaderId;
}

// `contentLength` → `content-length`; digits stay with the word before them, as in `http2-settings`.
function wireName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

const idByName = new Map<string, HeaderId>();
let longestName = 0;
for (const key in HeaderId) {
  const name = wireName(key);
  if (key !== 'other') idByName.set(name, HeaderId[key as keyof typeof HeaderId]);
  longestName = Math.max(longestName, name.length);
}

/** Prepares a name for look-ups. */
export function headerName(name: string): HeaderName {
  const text = name.toLowerCase();
  return { text, bytes: Buffer.from(text, 'latin1'), id: idByName.get(text) ?? HeaderId.other };
}

// Names bucketed by length and first letter: a look-up touches one or two candidates. An array indexed by
// `length * 32 + (letter & 31)`, because a Map look-up costs more than the comparison it saves.
const candidates: HeaderName[][] = [];
for (let slot = 0; slot <= longestName * 32 + 31; slot++) candidates.push([]);
for (const text of idByName.keys()) {
  const name = headerName(text);
  candidates[text.length * 32 + (name.bytes[0]! & 31)]!.push(name);
}

/** The id of the name in `bytes[start, end)`, compared without case. */
export function identifyHeader(bytes: Uint8Array, start: number, end: number): HeaderId {
  const length = end - start;
  if (length > longestName || length === 0) return HeaderId.other;
  const slot = candidates[length * 32 + (bytes[start]! & 31)]!;
  for (let index = 0; index < slot.length; index++) {
    const candidate = slot[index]!;
    if (equalsIgnoreCase(bytes, start, candidate.bytes)) return candidate.id;
  }
  return HeaderId.other;
}

/** Whether `bytes` at `start` continues with `lower`, which is lower case, without regard to case. */
export function equalsIgnoreCase(bytes: Uint8Array, start: number, lower: Uint8Array): boolean {
  for (let index = 0; index < lower.length; index++) {
    if (lowerCase[bytes[start + index]!] !== lower[index]) return false;
  }
  return true;
}

// The message seam: what a codec hands to the connection manager and what it is handed back. HTTP/1.1, HTTP/2 and the
// uWebSockets engine fill and read these; nothing behind the seam knows how the bytes looked on the wire.

import type { LineTrace } from '../tracing/trace-line.ts';
import { HeaderTable } from './header-table.ts';

/** How the end of a body is known. */
export const BodyFraming = {
  /** There is no body. */
  none: 0,
  /** Exactly `contentLength` bytes. */
  length: 1,
  /** Chunked on the wire (or framed by the protocol itself, as in HTTP/2): the end comes with the last piece. */
  chunked: 2,
  /** A response that ends with its connection. */
  untilClose: 3,
} as const;
export type BodyFraming = (typeof BodyFraming)[keyof typeof BodyFraming];

export const HttpVersion = { http10: 10, http11: 11, http2: 20 } as const;
export type HttpVersion = (typeof HttpVersion)[keyof typeof HttpVersion];

/** The head of a request. One object lives as long as its downstream connection and is refilled for each request. */
export class RequestHead {
  readonly headers = new HeaderTable();
  /** Upper-case token as received: methods are case-sensitive (RFC 9110 §9.1). */
  method = '';
  /** Path and query in origin form; `*` for OPTIONS; empty for CONNECT. */
  path = '';
  /** Host and port from the target, else from Host; empty when HTTP/1.0 gave none. Case as received. */
  authority = '';
  scheme: 'http' | 'https' = 'http';
  version: HttpVersion = HttpVersion.http11;
  framing: BodyFraming = BodyFraming.none;
  contentLength = 0;
  /** The client keeps the connection open after this message. */
  keepAlive = true;
  /** Lower-case protocol of an Upgrade request; empty when there is none. */
  upgrade = '';
  /** The client waits for 100 Continue before it sends the body. */
  expectsContinue = false;
  /** Null before the first request that is traced. */
  traceLine: LineTrace | null = null;
}

/** Whether a second sending means no more than the first (RFC 9110 §9.2.2). Methods that are not known are not. */
export function isIdempotent(method: string): boolean {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'OPTIONS':
    case 'TRACE':
    case 'PUT':
    case 'DELETE':
      return true;
    default:
      return false;
  }
}

/** Whether body bytes follow; a length of 0 announces none. */
export function hasBody(head: { readonly framing: BodyFraming; readonly contentLength: number }): boolean {
  return head.framing !== BodyFraming.none && (head.framing !== BodyFraming.length || head.contentLength > 0);
}

/** The head of a response. One object lives as long as its upstream connection. */
export class ResponseHead {
  readonly headers = new HeaderTable();
  status = 0;
  /** Reason phrase as received; forwarded, so that the line survives. */
  reason = '';
  version: HttpVersion = HttpVersion.http11;
  framing: BodyFraming = BodyFraming.none;
  contentLength = 0;
  /** The peer keeps the connection open after this message. */
  keepAlive = true;
  /** Value of `Keep-Alive: timeout=` in ms; 0 when not said. */
  keepAliveTimeoutMs = 0;
}

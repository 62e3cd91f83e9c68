// How the body of a response reaches a client of HTTP/1.x, whatever way it came (RFC 9112 section 6).

import { HeaderId } from '../header-name.ts';
import { encodeLine } from '../header-table.ts';
import { BodyFraming, HttpVersion, type RequestHead, type ResponseHead } from '../message.ts';

const chunkedLine = encodeLine('transfer-encoding', 'chunked');

/**
 * Gives the answer to `request` the framing that its client understands, and the field that says so. Whether the body ends with
 * the connection: one without a length does for HTTP/1.0, and is chunked for HTTP/1.1.
 */
export function frameResponse(head: ResponseHead, request: RequestHead): boolean {
  const isOld = request.version === HttpVersion.http10;
  // RFC 9112 section 6.1: never to a client of HTTP/1.0, not even in the answer to its HEAD.
  if (isOld) head.headers.removeId(HeaderId.transferEncoding);
  else if (head.framing === BodyFraming.none && request.method === 'HEAD') announceFraming(head);
  if (head.framing !== BodyFraming.untilClose && head.framing !== BodyFraming.chunked) return false;
  if (isOld) {
    head.framing = BodyFraming.untilClose;
    return true;
  }
  if (head.headers.findId(HeaderId.transferEncoding) < 0) head.headers.appendLine(chunkedLine);
  head.framing = BodyFraming.chunked;
  return false;
}

/** Of the answer to a HEAD: what a GET would have been answered with (RFC 9110 section 9.3.2). Without a length it would be chunked. */
export function announceFraming({ status, headers }: ResponseHead): void {
  if (status < 200 || status === 204 || status === 304) return;
  if (headers.findId(HeaderId.contentLength) >= 0 || headers.findId(HeaderId.transferEncoding) >= 0) return;
  headers.appendLine(chunkedLine);
}

/** Whether the connection carries bytes behind this head, and no message any more. Its end says so, and no field. */
export function opensTunnel({ status }: ResponseHead, request: RequestHead): boolean {
  return status === 101 || (request.method === 'CONNECT' && status >= 200 && status < 300);
}

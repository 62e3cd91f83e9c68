// Which requests uWebSockets.js may see. Its parser is quick because it looks at little, and what it reads differently
// from us would be forwarded as something that nobody has sent (docs/engines.md lists what was found). So a head is first
// read by our own parser, while its bytes are still in the kernel, and only what both understand in the same way goes on.

import { Byte } from '../../http/http1/byte-class.ts';
import { BodyFraming, HttpVersion, hasBody, type RequestHead } from '../../http/message.ts';

/** It refuses heads above 4,096 bytes and 100 fields (or as UWS_HTTP_MAX_HEADERS_SIZE says). */
const maxHeadBytes = 4000;
const maxFields = 90;

/**
 * Whether the library reads `bytes[0, headBytes)` as our parser has read it into `head`, and can carry request and response.
 * `end` is where the bytes at hand end.
 */
export function isCarried(head: RequestHead, bytes: Buffer, headBytes: number, end: number): boolean {
  if (head.version !== HttpVersion.http11 || head.framing === BodyFraming.chunked) return false;
  if (head.upgrade !== '' || head.expectsContinue || head.authority === '') return false;
  if (headBytes > maxHeadBytes || head.headers.rowCount > maxFields) return false;
  // What is behind the request would be taken for another one while this one is answered, which ends the connection.
  const followingBytes = end - headBytes;
  if (followingBytes > (hasBody(head) ? head.contentLength : 0)) return false;
  return isPlainRequestLine(head.method, bytes);
}

/** `METHOD /… HTTP/1.1` with no empty line before it. */
function isPlainRequestLine(method: string, bytes: Buffer): boolean {
  const targetStart = method.length + 1;
  if (bytes[targetStart - 1] !== Byte.space || bytes[targetStart] !== Byte.slash) return false;
  return bytes[bytes.indexOf(Byte.cr) - 1] === one;
}

/** The digit behind the point: a later minor version is not known to it. */
const one = 0x31;

// Gives a local reply its form: Envoy's text plus a plain sentence, JSON for who asks for it, status and message for gRPC,
// and whatever `local_reply_config` makes of it.

import { toByteString } from '../format/byte-string.ts';
import { sharedContext } from '../format/shared-context.ts';
import type { CompiledDirectResponse } from '../route/direct-response.ts';
import type { CompiledRedirect } from '../route/redirect.ts';
import { HeaderId } from './header-name.ts';
import { encodeLine } from './header-table.ts';
import { grpcStatusOf, type LocalReply } from './local-reply.ts';
import type { LocalReplyDraft } from './local-reply-mapper.ts';
import { BodyFraming, ResponseHead } from './message.ts';
import type { Stream } from './stream.ts';
import { ResponseFlag } from './stream-info.ts';

const noBody = new Uint8Array(0);
/** What Envoy adds when a circuit breaker refused the request. */
const overloadedLine = encodeLine('x-envoy-overloaded', 'true');

/** What is known of a reply beside its kind. */
export interface ReplyParts {
  /** The plain sentence of what went wrong; empty when nothing did. */
  readonly reason: string;
  /** Where a redirect leads to; empty when it is none. */
  readonly location: string;
  /** The body of a direct response, sent as it is; null for other replies. */
  readonly fixedBody: Uint8Array | null;
  /** That of a fixed body, whatever the route does to headers; empty: plain text unless the route has another. */
  readonly fixedType: string;
}

/** Builds the head and body of a reply and sends it. */
export function writeLocalReply(stream: Stream, reply: LocalReply, parts: ReplyParts): void {
  const head = new ResponseHead();
  head.status = reply.status;
  if (parts.location !== '') head.headers.append('location', parts.location);
  if ((reply.flags & ResponseFlag.upstreamOverflow) !== 0) head.headers.appendLine(overloadedLine);
  const mapping = stream.manager.localReplyMapping;
  if (mapping === null && parts.fixedBody !== null && !isGrpc(stream)) {
    sendBody(stream, head, { body: parts.fixedBody, contentType: 'text/plain', fixedType: parts.fixedType });
    return;
  }
  const draft = draftOf(stream, reply, parts);
  if (mapping !== null) {
    stream.info.responseCode = reply.status;
    mapping.apply(head, draft, sharedContext(stream.info, stream.head, head));
  }
  if (isGrpc(stream)) sendGrpc(stream, head, draft.body);
  else {
    const body = draft.body === '' ? noBody : Buffer.from(draft.body, 'latin1');
    sendBody(stream, head, { body, contentType: draft.contentType, fixedType: '' });
  }
}

/** Sends what the configuration holds. */
export function writeDirectResponse(stream: Stream, action: CompiledDirectResponse): void {
  const fixedBody = action.body(stream.head, stream.info);
  stream.info.responseCodeDetails = 'direct_response';
  const reply = { status: action.status, body: '', details: 'direct_response', flags: 0 };
  writeLocalReply(stream, reply, { reason: '', location: '', fixedBody, fixedType: action.contentType });
}

/** Sends the client elsewhere. */
export function writeRedirect(stream: Stream, action: CompiledRedirect): void {
  const location = action.location(stream.head, stream.info);
  stream.info.responseCodeDetails = 'direct_response';
  const reply = { status: action.status, body: '', details: 'direct_response', flags: 0 };
  writeLocalReply(stream, reply, { reason: '', location, fixedBody: null, fixedType: '' });
}

function draftOf(stream: Stream, reply: LocalReply, parts: ReplyParts): LocalReplyDraft {
  if (parts.fixedBody !== null) {
    return { body: Buffer.from(parts.fixedBody).latin1Slice(), contentType: parts.fixedType || 'text/plain' };
  }
  // The sentence names clusters and endpoints: for callers inside the mesh only.
  const sentence = stream.isExternal ? '' : parts.reason;
  const isJson = stream.manager.localReplyMapping === null && !isGrpc(stream) && wantsJson(stream);
  if (isJson && (reply.body !== '' || sentence !== '')) {
    return { body: toByteString(jsonBody(reply, sentence, stream.info.requestId)), contentType: 'application/json' };
  }
  const separator = reply.body === '' || sentence === '' ? '' : '; ';
  return { body: toByteString(`${reply.body}${separator}${sentence}`), contentType: 'text/plain' };
}

function jsonBody(reply: LocalReply, reason: string, requestId: string): string {
  const { status, details, body } = reply;
  return `${JSON.stringify({ status, details, message: body, reason, request_id: requestId })}\n`;
}

interface SentBody {
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly fixedType: string;
}

function sendBody(stream: Stream, head: ResponseHead, { body, contentType, fixedType }: SentBody): void {
  const { headers } = head;
  // A status without content has none, whatever was configured: its bytes would be read as the next response.
  const sent = hasNoContent(head.status) ? noBody : body;
  if (sent.length > 0) headers.append('content-type', contentType);
  head.framing = sent.length === 0 ? BodyFraming.none : BodyFraming.length;
  head.contentLength = sent.length;
  if (!hasNoContent(head.status)) headers.append('content-length', String(sent.length));
  stream.sendLocal(head, sent, sent.length > 0 ? fixedType : '');
}

/** 204 and 304 carry no content and no length of it (RFC 9110 §8.6). */
function hasNoContent(status: number): boolean {
  return status === 204 || status === 304 || status < 200;
}

// A gRPC client reads the status from headers of a response without body ("trailers only").
function sendGrpc(stream: Stream, head: ResponseHead, message: string): void {
  const { headers } = head;
  const status = grpcStatusOf(head.status);
  head.status = 200;
  headers.append('content-type', 'application/grpc');
  headers.append('grpc-status', String(status));
  if (message !== '') headers.append('grpc-message', percentEncoded(message));
  headers.append('content-length', '0');
  stream.sendLocal(head, noBody);
}

/** As gRPC wants its message: printable ASCII but for `%` stays, every other byte is encoded. */
function percentEncoded(bytes: string): string {
  let encoded = '';
  for (let at = 0; at < bytes.length; at++) {
    const code = bytes.charCodeAt(at);
    if (code >= 0x20 && code <= 0x7e && code !== 0x25) encoded += bytes[at]!;
    else encoded += `%${code.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

function isGrpc({ head }: Stream): boolean {
  const row = head.headers.findId(HeaderId.contentType);
  return row >= 0 && head.headers.value(row).startsWith('application/grpc');
}

function wantsJson({ head }: Stream): boolean {
  const row = head.headers.findId(HeaderId.accept);
  return row >= 0 && head.headers.value(row).includes('application/json');
}

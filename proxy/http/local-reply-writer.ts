// Gives a local reply its form: Envoy's text plus a plain sentence, JSON for who asks for it, status and message for gRPC.

import { HeaderId, headerName } from './header-name.ts';
import { grpcStatusOf, type LocalReply } from './local-reply.ts';
import { BodyFraming, ResponseHead } from './message.ts';
import type { Stream } from './stream.ts';

const contentType = headerName('content-type');
const noBody = new Uint8Array(0);

/** Builds the head and body of a reply and sends it. `fixedBody` is a direct response's. */
export function writeLocalReply(
  stream: Stream,
  reply: LocalReply,
  reason: string,
  location: string,
  fixedBody: Uint8Array | null,
): void {
  const head = new ResponseHead();
  head.status = reply.status;
  if (location !== '') head.headers.append('location', location);
  if (isGrpc(stream)) {
    writeGrpc(stream, head, reply, reason);
    return;
  }
  const body = fixedBody ?? bodyOf(stream, head, reply, reason);
  if (fixedBody !== null && body.length > 0) head.headers.append('content-type', 'text/plain');
  head.framing = body.length === 0 ? BodyFraming.none : BodyFraming.length;
  head.contentLength = body.length;
  if (!hasNoContent(reply.status)) head.headers.append('content-length', String(body.length));
  stream.sendLocal(head, body);
}

/** 204 and 304 carry no content and no length of it (RFC 9110 §8.6). */
function hasNoContent(status: number): boolean {
  return status === 204 || status === 304 || status < 200;
}

function bodyOf(stream: Stream, head: ResponseHead, reply: LocalReply, reason: string): Uint8Array {
  // The sentence names clusters and endpoints: for callers inside the mesh only.
  const sentence = stream.isExternal ? '' : reason;
  if (reply.body === '' && sentence === '') return noBody;
  if (wantsJson(stream)) {
    head.headers.append('content-type', 'application/json');
    return Buffer.from(
      `${JSON.stringify({ status: reply.status, details: reply.details, message: reply.body, reason: sentence, request_id: stream.info.requestId })}\n`,
    );
  }
  head.headers.append('content-type', 'text/plain');
  const text = reply.body === '' ? sentence : sentence === '' ? reply.body : `${reply.body}; ${sentence}`;
  return Buffer.from(text, 'utf8');
}

function isGrpc(stream: Stream): boolean {
  const { headers } = stream.head;
  const row = headers.find(contentType);
  return row >= 0 && headers.value(row).startsWith('application/grpc');
}

// A gRPC client reads the status from headers of a response without body ("trailers only").
function writeGrpc(stream: Stream, head: ResponseHead, reply: LocalReply, reason: string): void {
  head.status = 200;
  head.headers.append('content-type', 'application/grpc');
  head.headers.append('grpc-status', String(grpcStatusOf(reply.status)));
  const message = stream.isExternal || reason === '' ? reply.body : `${reply.body}; ${reason}`;
  if (message !== '') head.headers.append('grpc-message', encodeURIComponent(message).replaceAll('%20', ' '));
  head.headers.append('content-length', '0');
  stream.sendLocal(head, noBody);
}

function wantsJson(stream: Stream): boolean {
  const { headers } = stream.head;
  const row = headers.findId(HeaderId.accept);
  return row >= 0 && headers.value(row).includes('application/json');
}

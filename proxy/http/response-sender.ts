// The downstream half of the codec seam: what a stream asks of the protocol its client speaks.

import type { NativeBuffer } from '../../native/native-buffer.ts';
import type { ByteStream } from '../reactor/byte-stream.ts';
import type { Deadlines } from '../reactor/deadlines.ts';
import type { HeaderTable } from './header-table.ts';
import type { RequestHead, ResponseHead } from './message.ts';

export interface ResponseSender {
  readonly head: RequestHead;
  /** Slots of `StreamDeadline`. */
  readonly deadlines: Deadlines;
  /** The client has not taken all that was sent: whoever produces more should wait. */
  readonly isResponseBlocked: boolean;
  /** 1xx. Not called for HTTP/1.0 clients. */
  sendInterim(head: ResponseHead): void;
  /** `head.framing` says how the body will be framed; the codec may change it to what its version can carry. */
  sendHead(head: ResponseHead): void;
  sendData(buffer: NativeBuffer, start: number, end: number): void;
  /** Where data may also go past `sendData`, when nothing is added to it; null when it is framed. */
  readonly dataSink: ByteStream | null;
  sendBytes(bytes: Uint8Array): void;
  /** No further request is taken on a connection that carries one at a time: what may follow cannot be trusted. */
  closeAfterResponse(): void;
  /** The response is complete. */
  sendEnd(trailers: HeaderTable | null): void;
  /** The response cannot be completed: ends it so that the client cannot take it for a whole one. */
  abort(): void;
  /** From here on bytes pass both ways (101, CONNECT). */
  startTunnel(): void;
  /** The stream takes request bytes again. */
  resumeRequest(): void;
}

/** Deadlines of one stream; the codec's own follow behind. */
export const StreamDeadline = {
  /** Whole response, from the end of the request (`route.timeout`). */
  response: 0,
  perTry: 1,
  /** No byte in either direction (`stream_idle_timeout`). */
  streamIdle: 2,
  /** Whole request received (`request_timeout`). */
  request: 3,
  maxDuration: 4,
  /** The wait before a retry. */
  backoff: 5,
  /** No byte of the response within one attempt. */
  perTryIdle: 6,
  count: 7,
} as const;

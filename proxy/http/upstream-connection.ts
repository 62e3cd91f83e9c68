// The upstream half of the codec seam: what a request asks of the connection that carries it to an endpoint, and what it
// is told. The reactor's HTTP/1.1 (`http1/client-connection.ts`) and undici (`engine/undici/`) are behind it.

import type { NativeBuffer } from '../../native/native-buffer.ts';
import type { ConnectionNotes, CountedStream } from '../cluster/connection-notes.ts';
import type { UpstreamFailure } from '../cluster/upstream-failure.ts';
import type { ByteStream } from '../reactor/byte-stream.ts';
import type { TlsFacts } from '../transport/tls-facts.ts';
import type { HeaderTable } from './header-table.ts';
import type { RequestHead, ResponseHead } from './message.ts';

/** Who receives the response of the exchange that is open. No callback comes after End or Reset. */
export interface ResponseReceiver {
  /** 100, 102, 103; and 101, after which `startTunnel` may be called. */
  onInterimHead(head: ResponseHead): void;
  onResponseHead(head: ResponseHead, isEnd: boolean): void;
  onResponseData(buffer: NativeBuffer, start: number, end: number): void;
  /** Where data of the response may go past `onResponseData`; null when it may not. */
  readonly responseSink: ByteStream | null;
  /** `length` bytes of data went to `responseSink`. */
  onResponseRelayed(length: number): void;
  onResponseEnd(trailers: HeaderTable | null): void;
  onResponseReset(failure: UpstreamFailure): void;
  /** Request bytes that had to wait were taken. */
  onRequestDrained(): void;
  /** False while the other side does not take what it has: nothing more is read. */
  readonly acceptsResponseBody: boolean;
}

/** A connection to an endpoint that carries one exchange at a time. */
export interface UpstreamConnection {
  readonly stream: Pick<CountedStream, 'bytesReceived' | 'bytesSent'>;
  /** With those of the stream's bytes that are not of the open exchange. */
  readonly notes: Readonly<ConnectionNotes>;
  /** What its handshake showed; null or absent when it is plain. */
  readonly tls?: TlsFacts | null;
  /** Whether a byte of the response has arrived: the point after which nothing may be replayed. */
  readonly sawResponseByte: boolean;
  /** Nothing of the open exchange has left yet: another connection can carry it, whatever its method. */
  readonly isUnsent: boolean;
  /** Request bytes wait: whoever produces more should, too. */
  readonly isRequestBlocked: boolean;
  /** Bytes of the open exchange's heads; absent where only a library knows. */
  readonly exchangeHeadBytesSent?: number;
  readonly exchangeHeadBytesReceived?: number;

  /** Opens an exchange. */
  sendHead(head: RequestHead, receiver: ResponseReceiver): void;
  sendData(buffer: NativeBuffer, start: number, end: number): void;
  sendBytes(bytes: Uint8Array): void;
  sendEnd(trailers: HeaderTable | null): void;
  /** After 101 or a CONNECT's 2xx: bytes pass both ways until both sides have ended. */
  startTunnel(): void;
  endTunnelWriting(): void;
  /** Gives up the open exchange: the connection cannot carry another one. */
  abort(): void;
  /** The receiver accepts response bytes again. */
  resumeResponse(): void;
}

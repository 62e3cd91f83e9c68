// The seam between the reactor and everything above it: a byte stream with flow control in both directions.
//
// A stream is driven by its handler's callbacks. No callback is ever made from inside a call into the stream: what a
// call brings about (drained, closed, bytes offered again) is reported later in the same turn of the reactor.
// So a handler never has to expect to be re-entered.

import type { Address } from '../../config/address.ts';
import type { NativeBuffer } from '../../native/native-buffer.ts';
import type { TransferPipe } from './transfer-pipe.ts';

/** Why a stream is gone. */
export type CloseReason =
  /** We closed it; late where the peer has not ended in the time of a graceful close. */
  | { readonly kind: 'local'; readonly isLate?: true }
  /** Both directions ended in order. */
  | { readonly kind: 'remote' }
  /** `errno` is positive, such as ECONNRESET or ECONNREFUSED. */
  | { readonly kind: 'error'; readonly errno: number }
  /** TLS has failed, before data could flow or later; a sentence. */
  | { readonly kind: 'tls'; readonly problem: string }
  /** It was not connected in time, or the handshake of TLS was not done in time. */
  | { readonly kind: 'connect-timeout' };

export interface ByteStreamHandler {
  /** Data can flow: an outgoing connection is established, the handshake of TLS is done. Not called for accepted plain ones. */
  onConnected(): void;
  /**
   * Bytes arrived: `buffer[start, end)`, valid during this call only. Returns how many were consumed. The stream keeps
   * the rest and offers it again, in front of what arrives next, or once when reading is resumed.
   */
  onData(buffer: NativeBuffer, start: number, end: number): number;
  /** The peer sends no more (FIN). Bytes that were not consumed have been offered before. Writing may go on. */
  onEnd(): void;
  /** All bytes that `write` had to keep were taken by the kernel. Called only after `pendingWriteBytes` was above 0. */
  onDrained(): void;
  /** The stream is gone: the last callback. Connect failures end here too. */
  onClosed(reason: CloseReason): void;
}

/** Where bulk input may go without passing through our memory, when both streams are plain. */
export interface Relay {
  readonly sink: ByteStream;
  /** How many bytes may go there next; above 0. */
  readonly limitBytes: number;
  /** As `onData`, when `count` bytes have gone to the sink, or wait in it, already. */
  onRelayed(count: number): void;
}

export interface ByteStream {
  /** May be changed at any time; a pooled upstream stream changes handlers with its owner. */
  handler: ByteStreamHandler;
  readonly isClosed: boolean;
  /** The kernel may move bytes to and from it by itself: nothing is encrypted here. */
  readonly isPlain: boolean;
  /** Bytes accepted by `write` that the kernel has not taken yet: the sign to pause whoever produces them. */
  readonly pendingWriteBytes: number;
  /** Sum over the life of the stream. */
  readonly bytesReceived: number;
  readonly bytesSent: number;

  /** Whether bytes, an end or an error wait in the kernel unread: one look (MSG_PEEK), nothing is consumed. */
  hasInput(): boolean;
  /** Sends `buffer[start, end)`. What the kernel does not take is copied and sent when it can be. */
  write(buffer: NativeBuffer, start: number, end: number): void;
  /** As `write`, for `length` bytes that `pipe` holds; it is empty afterwards, whatever happens. */
  writeFrom(pipe: TransferPipe, length: number): void;
  /**
   * While the stream carries bulk, its input goes to `relay` instead of `onData`; which way one read goes is the
   * stream's choice. Null: all of it goes to `onData` again.
   */
  relayTo(relay: Relay | null): void;
  /** Stops `onData`. At most one read more is taken from the kernel and kept. The end is still noticed. */
  pauseReading(): void;
  /** Starts `onData` again; kept bytes are offered later in this turn. */
  resumeReading(): void;
  /** Sends FIN after all pending bytes. Reading goes on. */
  endWriting(): void;
  /**
   * Sends what is pending, then FIN, then discards input until the peer closes or `timeoutMs` is over. A peer that takes
   * nothing of what is pending is given up after half a minute, or `timeoutMs` if that is longer.
   */
  closeGracefully(timeoutMs: number): void;
  /** Closes at once; pending bytes are lost. */
  close(): void;
  /** Closes at once with RST, so that the peer cannot take a cut message for a whole one. */
  reset(): void;

  /** The peer's and our address; undefined for unnamed Unix peers. */
  remoteAddress(): Address | undefined;
  localAddress(): Address | undefined;
}

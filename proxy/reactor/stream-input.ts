// The receiving half of a connection: what was read and not consumed, and whether more is wanted.
//
// Its outcomes are those of the transport, so that the connection alone decides what an end or an error means.

import type { NativeBuffer } from '../../native/native-buffer.ts';
import type { Transport } from '../transport/transport.ts';
import type { ByteStreamHandler } from './byte-stream.ts';
import { KeptInput } from './kept-input.ts';
import type { Reactor } from './reactor.ts';

export class StreamInput {
  bytesReceived = 0;
  isPaused = false;
  /** Kept bytes are to be offered again in this turn. */
  isOfferDue = false;
  /** The peer's end, or an error, was read. */
  isEnded = false;
  /** The handler is looking at bytes: what it leaves is kept only when it returns. */
  isBeingHandled = false;
  readonly #transport: Transport;
  readonly #receiveBuffer: NativeBuffer;
  readonly #kept: KeptInput;
  #isStopped = false;

  constructor(reactor: Reactor, transport: Transport, maxKeptBytes: number) {
    this.#transport = transport;
    this.#receiveBuffer = reactor.receiveBuffer;
    this.#kept = new KeptInput(reactor.buffers, maxKeptBytes);
  }

  get keptBytes(): number {
    return this.#kept.lengthBytes;
  }

  /** Nothing more can be taken from the kernel before the handler consumes. */
  get isFull(): boolean {
    return this.#kept.isFull;
  }

  /** Bytes come before the end: those of a paused handler, and those that are to be offered again, still do. */
  get holdsBackEnd(): boolean {
    return this.#kept.lengthBytes > 0 && (this.isPaused || this.isOfferDue);
  }

  /** Reads once and hands on what there is. Returns what the transport did: bytes read, 0 at the end, a negated errno. */
  read(handler: ByteStreamHandler): number {
    if (this.#kept.lengthBytes > 0) return this.#readBehindKept(handler);
    const buffer = this.#receiveBuffer;
    const count = this.#transport.read(buffer, 0, buffer.length);
    if (count <= 0) return count;
    this.bytesReceived += count;
    this.isBeingHandled = true;
    const consumed = handler.onData(buffer, 0, count);
    this.isBeingHandled = false;
    if (consumed < count && !this.#isStopped) this.#kept.keep(buffer, consumed, count);
    return count;
  }

  #readBehindKept(handler: ByteStreamHandler): number {
    const room = this.#kept.makeRoom();
    const count = this.#transport.read(this.#kept.buffer, this.#kept.end, room);
    if (count <= 0) return count;
    this.bytesReceived += count;
    this.#kept.added(count);
    this.offerKept(handler);
    return count;
  }

  /** Hands on what is kept; there must be some. */
  offerKept(handler: ByteStreamHandler): void {
    this.isOfferDue = false;
    const kept = this.#kept;
    this.isBeingHandled = true;
    const consumed = handler.onData(kept.buffer, kept.start, kept.end);
    this.isBeingHandled = false;
    // When the handler closed the stream, it may hold on to the bytes until it returns to the reactor.
    if (!this.#isStopped) kept.consume(consumed);
  }

  /** Reads once and drops it, for a handler that wants no more. Returns as `read`. */
  discard(): number {
    const count = this.#transport.read(this.#receiveBuffer, 0, this.#receiveBuffer.length);
    if (count > 0) this.bytesReceived += count;
    return count;
  }

  /** The handler gets no more. What it is looking at stays as it is until `clear`. */
  stop(): void {
    this.#isStopped = true;
    this.isPaused = false;
    this.isOfferDue = false;
  }

  /** Forgets what is kept and gives the memory back. */
  clear(): void {
    this.#kept.clear();
  }
}

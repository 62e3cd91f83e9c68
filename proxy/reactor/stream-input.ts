// The receiving half of a connection: what was read and not consumed, and whether more is wanted.
//
// Its outcomes are those of the transport, so that the connection alone decides what an end or an error means.

import { Errno } from '../../native/errno.ts';
import type { NativeBuffer } from '../../native/native-buffer.ts';
import { type Transport, TransportWant } from '../transport/transport.ts';
import type { ByteStreamHandler, Relay } from './byte-stream.ts';
import { KeptInput } from './kept-input.ts';
import { Membership } from './membership.ts';
import type { Reactor } from './reactor.ts';
import type { ShortcutExit } from './shortcut-exit.ts';

export interface StreamInputOptions {
  readonly maxKeptBytes: number;
  /** Of the same connection. */
  readonly output: { readonly bytesSent: number };
}

export class StreamInput {
  bytesReceived = 0;
  isPaused = false;
  /** Kept bytes are to be offered again in this turn. */
  isOfferDue = false;
  /** The peer's end, or an error, was read. */
  isEnded = false;
  /** The handler is looking at bytes: what it leaves is kept only when it returns. */
  isBeingHandled = false;
  #transport: Transport;
  readonly #receiveBuffer: NativeBuffer;
  readonly #reactor: Reactor;
  readonly #kept: KeptInput;
  readonly #output: { readonly bytesSent: number };
  readonly #maxReadBytes: number;
  #relay: Relay | null = null;
  /** The last read was large: the next one is worth moving inside the kernel. */
  #isBulk = false;
  #isStopped = false;
  /** Null when neither end is short-circuited, or is any more. */
  #shortcut: ShortcutExit | null;
  #membership: Membership = Membership.both;
  /** What this connection had carried when it was last asked whether it can leave the short-circuit. */
  #askedAtBytes = 0;

  constructor(reactor: Reactor, transport: Transport, { maxKeptBytes, output }: StreamInputOptions) {
    this.#transport = transport;
    this.#reactor = reactor;
    this.#receiveBuffer = reactor.receiveBuffer;
    this.#maxReadBytes = Math.min(maxKeptBytes, reactor.receiveBuffer.length);
    this.#kept = new KeptInput(reactor.buffers, maxKeptBytes);
    this.#output = output;
    this.#shortcut = reactor.shortcut;
  }

  /** Before the first read. */
  useTransport(transport: Transport): void {
    this.#transport = transport;
  }

  get keptBytes(): number {
    return this.#kept.lengthBytes;
  }

  /** After a read without outcome: it goes on when there is room to write. */
  get waitsForRoom(): boolean {
    return this.#transport.want === TransportWant.write;
  }

  /** Whether more is to be read now. Where there is no room, nothing can be taken from the kernel before the handler consumes. */
  get isWanted(): boolean {
    return !this.isPaused && !this.isEnded && !this.#kept.isFull;
  }

  /** Bytes come before the end: those of a paused handler, and those that are to be offered again, still do. */
  get holdsBackEnd(): boolean {
    return this.#kept.lengthBytes > 0 && (this.isPaused || this.isOfferDue);
  }

  /** Reads once and hands on what there is. Returns what the transport did: bytes read, 0 at the end, a negated errno. */
  read(handler: ByteStreamHandler): number {
    if (this.#kept.lengthBytes > 0) return this.#readBehindKept(handler);
    if (this.#isBulk && this.#relay !== null && this.#transport.isPlain && this.#relay.sink.isPlain)
      return this.#relayOnce(this.#relay, handler);
    return this.#copyOnce(handler);
  }

  #copyOnce(handler: ByteStreamHandler): number {
    const buffer = this.#receiveBuffer;
    const count = this.#transport.read(buffer, 0, this.#maxReadBytes);
    if (count <= 0) return count;
    this.#isBulk = count >= BULK_BYTES;
    this.bytesReceived += count;
    if (this.#shortcut !== null) this.#leaveShortcut(this.#shortcut);
    this.isBeingHandled = true;
    const consumed = handler.onData(buffer, 0, count);
    this.isBeingHandled = false;
    if (consumed < count && !this.#isStopped) this.#kept.keep(buffer, consumed, count);
    return count;
  }

  /** After a read, which may have emptied the queue: that alone tells what has come past TCP. */
  #leaveShortcut(shortcut: ShortcutExit): void {
    const carriedBytes = this.bytesReceived + this.#output.bytesSent;
    if (carriedBytes - this.#askedAtBytes < BYTES_BETWEEN_QUESTIONS) return;
    this.#askedAtBytes = carriedBytes;
    this.#membership = shortcut.leave(this.#transport.fd, this.bytesReceived, this.#membership);
    if (this.#membership === Membership.none) this.#shortcut = null;
  }

  #relayOnce(relay: Relay, handler: ByteStreamHandler): number {
    const mayMiss = this.#shortcut !== null && this.#membership === Membership.both;
    const pipe = mayMiss ? undefined : this.#reactor.transferPipe();
    if (pipe === undefined) return this.#copyOnce(handler);
    const count = pipe.fill(this.#transport.fd, Math.min(relay.limitBytes, RELAY_BYTES));
    // The kernel moves nothing past an urgent byte of TCP, and tells of input there again and again: reading gets past it.
    if (count === -Errno.EAGAIN) return this.#copyOnce(handler);
    if (count <= 0) return count;
    this.bytesReceived += count;
    this.#isBulk = count >= BULK_BYTES;
    if (this.#shortcut !== null) this.#leaveShortcut(this.#shortcut);
    relay.sink.writeFrom(pipe, count);
    relay.onRelayed(count);
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

  relayTo(relay: Relay | null): void {
    this.#relay = relay;
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

/**
 * A read this large is taken for bulk, which is moved by reference from then on: 1.7 times the bytes a CPU second of two
 * copies with pieces of 64 KiB (measured: 1,235 against 720 MiB). Small pieces cost less to copy than to move.
 */
const BULK_BYTES = 32 * 1024;
/**
 * Moved in one event, so that others have their turn. Large, because each piece also costs an event and its
 * acknowledgements: 1,235 MiB a CPU second with 64 KiB, 1,380 with 256, 1,530 with 512, and no more beyond (measured).
 */
const RELAY_BYTES = 512 * 1024;
/** A question costs 3 us, a tenth of what copying as much costs; and small messages ask for it once in hundreds. */
const BYTES_BETWEEN_QUESTIONS = 64 * 1024;

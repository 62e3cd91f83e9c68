// A byte stream over a socket of the reactor: flow control in both directions, half close, and exactly one end.
//
// Level-triggered, one read of up to 64 KiB an event, so that no connection starves another. The plain case costs one
// recv and one send and nothing else: reads go to the worker's shared buffer and are handed on from there, writes go
// to the kernel at once, and pausing is a flag. Memory, epoll_ctl and later reports are for what does not go plainly:
// bytes that wait (`kept-input.ts`, `write-queue.ts`), a paused reader with input, an end or an error.

import type { Address } from '../../config/address.ts';
import { EpollEvent } from '../../native/epoll.ts';
import { Errno } from '../../native/errno.ts';
import type { NativeBuffer } from '../../native/native-buffer.ts';
import { localAddress, remoteAddress, setLinger, socketError } from '../../native/socket.ts';
import { PlainTransport } from '../transport/plain-transport.ts';
import type { Transport } from '../transport/transport.ts';
import type { ByteStream, ByteStreamHandler, CloseReason } from './byte-stream.ts';
import { type ClientSocketOptions, openClientSocket } from './client-socket.ts';
import { EventInterest } from './event-interest.ts';
import { KeptInput } from './kept-input.ts';
import type { Deferred, EventSource, Reactor } from './reactor.ts';
import { Timer } from './timer-wheel.ts';
import { WriteQueue } from './write-queue.ts';

export interface ConnectionOptions {
  /** Bound of what is kept of received and not consumed bytes, at least 64 KiB; 128 KiB when left out. */
  readonly maxKeptBytes?: number | undefined;
}

export interface ConnectOptions extends ClientSocketOptions, ConnectionOptions {
  readonly connectTimeoutMs: number;
}

/** Begins to connect. Every outcome, also an immediate failure, is reported later: `onConnected` or `onClosed`. */
export function connectTo(reactor: Reactor, options: ConnectOptions, handler: ByteStreamHandler): Connection {
  const transport = new PlainTransport(openClientSocket(options));
  const connection = new Connection(reactor, transport, handler, options);
  connection.beginConnecting(options.connectTimeoutMs);
  return connection;
}

/** Takes over the accepted socket `fd`: the connection closes it from now on. */
// biome-ignore format: one signature
export function adoptDescriptor(reactor: Reactor, fd: number, handler: ByteStreamHandler, options: ConnectionOptions = {}): Connection {
  const connection = new Connection(reactor, new PlainTransport(fd), handler, options);
  connection.beginOpen();
  return connection;
}

export class Connection implements ByteStream, EventSource, Deferred {
  handler: ByteStreamHandler;
  bytesReceived = 0;
  bytesSent = 0;
  readonly #reactor: Reactor;
  readonly #transport: Transport;
  readonly #interest: EventInterest;
  readonly #kept: KeptInput;
  readonly #queue: WriteQueue;
  #phase: Phase = Phase.connecting;
  #isDeferred = false;
  #isPaused = false;
  /** The handler is looking at bytes: what it leaves is kept only when it returns. */
  #isHandlingData = false;
  /** Kept bytes are to be offered again in this turn. */
  #isOfferDue = false;
  #isReadEnded = false;
  #isEndReported = false;
  /** FIN is asked for; sent when nothing is pending. */
  #isWriteEnding = false;
  #isWriteEnded = false;
  /** The errno that a write (or a look) met; the kernel tells it once. 0: none. */
  #brokenBy = 0;
  #closeReason: CloseReason = CLOSED_LOCALLY;
  /** Of connecting or of closing gracefully: made only then. */
  #timer: Timer | undefined;
  #remoteAddress: Address | undefined;
  #localAddress: Address | undefined;

  /** `transport.fd` may be a negated errno: the stream then ends with it. */
  // biome-ignore format: one signature
  constructor(reactor: Reactor, transport: Transport, handler: ByteStreamHandler, options: ConnectionOptions) {
    this.#reactor = reactor;
    this.#transport = transport;
    this.handler = handler;
    this.#interest = new EventInterest(reactor, transport.fd, this);
    this.#kept = new KeptInput(reactor.buffers, options.maxKeptBytes ?? DEFAULT_MAX_KEPT_BYTES);
    this.#queue = new WriteQueue(reactor.buffers);
  }

  get isClosed(): boolean {
    return this.#phase === Phase.closed;
  }

  get pendingWriteBytes(): number {
    return this.#queue.lengthBytes;
  }

  /** First call for a connecting socket, once. */
  beginConnecting(timeoutMs: number): void {
    if (this.#transport.fd < 0) {
      this.#fail(-this.#transport.fd);
      return;
    }
    this.#want(EpollEvent.writable);
    this.#startTimer(timeoutMs);
  }

  /** First call for an established socket, once. */
  beginOpen(): void {
    this.#phase = Phase.open;
    this.#want(INPUT);
  }

  write(buffer: NativeBuffer, start: number, end: number): void {
    if (this.#phase > Phase.open || this.#isWriteEnding || this.#brokenBy !== 0 || start === end) return;
    if (this.#phase === Phase.connecting || this.#queue.lengthBytes > 0) {
      this.#queue.append(buffer, start, end);
      return;
    }
    const taken = this.#transport.write(buffer, start, end - start);
    if (taken === end - start) {
      this.bytesSent += taken;
      return;
    }
    if (taken < 0 && taken !== -Errno.EAGAIN) {
      this.#breakWith(-taken);
      return;
    }
    const sent = Math.max(taken, 0);
    this.bytesSent += sent;
    this.#queue.append(buffer, start + sent, end);
    this.#want(EpollEvent.writable);
  }

  /** Only a flag: epoll is told when there is input to be left alone, which for most requests is never. */
  pauseReading(): void {
    this.#isPaused = true;
  }

  resumeReading(): void {
    if (this.#phase > Phase.open) return;
    this.#isPaused = false;
    if (this.#kept.lengthBytes > 0 || this.#isHandlingData) {
      this.#isOfferDue = true;
      this.#defer();
    } else if (this.#phase === Phase.open) {
      this.#unmuteInput();
    }
  }

  hasInput(): boolean {
    if (this.#phase > Phase.open || this.#isReadEnded || this.#kept.lengthBytes > 0) return true;
    const result = this.#transport.look();
    if (result === -Errno.EAGAIN) return false;
    if (result < 0) this.#breakWith(-result);
    return true;
  }

  endWriting(): void {
    if (this.#phase > Phase.open || this.#isWriteEnding) return;
    this.#isWriteEnding = true;
    if (this.#phase === Phase.open) this.#sendEnd();
  }

  closeGracefully(timeoutMs: number): void {
    if (this.#phase > Phase.open) return;
    if (this.#phase === Phase.connecting || this.#brokenBy !== 0) {
      this.close();
      return;
    }
    this.#phase = Phase.lingering;
    this.#isPaused = false;
    this.#isWriteEnding = true;
    this.#isEndReported = this.#isReadEnded;
    this.#startTimer(timeoutMs);
    this.#unmuteInput();
    this.#defer();
    this.#sendEnd();
  }

  close(): void {
    this.#end(CLOSED_LOCALLY);
  }

  reset(): void {
    if (this.#phase === Phase.closed) return;
    if (this.#transport.fd >= 0) setLinger(this.#transport.fd, 0);
    this.#end(CLOSED_LOCALLY);
  }

  /** After the close: the address if it was asked for before. */
  remoteAddress(): Address | undefined {
    if (this.#phase !== Phase.closed) this.#remoteAddress ??= remoteAddress(this.#transport.fd, true);
    return this.#remoteAddress;
  }

  localAddress(): Address | undefined {
    if (this.#phase !== Phase.closed) this.#localAddress ??= localAddress(this.#transport.fd, true);
    return this.#localAddress;
  }

  /** For the reactor. */
  onEvents(events: number): void {
    if (this.#phase === Phase.connecting) {
      this.#onConnectEvent();
      return;
    }
    if ((events & EpollEvent.writable) !== 0) this.#onWritable();
    if ((events & ~EpollEvent.writable) === 0 || this.#phase === Phase.closed) return;
    if (this.#isReadEnded) this.#onEventAfterEnd(events);
    else if (this.#phase === Phase.lingering) this.#discardInput();
    else if (this.#isPaused || this.#kept.isFull) this.#onEventWhilePaused(events);
    else this.#read();
  }

  /** For the reactor: reports what calls into the stream have brought about. */
  run(): void {
    this.#isDeferred = false;
    if (this.#phase !== Phase.open) this.#kept.clear();
    if (this.#phase === Phase.closed) {
      this.#queue.clear();
      this.handler.onClosed(this.#closeReason);
      return;
    }
    if (this.#isOfferDue) this.#offerAgain();
    if (this.#brokenBy !== 0) this.#finishBroken();
  }

  #onConnectEvent(): void {
    const result = this.#transport.establish();
    if (result === -Errno.EAGAIN) return;
    if (result < 0) {
      this.#fail(-result);
      return;
    }
    this.#stopTimer();
    this.#phase = Phase.open;
    const registered = this.#interest.set(this.#queue.lengthBytes > 0 ? INPUT | EpollEvent.writable : INPUT);
    if (registered < 0) {
      this.#fail(-registered);
      return;
    }
    this.handler.onConnected();
    if (this.#phase === Phase.open && this.#isWriteEnding) this.#sendEnd();
  }

  #read(): void {
    const kept = this.#kept;
    if (kept.lengthBytes > 0) {
      this.#readBehindKept();
      return;
    }
    const buffer = this.#reactor.receiveBuffer;
    const count = this.#transport.read(buffer, 0, buffer.length);
    if (count <= 0) {
      this.#onNoInput(count);
      return;
    }
    this.bytesReceived += count;
    this.#isHandlingData = true;
    const consumed = this.handler.onData(buffer, 0, count);
    this.#isHandlingData = false;
    if (consumed < count && this.#phase === Phase.open) kept.keep(buffer, consumed, count);
  }

  #readBehindKept(): void {
    const room = this.#kept.makeRoom();
    const count = this.#transport.read(this.#kept.buffer, this.#kept.end, room);
    if (count <= 0) {
      this.#onNoInput(count);
      return;
    }
    this.bytesReceived += count;
    this.#kept.added(count);
    this.#offerKept();
  }

  #offerKept(): void {
    this.#isOfferDue = false;
    const kept = this.#kept;
    this.#isHandlingData = true;
    const consumed = this.handler.onData(kept.buffer, kept.start, kept.end);
    this.#isHandlingData = false;
    // When the handler closed the stream, it may hold on to the bytes until it returns to the reactor: see `run`.
    if (this.#phase === Phase.open) kept.consume(consumed);
  }

  #offerAgain(): void {
    this.#isOfferDue = false;
    if (this.#phase !== Phase.open || this.#isPaused) return;
    if (this.#kept.lengthBytes > 0) this.#offerKept();
    if (this.#phase !== Phase.open) return;
    if (this.#isReadEnded) this.#reportEnd();
    else if (!this.#isPaused && !this.#kept.isFull) this.#unmuteInput();
  }

  #onNoInput(result: number): void {
    if (result === -Errno.EAGAIN) return;
    if (result < 0) {
      this.#fail(-result);
      return;
    }
    this.#isReadEnded = true;
    this.#reportEnd();
    if (this.#phase < Phase.closed) this.#unwant(INPUT);
  }

  /** Bytes come before the end: those of a paused handler, and those that are to be offered again, still do. */
  #reportEnd(): void {
    if (this.#isEndReported || (this.#kept.lengthBytes > 0 && (this.#isPaused || this.#isOfferDue))) return;
    this.#isEndReported = true;
    this.handler.onEnd();
    this.#closeIfBothEnded();
  }

  #onEventWhilePaused(events: number): void {
    if ((events & EpollEvent.error) !== 0) {
      this.#fail(this.#takeError());
      return;
    }
    if ((events & (EpollEvent.peerEnded | EpollEvent.hangUp)) === 0) {
      this.#unwant(EpollEvent.readable);
      return;
    }
    const result = this.#transport.look();
    if (result <= 0) {
      this.#onNoInput(result);
      return;
    }
    this.#unwant(INPUT);
    if ((events & EpollEvent.hangUp) !== 0) this.#interest.detach();
  }

  #onEventAfterEnd(events: number): void {
    if ((events & EpollEvent.error) !== 0) {
      this.#fail(this.#takeError());
      return;
    }
    this.#interest.detach();
  }

  #discardInput(): void {
    const buffer = this.#reactor.receiveBuffer;
    const count = this.#transport.read(buffer, 0, buffer.length);
    if (count > 0) {
      this.bytesReceived += count;
      return;
    }
    if (count === -Errno.EAGAIN) return;
    if (count < 0) {
      this.close();
      return;
    }
    this.#isReadEnded = true;
    this.#isEndReported = true;
    this.#unwant(INPUT);
    this.#closeIfBothEnded();
  }

  #onWritable(): void {
    const before = this.#queue.lengthBytes;
    const result = this.#queue.flush(this.#transport);
    this.bytesSent += before - this.#queue.lengthBytes;
    if (result === -Errno.EAGAIN) return;
    if (result < 0) {
      this.#breakWith(-result);
      return;
    }
    this.#unwant(EpollEvent.writable);
    if (this.#isWriteEnding) this.#sendEnd();
    if (this.#phase === Phase.open && before > 0) this.handler.onDrained();
  }

  #sendEnd(): void {
    if (!this.#isWriteEnded) {
      if (this.#queue.lengthBytes > 0) return;
      if (this.#transport.shutdownWrite() < 0) {
        // ENOTCONN, which says less than the error that ended the connection.
        this.#breakWith(this.#takeError());
        return;
      }
      this.#isWriteEnded = true;
    }
    this.#closeIfBothEnded();
  }

  #closeIfBothEnded(): void {
    if (!this.#isWriteEnded || !this.#isEndReported) return;
    this.#end(this.#phase === Phase.lingering ? CLOSED_LOCALLY : CLOSED_BY_BOTH);
  }

  /**
   * Writing failed: the peer has reset. What it sent before that (an early response to a request it did not want to
   * read) may still wait in the kernel, so the end is put off until that was read.
   */
  #breakWith(errno: number): void {
    if (this.#phase === Phase.lingering) {
      this.close();
      return;
    }
    if (this.#brokenBy === 0) this.#brokenBy = errno;
    this.#queue.clear();
    this.#defer();
  }

  #finishBroken(): void {
    for (let reads = 0; reads < MAX_READS_WHEN_BROKEN && this.#phase === Phase.open; reads++) {
      if (this.#isPaused || this.#isReadEnded || this.#kept.isFull || this.#transport.look() <= 0) break;
      this.#read();
    }
    // Not `onEnd`, though the kernel says 0 once its error was told: a cut message must not look whole.
    this.#fail(this.#brokenBy);
  }

  #fail(errno: number): void {
    this.#end(this.#phase === Phase.lingering ? CLOSED_LOCALLY : { kind: 'error', errno });
  }

  #end(reason: CloseReason): void {
    if (this.#phase === Phase.closed) return;
    this.#phase = Phase.closed;
    this.#closeReason = reason;
    this.#stopTimer();
    if (this.#transport.fd >= 0) {
      this.#reactor.forget(this.#transport.fd);
      this.#transport.close();
    }
    this.#defer();
  }

  #takeError(): number {
    const error = socketError(this.#transport.fd);
    return error > 0 ? error : Errno.ECONNRESET;
  }

  #startTimer(timeoutMs: number): void {
    this.#timer ??= new Timer(() => this.#onTimeout());
    this.#reactor.timers.schedule(this.#timer, timeoutMs);
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#reactor.timers.cancel(this.#timer);
  }

  #onTimeout(): void {
    this.#end(this.#phase === Phase.connecting ? CONNECT_TIMED_OUT : CLOSED_LOCALLY);
  }

  #defer(): void {
    if (this.#isDeferred) return;
    this.#isDeferred = true;
    this.#reactor.defer(this);
  }

  #unmuteInput(): void {
    if (!this.#isReadEnded) this.#want(INPUT);
  }

  #want(events: number): void {
    const result = this.#interest.add(events);
    if (result < 0) this.#fail(-result);
  }

  #unwant(events: number): void {
    const result = this.#interest.remove(events);
    if (result < 0) this.#fail(-result);
  }
}

/** In the order they are passed through: later ones compare greater. */
const Phase = { connecting: 0, open: 1, lingering: 2, closed: 3 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

const CLOSED_LOCALLY: CloseReason = { kind: 'local' };
const CLOSED_BY_BOTH: CloseReason = { kind: 'remote' };
const CONNECT_TIMED_OUT: CloseReason = { kind: 'connect-timeout' };

const INPUT = EpollEvent.readable | EpollEvent.peerEnded;
const DEFAULT_MAX_KEPT_BYTES = 128 * 1024;
const MAX_READS_WHEN_BROKEN = 16;

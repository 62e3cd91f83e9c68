// A byte stream over a socket of the reactor: flow control in both directions, half close, and exactly one end.
//
// Level-triggered, one bounded read an event, so that no connection starves another. The plain case costs one
// recv and one send and nothing else: reads go to the worker's shared buffer and are handed on from there, writes go
// to the kernel at once, and pausing is a flag. Memory, epoll_ctl and later reports are for what does not go plainly:
// bytes that wait (`stream-input.ts`, `stream-output.ts`), a paused reader with input, an end or an error.

import type { Address } from '../../config/address.ts';
import { EpollEvent } from '../../native/epoll.ts';
import { Errno } from '../../native/errno.ts';
import type { NativeBuffer } from '../../native/native-buffer.ts';
import { localAddress, remoteAddress, setLinger, socketError } from '../../native/socket.ts';
import type { Transport } from '../transport/transport.ts';
import type { ByteStream, ByteStreamHandler, CloseReason, Relay } from './byte-stream.ts';
import { Establishing, type Secure } from './establishing.ts';
import { EventInterest } from './event-interest.ts';
import { CLOSED_LATE, LingeringClose } from './lingering-close.ts';
import type { Deferred, EventSource, Reactor } from './reactor.ts';
import { StreamInput } from './stream-input.ts';
import { StreamOutput } from './stream-output.ts';
import { Timer } from './timer-wheel.ts';
import type { TransferPipe } from './transfer-pipe.ts';

export interface ConnectionOptions {
  /** Bound of what is kept of received and not consumed bytes, at least 64 KiB; 128 KiB when left out. */
  readonly maxKeptBytes?: number | undefined;
}

export class Connection implements ByteStream, EventSource, Deferred {
  handler: ByteStreamHandler;
  readonly #reactor: Reactor;
  #transport: Transport;
  readonly #interest: EventInterest;
  readonly #input: StreamInput;
  readonly #output: StreamOutput;
  #phase: Phase = Phase.connecting;
  #establishing: Establishing | undefined;
  #isDeferred = false;
  /** Made for the first read that needs no event. */
  #laterRead: Deferred | undefined;
  #isReadDue = false;
  #isEndReported = false;
  #lingering: LingeringClose | undefined;
  /** The errno that a write (or a look) met; the kernel tells it once. 0: none. */
  #brokenBy = 0;
  #closeReason: CloseReason = CLOSED_LOCALLY;
  /** Of connecting or of closing gracefully: made only then. */
  #timer: Timer | undefined;
  #remoteAddress: Address | undefined;
  #localAddress: Address | undefined;

  /** `transport.fd` may be a negated errno: the stream then ends with it. */
  constructor(reactor: Reactor, transport: Transport, handler: ByteStreamHandler, options: ConnectionOptions) {
    this.#reactor = reactor;
    this.#transport = transport;
    this.handler = handler;
    this.#interest = new EventInterest(reactor, transport.fd, this);
    this.#output = new StreamOutput(reactor, transport);
    const { maxKeptBytes = DEFAULT_MAX_KEPT_BYTES } = options;
    this.#input = new StreamInput(reactor, transport, { maxKeptBytes, output: this.#output });
  }

  get isClosed(): boolean {
    return this.#phase === Phase.closed;
  }

  /** Nor is it while it is not known yet. */
  get isPlain(): boolean {
    return this.#establishing === undefined && this.#transport.isPlain;
  }

  get pendingWriteBytes(): number {
    return this.#output.waitingBytes;
  }

  get bytesReceived(): number {
    return this.#input.bytesReceived;
  }

  get bytesSent(): number {
    return this.#output.bytesSent;
  }

  /** First call for a connecting socket, once. */
  beginConnecting(timeoutMs: number, secure?: Secure): void {
    if (this.#transport.fd < 0) this.#fail(-this.#transport.fd);
    else this.#beginEstablishing(timeoutMs, secure);
  }

  /** First call for a connected socket under TLS, once. 0 ms: no limit. */
  beginHandshake(timeoutMs: number): void {
    this.#beginEstablishing(timeoutMs === 0 ? Number.POSITIVE_INFINITY : timeoutMs);
  }

  #beginEstablishing(timeoutMs: number, secure?: Secure): void {
    const [reactor, interest, transport] = [this.#reactor, this.#interest, this.#transport];
    this.#establishing = new Establishing({ reactor, interest, transport, secure });
    const result = this.#establishing.begin();
    if (result < 0) this.#fail(-result);
    else if (timeoutMs !== Number.POSITIVE_INFINITY) this.#startTimer(timeoutMs);
  }

  /** First call for an established socket, once. */
  beginOpen(): void {
    this.#phase = Phase.open;
    this.#want(INPUT);
  }

  write(buffer: NativeBuffer, start: number, end: number): void {
    const output = this.#output;
    if (this.#phase > Phase.open || output.isEnding || this.#brokenBy !== 0 || start === end) return;
    if (this.#phase === Phase.connecting || output.waitingBytes > 0) {
      output.enqueue(buffer, start, end);
      return;
    }
    this.#afterSend(output.send(buffer, start, end));
  }

  writeFrom(pipe: TransferPipe, length: number): void {
    const { receiveBuffer } = this.#reactor;
    if (this.#phase > Phase.open || this.#output.isEnding || this.#brokenBy !== 0) pipe.discard(length, receiveBuffer);
    else this.#afterSend(this.#output.sendFrom(pipe, length, receiveBuffer));
  }

  #afterSend(result: number): void {
    if (result === 0) return;
    if (result === -Errno.EAGAIN) this.#waitToWrite();
    else this.#breakWith(-result);
  }

  relayTo(relay: Relay | null): void {
    this.#input.relayTo(relay);
  }

  /** Only a flag: epoll is told when there is input to be left alone, which for most requests is never. */
  pauseReading(): void {
    this.#input.isPaused = true;
  }

  resumeReading(): void {
    if (this.#phase > Phase.open) return;
    const input = this.#input;
    input.isPaused = false;
    if (input.keptBytes > 0 || input.isBeingHandled) {
      input.isOfferDue = true;
      this.#defer();
    } else if (this.#phase === Phase.open) {
      this.#unmuteInput();
    }
  }

  hasInput(): boolean {
    if (this.#phase > Phase.open || this.#input.isEnded || this.#input.keptBytes > 0) return true;
    if (this.#phase === Phase.connecting) return false;
    const result = this.#transport.look();
    if (result === -Errno.EAGAIN) return false;
    if (result < 0) this.#breakWith(-result);
    else if (this.#transport.hasPending) this.#readLater();
    return true;
  }

  endWriting(): void {
    if (this.#phase > Phase.open || this.#output.isEnding) return;
    this.#output.isEnding = true;
    if (this.#phase === Phase.open) this.#sendEnd();
  }

  closeGracefully(timeoutMs: number): void {
    if (this.#phase !== Phase.open || this.#brokenBy !== 0) {
      if (this.#phase <= Phase.open) this.close();
      return;
    }
    this.#phase = Phase.lingering;
    this.#lingering = new LingeringClose({ interest: this.#interest, input: this.#input, output: this.#output });
    this.#defer();
    if (this.#lingering.begin(timeoutMs)) this.close();
    else this.#startTimer(this.#lingering.limitMs);
  }

  close(): void {
    const output = this.#output;
    // Without close_notify the peer would take it for a cut stream, which it is while bytes wait. Whether it can be sent at
    // once is of no consequence.
    if (this.#phase === Phase.open && this.#brokenBy === 0 && !output.endsByClosing) output.sendEnd();
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
      this.#onEstablishingEvent();
    } else {
      const told = this.#interest.isHeld ? this.#release(events) : events;
      // The number of its descriptor may be another's by now.
      if (this.#phase === Phase.closed) return;
      if (this.#lingering === undefined) this.#onOpenEvents(told);
      else if (this.#lingering.onEvents(told)) this.close();
      else if (this.#lingering.hasSent()) this.#startTimer(this.#lingering.limitMs);
    }
    if (this.#transport.hasPending) this.#readLater();
  }

  /** A read has waited for room, or a write for input: what happened counts for both. */
  #release(events: number): number {
    const result = this.#interest.release();
    if (result < 0) this.#fail(-result);
    return events | EpollEvent.readable | EpollEvent.writable;
  }

  #onOpenEvents(events: number): void {
    if ((events & EpollEvent.writable) !== 0) this.#onWritable();
    if ((events & ~EpollEvent.writable) === 0 || this.#phase !== Phase.open) return;
    if (this.#input.isWanted) this.#read();
    else this.#onEventUnread(events);
  }

  /** For the reactor: reports what calls into the stream have brought about. */
  run(): void {
    this.#isDeferred = false;
    if (this.#phase !== Phase.open) this.#input.clear();
    if (this.#phase === Phase.closed) {
      this.#output.clear();
      this.handler.onClosed(this.#closeReason);
      return;
    }
    if (this.#input.isOfferDue) this.#offerAgain();
    if (this.#brokenBy !== 0) this.#finishBroken();
  }

  #onEstablishingEvent(): void {
    const establishing = this.#establishing!;
    const result = establishing.onEvent();
    if (establishing.transport !== this.#transport) this.#useTransport(establishing.transport);
    if (result === -Errno.EAGAIN) return;
    if (result < 0) {
      this.#fail(-result, establishing.problem);
      return;
    }
    this.#establishing = undefined;
    this.#stopTimer();
    this.#phase = Phase.open;
    const registered = this.#interest.set(this.#output.waitingBytes > 0 ? INPUT | EpollEvent.writable : INPUT);
    if (registered < 0) {
      this.#fail(-registered);
      return;
    }
    this.handler.onConnected();
    if (this.#phase === Phase.open && this.#output.isEnding) this.#sendEnd();
  }

  #useTransport(transport: Transport): void {
    this.#transport = transport;
    this.#input.useTransport(transport);
    this.#output.useTransport(transport);
  }

  #read(): void {
    const count = this.#input.read(this.handler);
    if (count <= 0) this.#onNoInput(count);
  }

  #offerAgain(): void {
    const input = this.#input;
    input.isOfferDue = false;
    if (this.#phase !== Phase.open || input.isPaused) return;
    if (input.keptBytes > 0) input.offerKept(this.handler);
    if (this.#phase !== Phase.open) return;
    if (input.isEnded) this.#reportEnd();
    else if (input.isWanted) this.#unmuteInput();
  }

  #onNoInput(result: number): void {
    if (result === -Errno.EAGAIN) {
      if (this.#input.waitsForRoom) this.#holdTo(EpollEvent.writable);
      return;
    }
    if (result < 0) {
      this.#fail(-result);
      return;
    }
    this.#input.isEnded = true;
    this.#reportEnd();
    if (this.#phase < Phase.closed) this.#unwant(INPUT);
  }

  #reportEnd(): void {
    if (this.#isEndReported || this.#input.holdsBackEnd) return;
    this.#isEndReported = true;
    this.handler.onEnd();
    if (this.#output.isEnded) this.#end(CLOSED_BY_BOTH);
  }

  /** After the end, or while nothing is to be read: only what cannot wait. */
  #onEventUnread(events: number): void {
    if ((events & EpollEvent.error) !== 0) {
      this.#fail(this.#takeError());
      return;
    }
    if (this.#input.isEnded) {
      this.#interest.detach();
      return;
    }
    const isOver = (events & (EpollEvent.peerEnded | EpollEvent.hangUp)) !== 0;
    // Under TLS an end is no event of its own.
    if (isOver || !this.#transport.isPlain) {
      const result = this.#transport.look();
      if (result <= 0) {
        this.#onNoInput(result);
        return;
      }
    }
    this.#unwant(isOver ? INPUT : EpollEvent.readable);
    if ((events & EpollEvent.hangUp) !== 0) this.#interest.detach();
  }

  #onWritable(): void {
    const waited = this.#output.waitingBytes > 0;
    const result = this.#output.flush();
    if (result < 0) {
      this.#afterSend(result);
      return;
    }
    this.#unwant(EpollEvent.writable);
    if (this.#output.isEnding) this.#sendEnd();
    if (this.#phase === Phase.open && waited) this.handler.onDrained();
  }

  #sendEnd(): void {
    const output = this.#output;
    // When nothing is left in either direction, closing sends FIN as well and saves the system call.
    const result = this.#isEndReported && output.endsByClosing ? 0 : output.sendEnd();
    if (result === -Errno.EAGAIN) this.#waitToWrite();
    // A failure is ENOTCONN, which says less than the error that ended the connection.
    else if (result < 0) this.#breakWith(this.#takeError());
    else if (this.#isEndReported && output.waitingBytes === 0) this.#end(CLOSED_BY_BOTH);
  }

  /**
   * Writing failed: the peer has reset. What it sent before that (an early response to a request it did not want to
   * read) may still wait in the kernel, so the end is put off until that was read.
   */
  #breakWith(errno: number): void {
    if (this.#brokenBy === 0) this.#brokenBy = errno;
    this.#output.clear();
    this.#defer();
  }

  #finishBroken(): void {
    const input = this.#input;
    for (let reads = 0; reads < MAX_READS_WHEN_BROKEN && this.#phase === Phase.open; reads++) {
      if (!input.isWanted || this.#transport.look() <= 0) break;
      this.#read();
    }
    // Not `onEnd`, though the kernel says 0 once its error was told: a cut message must not look whole.
    this.#fail(this.#brokenBy);
  }

  #fail(errno: number, problem: string = this.#transport.problem): void {
    this.#end(problem === '' ? { kind: 'error', errno } : { kind: 'tls', problem });
  }

  #end(reason: CloseReason): void {
    if (this.#phase === Phase.closed) return;
    this.#phase = Phase.closed;
    this.#input.stop();
    this.#closeReason = reason;
    this.#stopTimer();
    if (this.#transport.fd >= 0) {
      this.#reactor.forget(this.#transport.fd);
      this.#transport.close();
    }
    this.#defer();
  }

  #takeError(): number {
    return Math.max(socketError(this.#transport.fd), 0) || Errno.ECONNRESET;
  }

  #startTimer(timeoutMs: number): void {
    this.#timer ??= new Timer(() => this.#end(this.#phase === Phase.connecting ? CONNECT_TIMED_OUT : CLOSED_LATE));
    this.#reactor.timers.schedule(this.#timer, timeoutMs);
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#reactor.timers.cancel(this.#timer);
  }

  #defer(): void {
    if (this.#isDeferred) return;
    this.#isDeferred = true;
    this.#reactor.defer(this);
  }

  /** What the transport keeps is no event: it is read in the next turn, as if it were one. */
  #readLater(): void {
    if (this.#isReadDue || !this.#wantsInput) return;
    this.#isReadDue = true;
    this.#laterRead ??= { run: () => this.#readOn() };
    this.#reactor.deferToNextTurn(this.#laterRead);
  }

  #readOn(): void {
    this.#isReadDue = false;
    if (this.#wantsInput) this.onEvents(EpollEvent.readable);
  }

  get #wantsInput(): boolean {
    return this.#input.isWanted && (this.#phase === Phase.open || this.#phase === Phase.lingering);
  }

  #unmuteInput(): void {
    if (this.#input.isEnded) return;
    this.#want(INPUT);
    if (this.#transport.hasPending) this.#readLater();
  }

  #waitToWrite(): void {
    if (this.#output.waitsForInput) this.#holdTo(EpollEvent.readable);
    else this.#want(EpollEvent.writable);
  }

  #holdTo(events: number): void {
    const result = this.#interest.holdTo(events);
    if (result < 0) this.#fail(-result);
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

// One downstream connection through uWebSockets.js, one request at a time.
//
// While no request is under way the library does not read: our reactor hears of input, and our own parser looks at it where
// it is, in the kernel (MSG_PEEK). A request that the library reads as we do is then its to receive, and the head that our
// parser made goes on. Any other input ends the connection's time with the library: our own codec takes it over, unread,
// for the rest of its life. So refusals, upgrades, chunked bodies and whatever is rare are written once.

import { EpollEvent } from '../../../native/epoll.ts';
import type { NativeBuffer } from '../../../native/native-buffer.ts';
import { close, setLinger, shutdownWrite } from '../../../native/socket.ts';
import { ConnectionDeadline, ConnectionLifetime } from '../../http/connection-lifetime.ts';
import type { ConnectionManager, DownstreamConnection } from '../../http/connection-manager.ts';
import { encodeLine } from '../../http/header-table.ts';
import { hasBody, RequestHead, type ResponseHead } from '../../http/message.ts';
import { type ResponseSender, StreamDeadline } from '../../http/response-sender.ts';
import { Stream } from '../../http/stream.ts';
import { ResponseFlag } from '../../http/stream-info.ts';
import { Deadlines } from '../../reactor/deadlines.ts';
import { lingerLimitMs } from '../../reactor/lingering-close.ts';
import type { Deferred, EventSource, Reactor } from '../../reactor/reactor.ts';
import { httpStats } from '../../telemetry/http-stats.ts';
import type { UwsResponse, UwsSocket } from './library.ts';
import { LibrarySocket } from './library-socket.ts';
import { type ServedConnection, serveByOwnCodec } from './own-codec.ts';
import { RequestBody } from './request-body.ts';
import { Look, RequestGate } from './request-gate.ts';
import { ResponseWriter, type ResponseWriterOwner } from './response-writer.ts';

/** Where the library has its sockets. */
export interface LibrarySockets {
  /** The library reads requests of this socket, and closes it, from now on; it tells `connection`. */
  adopt(descriptor: number, connection: UwsConnection): void;
}

export interface UwsConnectionOptions extends ServedConnection {
  readonly sockets: LibrarySockets;
  readonly descriptor: number;
}

const State = {
  /** For a request. */
  waiting: 0,
  /** A request was looked at, and the library is to read it. */
  admitted: 1,
  body: 2,
  responding: 3,
  closing: 4,
  gone: 5,
} as const;
type State = (typeof State)[keyof typeof State];

export class UwsConnection implements DownstreamConnection, ResponseSender, EventSource, Deferred, ResponseWriterOwner {
  readonly head = new RequestHead();
  readonly deadlines: Deadlines;
  readonly dataSink = null;
  bytesReceived = 0;
  bytesSent = 0;
  readonly #options: UwsConnectionOptions;
  readonly #manager: ConnectionManager;
  readonly #reactor: Reactor;
  readonly #fd: number;
  readonly #gate: RequestGate;
  readonly #writer: ResponseWriter;
  readonly #body: RequestBody;
  readonly #socket: LibrarySocket;
  readonly #lifetime: ConnectionLifetime;
  #request: Stream | null = null;
  #state: State = State.waiting;
  #headBytes = 0;
  /** An event came that nobody has looked for. */
  #hasInput = false;
  /** The client has sent FIN. */
  #hasPeerEnded = false;
  /** The kernel had no room for a response when it last told of something. */
  #isFull = false;
  /** The library may keep bytes of a response that is complete. */
  #mayHold = false;
  /** Closing, and nothing more is written. */
  #isWritingEnded = false;
  #closeAfterResponse = false;
  #isCutByUs = false;
  /** It is closed because the client has not ended it in time. */
  #isLate = false;
  /** The kernel tells of it; without that nothing of a client would ever be noticed. */
  readonly #isRegistered: boolean;

  constructor(options: UwsConnectionOptions) {
    const { manager, descriptor } = options;
    const { context } = manager;
    this.#options = options;
    this.#manager = manager;
    this.#reactor = context.reactor;
    this.#fd = descriptor;
    this.#gate = new RequestGate(manager.parserOptions, context.reactor.receiveBuffer);
    this.#writer = new ResponseWriter(this, context.reactor);
    this.#body = new RequestBody(context.reactor.receiveBuffer);
    this.#socket = new LibrarySocket(descriptor);
    this.deadlines = new Deadlines(context.reactor, this, ConnectionDeadline.count);
    this.#lifetime = new ConnectionLifetime(manager, this.deadlines, false);
    manager.connections.add(this);
    this.#isRegistered = context.reactor.register(descriptor, INPUT, this) === 0;
    if (!this.#isRegistered) this.#reactor.defer(this);
  }

  onEvents(events: number): void {
    if ((events & ~EpollEvent.writable) !== 0) this.#hasInput = true;
    if ((events & EpollEvent.peerEnded) !== 0) this.#hasPeerEnded = true;
    this.#isFull = (events & EpollEvent.writable) === 0;
    if ((events & ENDED) !== 0) this.close();
    else if (this.#state === State.waiting) this.#lookForRequest();
    else if (this.#state === State.closing) this.#goOnClosing(events);
    else if (!this.#isFull) this.#writeOn();
    this.#manager.context.output.flush();
  }

  /** The library keeps what the client does not take of a response without a body, and does not say so. */
  #lookForRequest(): void {
    if (this.#isFull || (this.#mayHold && this.#awaitsHeld())) return;
    if (this.#mayHold) this.#hasInput = true;
    this.#mayHold = false;
    if (this.#hasInput) this.#look();
  }

  /** There is room for a response that the client takes slowly. */
  #writeOn(): void {
    this.#writer.onRoom();
    this.onResponseSlow();
    if (this.#request === null && this.#isWriting && this.#isLastResponse) this.#limitLastResponse();
  }

  onResponseSlow(): void {
    if (this.#state !== State.gone) this.#socket.pauseAgain();
  }

  /** What of a request is there, without taking it. */
  #look(): void {
    // An end that came with the request is told of only once: it is looked for again behind the response.
    this.#hasInput = this.#hasPeerEnded;
    const headBytes = this.#gate.look(this.#fd, this.head);
    if (headBytes === Look.ended) this.close();
    else if (headBytes === Look.notCarried) this.#handBack();
    else if (headBytes !== Look.nothing) this.#admit(headBytes);
  }

  #admit(headBytes: number): void {
    this.#state = State.admitted;
    this.#headBytes = headBytes;
    if (this.#socket.isAdopted) this.#socket.resume();
    else this.#options.sockets.adopt(this.#fd, this);
  }

  /** For the engine. */
  onAdopted(socket: UwsSocket): void {
    this.#socket.adopt(socket);
  }

  /** For the engine: the library has read a request, the one that was looked at. */
  onRequest(response: UwsResponse): void {
    response.onAborted(ignore);
    if (this.#state !== State.admitted) {
      // It was sent behind a request, in the moment before the library read that one: nobody has looked at it. When the one
      // before is answered already, nobody is going to answer either, and what comes next must not be waited for.
      if (this.#state === State.waiting) this.#closeGracefully();
      return;
    }
    this.#reactor.enter();
    this.deadlines.clear(ConnectionDeadline.idle);
    this.#writer.begin(response);
    this.#writer.isInCall = true;
    this.#beginRequest(response);
    this.#manager.context.output.flush();
    this.#reactor.leave();
    this.#writer.isInCall = false;
  }

  #beginRequest(response: UwsResponse): void {
    const { head } = this;
    const isLast = this.#lifetime.countRequest();
    this.#closeAfterResponse = isLast || !head.keepAlive;
    this.bytesReceived += this.#headBytes;
    const request = new Stream(this.#manager, this.#options.connection.facts, this);
    this.#request = request;
    if (hasBody(head)) {
      this.#state = State.body;
      this.#body.begin(head.contentLength);
      response.onData(this.#onData);
    } else {
      this.#state = State.responding;
      this.#socket.pause();
    }
    request.onRequestHead(this.#headBytes);
  }

  readonly #onData = (chunk: ArrayBuffer, isLast: boolean): void => {
    this.#reactor.enter();
    this.#writer.isInCall = true;
    if (this.#state === State.body) this.#takeBody(new Uint8Array(chunk), isLast);
    this.#manager.context.output.flush();
    this.#reactor.leave();
    this.#writer.isInCall = false;
  };

  #takeBody(bytes: Uint8Array, isLast: boolean): void {
    const request = this.#request;
    this.bytesReceived += bytes.length;
    // It is answered, and the client has not taken that yet: the connection ends behind it.
    if (request === null) return;
    if (!this.#body.take(request, bytes, isLast)) {
      this.reset();
      return;
    }
    if (isLast || this.#body.hasKept || !request.acceptsRequestBody) this.#socket.pause();
    this.#endBodyIfTaken();
  }

  #endBodyIfTaken(): void {
    // It may have been answered by its last piece.
    if (!this.#body.isRead || this.#body.hasKept || this.#state !== State.body) return;
    this.#state = State.responding;
    this.#request!.onRequestEnd(null);
  }

  #deliverKept(): void {
    const request = this.#request;
    if (request === null) return;
    this.#body.deliverKept(request);
    this.#endBodyIfTaken();
    if (this.#state === State.body && request.acceptsRequestBody && !this.#body.isRead) this.#socket.resume();
  }

  resumeRequest(): void {
    if (this.#state !== State.body) return;
    if (this.#body.hasKept) this.#reactor.defer(this);
    else if (!this.#body.isRead) this.#socket.resume();
  }

  /** For the reactor. */
  run(): void {
    if (!this.#isRegistered) this.close();
    else if (this.#state === State.waiting) this.#lookForRequest();
    else if (this.#state === State.body) this.#deliverKept();
    else if (this.#state === State.closing) this.#endWriting();
    this.#manager.context.output.flush();
  }

  /** What is unread, and all that comes after it, is our own codec's: when the client has the responses before it. */
  #handBack(): void {
    if (this.#awaitsHeld()) {
      this.#hasInput = true;
      return;
    }
    const fd = this.#takeBack();
    if (fd < 0) {
      this.close();
      return;
    }
    this.deadlines.cancel();
    this.#manager.connections.delete(this);
    serveByOwnCodec(fd, this.#options, this.#lifetime);
  }

  /** A descriptor that the library knows nothing of, or a negated errno. */
  #takeBack(): number {
    const fd = this.#socket.takeBack();
    if (fd < 0) return fd;
    this.#state = State.gone;
    this.#reactor.unregister(this.#fd);
    this.#socket.close();
    return fd;
  }

  /** Closes at once; the response under way is lost. */
  close(): void {
    if (this.#state === State.gone) return;
    if (this.#socket.isAdopted) {
      this.#socket.close();
      return;
    }
    close(this.#fd);
    this.onGone();
  }

  /** As `close`, with RST. */
  reset(): void {
    if (this.#state === State.gone) return;
    this.#isCutByUs = true;
    setLinger(this.#fd, 0);
    this.close();
  }

  /** For the engine: the library has closed the socket. */
  onGone(): void {
    if (this.#state === State.gone) return;
    const isRemote = this.#state !== State.closing && !this.#isCutByUs && !this.#isLate;
    this.#state = State.gone;
    this.#reactor.enter();
    this.#reactor.forget(this.#fd);
    this.#writer.forget();
    this.#finish(isRemote);
    this.#manager.context.output.flush();
    this.#reactor.leave();
  }

  #finish(isRemote: boolean): void {
    const { connections } = this.#manager;
    // The library closes a connection with the last byte of a length, before the end of the response is told.
    const request = this.#writer.isTaken ? null : this.#request;
    this.#request = null;
    request?.onDownstreamReset(ResponseFlag.downstreamConnectionTermination, 'downstream_remote_disconnect');
    connections.delete(this);
    this.#options.connection.onConnectionGone();
    this.#lifetime.end({
      isRemote,
      hadRequest: request !== null,
      isLate: this.#isLate,
      receivedBytes: this.bytesReceived,
      sentBytes: this.bytesSent,
    });
  }

  // Half at first, so that a client that still sends gets to read the response.
  #closeGracefully(): void {
    // The rest of a body is read and dropped.
    if (this.#state === State.body) this.#socket.resume();
    this.#state = State.closing;
    // Later, because what the library is given inside of a callback leaves behind it.
    this.#reactor.deferToNextTurn(this);
    this.deadlines.set(ConnectionDeadline.idle, this.#manager.config.delayedCloseTimeoutMs);
  }

  #goOnClosing(events: number): void {
    if (!this.#isWritingEnded && !this.#isFull) this.#endWriting();
    if (this.#isWritingEnded && (events & EpollEvent.peerEnded) !== 0) this.close();
  }

  #endWriting(): void {
    const { delayedCloseTimeoutMs } = this.#manager.config;
    if (this.#awaitsHeld()) {
      this.#limitLastResponse();
      return;
    }
    this.#isWritingEnded = true;
    this.deadlines.set(ConnectionDeadline.idle, delayedCloseTimeoutMs);
    if (delayedCloseTimeoutMs === 0) this.close();
    else shutdownWrite(this.#fd);
  }

  /** While the library may hold what the client has not taken: an event follows, when there is room. */
  #awaitsHeld(): boolean {
    if (!this.#socket.mayHold(this.bytesSent)) return false;
    // Asked again, epoll tells of room that there is, and else of the edge.
    return this.#reactor.modify(this.#fd, INPUT) === 0;
  }

  get isResponseBlocked(): boolean {
    return this.#writer.isBlocked;
  }

  sendInterim(): void {
    // The library has no way to send one, and a client must do without (RFC 9110 section 15.2).
  }

  sendHead(head: ResponseHead): void {
    if (this.#state === State.body) {
      // Nobody waits for the rest of a request that was answered: the connection ends behind the response.
      this.#manager.stats.inc(httpStats.downstreamRqResponseBeforeRqComplete);
      this.#closeAfterResponse = true;
    }
    if (this.#lifetime.isLeaving) this.#closeAfterResponse = true;
    if (this.#closeAfterResponse) head.headers.appendLine(closeLine);
    if (this.#manager.config.http1.headerCase === 'proper-case') head.headers.spellProperCase();
    const length = this.#writer.head(head, this.head.method === 'HEAD');
    this.bytesSent += length;
    if (this.#request !== null) this.#request.info.responseHeaderBytes = length;
  }

  sendData(buffer: NativeBuffer, start: number, end: number): void {
    this.sendBytes(buffer.bytes.subarray(start, end));
  }

  sendBytes(bytes: Uint8Array): void {
    this.bytesSent += bytes.length;
    this.#writer.data(bytes);
  }

  closeAfterResponse(): void {
    this.#closeAfterResponse = true;
  }

  sendEnd(): void {
    this.#request = null;
    this.#writer.end();
    // No deadline of the stream is left for a client that does not take the rest.
    if (this.#writer.isTaken || !this.#isWriting) return;
    if (this.#isLastResponse) this.#limitLastResponse();
    // It is idle.
    else this.deadlines.set(ConnectionDeadline.idle, this.#manager.config.idleTimeoutMs);
  }

  get #isWriting(): boolean {
    return this.#state === State.responding || this.#state === State.body;
  }

  /** The connection ends behind the response. */
  get #isLastResponse(): boolean {
    return this.#closeAfterResponse || this.#state === State.body;
  }

  /** As in our own codec a client that takes some now and then is not cut, and one that takes nothing is given up. */
  #limitLastResponse(): void {
    this.deadlines.set(ConnectionDeadline.idle, lingerLimitMs(this.#manager.config.delayedCloseTimeoutMs, true));
  }

  /** The client has not taken the rest of a response in time, or has not ended behind the last one. */
  #onStalled(): void {
    if (this.#state === State.closing || this.#isLastResponse) {
      this.#isLate = true;
      this.close();
      return;
    }
    this.#manager.stats.inc(httpStats.downstreamCxIdleTimeout);
    this.#closeAfterResponse = true;
    this.#limitLastResponse();
  }

  abort(): void {
    this.#request = null;
    this.reset();
  }

  /** A request that asks for a tunnel is not the library's. */
  startTunnel(): void {
    this.abort();
  }

  onResponseDrained(): void {
    this.#request?.onResponseDrained();
    this.#manager.context.output.flush();
  }

  onResponseComplete(): void {
    if (this.#state === State.gone) return;
    this.#body.drop();
    if (this.#state !== State.responding || this.#closeAfterResponse) {
      this.#closeGracefully();
      return;
    }
    this.#state = State.waiting;
    this.head.headers.shrink();
    this.#lifetime.waitForRequest();
    this.#mayHold = this.#writer.wasBlocked;
    if (this.#mayHold) this.#socket.pauseAgain();
    if (this.#hasInput || this.#mayHold) this.#reactor.defer(this);
  }

  onDeadline(slot: number): void {
    if (slot < StreamDeadline.count) {
      this.#request?.onDeadline(slot);
    } else if (slot === ConnectionDeadline.idle && this.#state !== State.waiting) {
      this.#onStalled();
    } else if (this.#lifetime.endsAt(slot, this.#state === State.waiting, false)) {
      this.#closeGracefully();
    }
    this.#manager.context.output.flush();
  }

  drain(): void {
    this.#lifetime.drain(this.#state === State.waiting);
  }
}

/** Edges of room come only after there was none. */
const INPUT = EpollEvent.readable | EpollEvent.writable | EpollEvent.peerEnded | EpollEvent.edgeTriggered;
const ENDED = EpollEvent.error | EpollEvent.hangUp;

const closeLine = encodeLine('connection', 'close');

/** Every response must have a handler of its abortion; the filter tells of the end of the connection. */
function ignore(): void {}

// One downstream connection through uWebSockets.js, one request at a time.
//
// While no request is under way the library does not read: our reactor hears of input, and our own parser looks at it where
// it is, in the kernel (MSG_PEEK). A request that the library reads as we do is then its to receive, and the head that our
// parser made goes on. Any other input ends the connection's time with the library: our own codec takes it over, unread,
// for the rest of its life. So refusals, upgrades, chunked bodies and whatever is rare are written once.

import { EpollEvent } from '../../../native/epoll.ts';
import { Errno } from '../../../native/errno.ts';
import type { NativeBuffer } from '../../../native/native-buffer.ts';
import { close, duplicate, peek, setLinger, shutdownWrite } from '../../../native/socket.ts';
import type { ConnectionManager, DownstreamConnection } from '../../http/connection-manager.ts';
import { HeaderId } from '../../http/header-name.ts';
import { encodeLine } from '../../http/header-table.ts';
import { RequestParser } from '../../http/http1/request-parser.ts';
import { Http1ServerConnection } from '../../http/http1/server-connection.ts';
import { BodyFraming, hasBody, RequestHead, type ResponseHead } from '../../http/message.ts';
import { type ResponseSender, StreamDeadline } from '../../http/response-sender.ts';
import { Stream } from '../../http/stream.ts';
import { ResponseFlag } from '../../http/stream-info.ts';
import type { ListenerConnection } from '../../listener/listener-connection.ts';
import { adoptDescriptor } from '../../reactor/connection.ts';
import { Deadlines } from '../../reactor/deadlines.ts';
import type { Deferred, EventSource, Reactor } from '../../reactor/reactor.ts';
import { httpStats } from '../../telemetry/http-stats.ts';
import { isCarried } from './carried-request.ts';
import type { UwsEngine } from './engine.ts';
import type { UwsResponse, UwsSocket } from './library.ts';
import { ResponseWriter, type ResponseWriterOwner } from './response-writer.ts';

export interface UwsConnectionOptions {
  readonly engine: UwsEngine;
  readonly descriptor: number;
  readonly manager: ConnectionManager;
  readonly connection: ListenerConnection;
  readonly maxKeptBytes: number;
}

/** Deadlines of the connection, behind those of its stream. */
const ConnectionDeadline = {
  idle: StreamDeadline.count,
  maxDuration: StreamDeadline.count + 1,
  count: StreamDeadline.count + 2,
} as const;

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
  readonly #parser: RequestParser;
  readonly #writer: ResponseWriter;
  readonly #openedAtMs: number;
  /** Null before its first request. */
  #socket: UwsSocket | null = null;
  #request: Stream | null = null;
  #state: State = State.waiting;
  #headBytes = 0;
  /** An event came that nobody has looked for. */
  #hasInput = false;
  #isPaused = false;
  #bodyEnded = false;
  /** Pieces of a body that were read before they were wanted. At most what one read of the library's brings. */
  #kept: Uint8Array[] = [];
  #closeAfterResponse = false;
  /** Drained. */
  #isLeaving = false;
  #requestCount = 0;

  constructor(options: UwsConnectionOptions) {
    const { manager, descriptor } = options;
    const { context, config, stats } = manager;
    this.#options = options;
    this.#manager = manager;
    this.#reactor = context.reactor;
    this.#fd = descriptor;
    this.#parser = new RequestParser(manager.parserOptions);
    this.#writer = new ResponseWriter(this, context.reactor);
    this.#openedAtMs = context.reactor.nowMs;
    this.deadlines = new Deadlines(context.reactor, this, ConnectionDeadline.count);
    stats.inc(httpStats.downstreamCxTotal);
    stats.inc(httpStats.downstreamCxActive);
    stats.inc(httpStats.downstreamCxHttp1Total);
    stats.inc(httpStats.downstreamCxHttp1Active);
    this.deadlines.set(ConnectionDeadline.idle, config.idleTimeoutMs);
    this.deadlines.set(ConnectionDeadline.maxDuration, config.maxConnectionDurationMs);
    manager.connections.add(this);
    if (context.reactor.register(descriptor, INPUT, this) < 0) this.#defer();
  }

  // ---- Receiving -------------------------------------------------------------------------------------------------

  onEvents(events: number): void {
    this.#hasInput = true;
    if ((events & ENDED) !== 0) this.close();
    else if (this.#state === State.waiting) this.#look();
    else if (this.#state === State.closing && (events & EpollEvent.peerEnded) !== 0) this.close();
    this.#manager.context.output.flush();
  }

  /** What of a request is there, without taking it. */
  #look(): void {
    this.#hasInput = false;
    const { receiveBuffer } = this.#reactor;
    const count = peek(this.#fd, receiveBuffer, 0, LOOK_BYTES);
    if (count === -Errno.EAGAIN) return;
    if (count <= 0) {
      this.close();
      return;
    }
    const length = this.#parser.parse(receiveBuffer.bytes, 0, count, this.head);
    if (length <= 0 || !isCarried(this.head, receiveBuffer.bytes, length, count)) {
      this.#handBack();
      return;
    }
    this.#state = State.admitted;
    this.#headBytes = length;
    if (this.#socket === null) this.#options.engine.adopt(this.#fd, this);
    else this.#resume();
  }

  /** For the engine. */
  onAdopted(socket: UwsSocket): void {
    this.#socket = socket;
  }

  /** For the engine: the library has read a request, the one that was looked at. */
  onRequest(response: UwsResponse): void {
    response.onAborted(ignore);
    // It was sent behind a request that ends the connection.
    if (this.#state !== State.admitted) return;
    this.#reactor.enter();
    this.deadlines.clear(ConnectionDeadline.idle);
    this.#writer.begin(response);
    this.#beginRequest(response);
    this.#manager.context.output.flush();
    this.#reactor.leave();
  }

  #beginRequest(response: UwsResponse): void {
    const { head } = this;
    const { config, stats } = this.#manager;
    this.#requestCount++;
    const isLast = config.maxRequestsPerConnection > 0 && this.#requestCount >= config.maxRequestsPerConnection;
    if (isLast) stats.inc(httpStats.downstreamCxMaxRequestsReached);
    this.#closeAfterResponse = isLast || !head.keepAlive;
    this.bytesReceived += this.#headBytes;
    const request = new Stream(this.#manager, this.#options.connection.facts, this);
    this.#request = request;
    if (hasBody(head)) {
      this.#state = State.body;
      this.#bodyEnded = false;
      response.onData(this.#onData);
    } else {
      this.#state = State.responding;
      this.#pause();
    }
    request.onRequestHead(this.#headBytes);
  }

  readonly #onData = (chunk: ArrayBuffer, isLast: boolean): void => {
    this.#reactor.enter();
    if (this.#state === State.body) this.#takeBody(new Uint8Array(chunk), isLast);
    this.#manager.context.output.flush();
    this.#reactor.leave();
  };

  #takeBody(bytes: Uint8Array, isLast: boolean): void {
    const request = this.#request!;
    this.bytesReceived += bytes.length;
    this.#bodyEnded = isLast;
    // The memory is the library's and gone when this returns.
    if (this.#kept.length > 0 || !request.acceptsRequestBody) this.#kept.push(Buffer.from(bytes));
    else this.#deliver(request, bytes);
    if (isLast || this.#kept.length > 0 || !request.acceptsRequestBody) this.#pause();
    if (isLast && this.#kept.length === 0) this.#endBody(request);
  }

  #deliver(request: Stream, bytes: Uint8Array): void {
    const { receiveBuffer } = this.#reactor;
    for (let at = 0; at < bytes.length; at += receiveBuffer.length) {
      const piece = bytes.subarray(at, at + receiveBuffer.length);
      receiveBuffer.bytes.set(piece);
      request.onRequestData(receiveBuffer, 0, piece.length);
    }
  }

  #endBody(request: Stream): void {
    // It may have been answered by its last piece.
    if (this.#state !== State.body) return;
    this.#state = State.responding;
    request.onRequestEnd(null);
  }

  #deliverKept(request: Stream): void {
    while (this.#kept.length > 0 && this.#state === State.body) {
      if (!request.acceptsRequestBody) return;
      this.#deliver(request, this.#kept.shift()!);
    }
    if (this.#bodyEnded) this.#endBody(request);
    else if (request.acceptsRequestBody) this.#resume();
  }

  resumeRequest(): void {
    if (this.#state !== State.body) return;
    if (this.#kept.length > 0) this.#defer();
    else if (!this.#bodyEnded) this.#resume();
  }

  /** For the reactor. */
  run(): void {
    if (this.#state === State.waiting) this.#look();
    else if (this.#state === State.body) this.#deliverKept(this.#request!);
    else if (this.#state === State.closing) shutdownWrite(this.#fd);
    this.#manager.context.output.flush();
  }

  #defer(): void {
    this.#reactor.defer(this);
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#socket!.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket!.resume();
  }

  // ---- The end ---------------------------------------------------------------------------------------------------

  /** What is unread, and all that comes after it, is our own codec's. */
  #handBack(): void {
    const { manager, connection, maxKeptBytes } = this.#options;
    const past = {
      openedAtMs: this.#openedAtMs,
      requestCount: this.#requestCount,
      isLeaving: this.#isLeaving,
    };
    const fd = this.#takeBack();
    if (fd < 0) {
      this.close();
      return;
    }
    this.deadlines.cancel();
    manager.connections.delete(this);
    const stream = adoptDescriptor(this.#reactor, fd, pendingHandler, { maxKeptBytes });
    connection.stream = stream;
    stream.handler = new Http1ServerConnection(stream, manager, connection.facts, connection, past);
  }

  /** A descriptor that the library knows nothing of, or a negated errno. */
  #takeBack(): number {
    const socket = this.#socket;
    const fd = socket === null ? this.#fd : duplicate(this.#fd);
    if (fd < 0) return fd;
    this.#state = State.gone;
    this.#reactor.unregister(this.#fd);
    socket?.close();
    return fd;
  }

  /** Closes at once; the response under way is lost. */
  close(): void {
    if (this.#state === State.gone) return;
    if (this.#socket !== null) {
      this.#socket.close();
      return;
    }
    close(this.#fd);
    this.onGone();
  }

  /** As `close`, with RST. */
  reset(): void {
    if (this.#state === State.gone) return;
    setLinger(this.#fd, 0);
    this.close();
  }

  /** For the engine: the library has closed the socket. */
  onGone(): void {
    if (this.#state === State.gone) return;
    const isRemote = this.#state !== State.closing;
    this.#state = State.gone;
    this.#reactor.enter();
    this.#reactor.forget(this.#fd);
    this.#writer.forget();
    this.#finish(isRemote);
    this.#manager.context.output.flush();
    this.#reactor.leave();
  }

  #finish(isRemote: boolean): void {
    const { stats, connections } = this.#manager;
    const request = this.#request;
    this.#request = null;
    if (request !== null) {
      stats.inc(httpStats.downstreamCxDestroyActiveRq);
      stats.inc(httpStats.downstreamCxDestroyRemoteActiveRq);
      request.onDownstreamReset(ResponseFlag.downstreamConnectionTermination, 'downstream_remote_disconnect');
    }
    this.deadlines.cancel();
    connections.delete(this);
    this.#options.connection.onConnectionGone();
    stats.dec(httpStats.downstreamCxActive);
    stats.dec(httpStats.downstreamCxHttp1Active);
    stats.inc(httpStats.downstreamCxDestroy);
    stats.inc(isRemote ? httpStats.downstreamCxDestroyRemote : httpStats.downstreamCxDestroyLocal);
    stats.record(httpStats.downstreamCxLengthMs, this.#reactor.nowMs - this.#openedAtMs);
    stats.add(httpStats.downstreamCxRxBytesTotal, this.bytesReceived);
    stats.add(httpStats.downstreamCxTxBytesTotal, this.bytesSent);
  }

  // Half at first, so that a client that still sends gets to read the response.
  #closeGracefully(): void {
    const { delayedCloseTimeoutMs } = this.#manager.config;
    this.#state = State.closing;
    if (delayedCloseTimeoutMs === 0) {
      this.close();
      return;
    }
    // The rest of a body is read and dropped.
    if (this.#socket !== null && !this.#bodyEnded) this.#resume();
    // Later, because what the library is given inside of a callback leaves behind it.
    this.#reactor.deferToNextTurn(this);
    this.deadlines.set(ConnectionDeadline.idle, delayedCloseTimeoutMs);
  }

  // ---- ResponseSender ----------------------------------------------------------------------------------------------

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
    if (this.#isLeaving || this.#manager.isDraining) this.#closeAfterResponse = true;
    if (head.framing === BodyFraming.untilClose) head.framing = BodyFraming.chunked;
    if (head.framing === BodyFraming.none && this.head.method === 'HEAD') announceFraming(head);
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
  }

  abort(): void {
    this.#request = null;
    this.reset();
  }

  /** A request that asks for a tunnel is not the library's. */
  startTunnel(): void {
    this.abort();
  }

  // ---- Of the response writer ----------------------------------------------------------------------------------------

  onResponseDrained(): void {
    this.#request?.onResponseDrained();
    this.#manager.context.output.flush();
  }

  onResponseComplete(): void {
    if (this.#state === State.gone) return;
    this.#kept.length = 0;
    if (this.#state !== State.responding || this.#closeAfterResponse) {
      this.#closeGracefully();
      return;
    }
    this.#state = State.waiting;
    this.head.headers.shrink();
    this.deadlines.set(ConnectionDeadline.idle, this.#isLeaving ? lastRequestMs : this.#manager.config.idleTimeoutMs);
    if (this.#hasInput) this.#defer();
  }

  // ---- Deadlines and drain -----------------------------------------------------------------------------------------

  onDeadline(slot: number): void {
    if (slot < StreamDeadline.count) {
      this.#request?.onDeadline(slot);
    } else if (slot === ConnectionDeadline.maxDuration) {
      this.#manager.stats.inc(httpStats.downstreamCxMaxDurationReached);
      this.#leave();
    } else if (this.#state === State.closing) {
      this.close();
    } else {
      if (!this.#isLeaving) this.#manager.stats.inc(httpStats.downstreamCxIdleTimeout);
      this.#closeGracefully();
    }
    this.#manager.context.output.flush();
  }

  drain(): void {
    if (this.#isLeaving) return;
    this.#manager.stats.inc(httpStats.downstreamCxDrainClose);
    this.#leave();
  }

  /** As in the codec of our own: a request that is on its way is still answered. */
  #leave(): void {
    this.#isLeaving = true;
    if (this.#state === State.waiting) this.deadlines.set(ConnectionDeadline.idle, lastRequestMs);
  }
}

const INPUT = EpollEvent.readable | EpollEvent.peerEnded | EpollEvent.edgeTriggered;
const ENDED = EpollEvent.error | EpollEvent.hangUp;

/** More than the largest head that is carried. */
const LOOK_BYTES = 8192;

/** How long an idle connection that is drained waits for the request that may be on its way. */
const lastRequestMs = 250;

const closeLine = encodeLine('connection', 'close');
const chunkedLine = encodeLine('transfer-encoding', 'chunked');

/** What a GET would have been answered with (RFC 9110 section 9.3.2): without a length it would be chunked. */
function announceFraming({ status, headers }: ResponseHead): void {
  if (status < 200 || status === 204 || status === 304) return;
  if (headers.findId(HeaderId.contentLength) >= 0 || headers.findId(HeaderId.transferEncoding) >= 0) return;
  headers.appendLine(chunkedLine);
}

/** Every response must have a handler of its abortion; the filter tells of the end of the connection. */
function ignore(): void {}

/** Until the codec is made, in the same call. */
const pendingHandler = {
  onConnected(): void {},
  onData: (): number => 0,
  onEnd(): void {},
  onDrained(): void {},
  onClosed(): void {},
};

// One connection to an endpoint as the second engine has it: a stream of the reactor, and an undici client that speaks
// HTTP/1.1 on it. The client is given that one socket and no other, so the pool knows which connection carries what.
//
// Before undici writes on a connection that was used before, it lets the loop go round once and looks at what the
// endpoint sent meanwhile. A connection that ends in that time has carried nothing of the request (`isUnsent`).
//
// A response's head is read by our own parser, as in the reactor's engine. When it is complete and found to be one that we
// forward, undici is given what it needs to find where the body ends.

import type { Socket } from 'node:net';
import type { buildConnector, Client, Dispatcher } from 'undici';
import { describeErrno } from '../../../native/errno.ts';
import type { NativeBuffer } from '../../../native/native-buffer.ts';
import { ConnectionNotes } from '../../cluster/connection-notes.ts';
import { type ConnectionOwner, type PooledConnection, tunnelCloseMs } from '../../cluster/pooled-connection.ts';
import { invalidResponseFailure, terminationFailure, type UpstreamFailure } from '../../cluster/upstream-failure.ts';
import { ResponseParser } from '../../http/http1/response-parser.ts';
import { hasBody, type RequestHead, ResponseHead } from '../../http/message.ts';
import type { ResponseReceiver } from '../../http/upstream-connection.ts';
import type { ByteStream, ByteStreamHandler, CloseReason } from '../../reactor/byte-stream.ts';
import type { Deferred } from '../../reactor/reactor.ts';
import { RequestBody } from './request-body.ts';
import { requestOptions } from './request-options.ts';
import { shortenHead } from './short-head.ts';
import { StreamSocket } from './stream-socket.ts';
import type { UndiciContext } from './undici-context.ts';
import { closeReason, exchangeFailure, type LibraryError } from './undici-failure.ts';

export interface UndiciConnectionOptions {
  /** Of a response. */
  readonly maxHeadersBytes: number;
  readonly maxHeadersCount: number;
}

/**
 * `ended`: the response is complete, and undici has not said yet whether it goes on with the connection. `upgraded`: the
 * endpoint has switched protocols, and nobody takes bytes of the new one yet.
 */
const State = { connecting: 0, idle: 1, head: 2, body: 3, ended: 4, upgraded: 5, tunnel: 6, closed: 7 } as const;
type State = (typeof State)[keyof typeof State];

export class UndiciConnection implements PooledConnection, ByteStreamHandler, Dispatcher.DispatchHandler, Deferred {
  readonly head = new ResponseHead();
  readonly notes = new ConnectionNotes();
  exchangeCount = 0;
  hasPeerEnded = false;
  sawResponseByte = false;

  readonly #owner: ConnectionOwner;
  readonly #context: UndiciContext;
  readonly #socket: StreamSocket;
  readonly #client: Client;
  readonly #parser: ResponseParser;
  #stream!: ByteStream;
  #state: State = State.connecting;
  #isClosedByUs = false;
  /** The client reads what arrives. */
  #isGiven = false;
  #receiver: ResponseReceiver | null = null;
  #controller: Dispatcher.DispatchController | null = null;
  #body: RequestBody | null = null;
  #method = '';
  #requestEnded = false;
  /** undici has begun to write the open exchange's request. */
  #isStarted = false;
  #tookBody = false;
  #isDispatching = false;
  #isPaused = false;
  /** Where the bytes are that undici reads right now. */
  #arriving: NativeBuffer | null = null;

  constructor(owner: ConnectionOwner, context: UndiciContext, options: UndiciConnectionOptions) {
    this.#owner = owner;
    this.#context = context;
    this.#socket = new StreamSocket(context.turn, context.output);
    this.#parser = new ResponseParser(options);
    this.#client = new context.Client(origin, {
      ...clientOptions,
      maxHeaderSize: options.maxHeadersBytes,
      // The client does not go on when it is answered from inside the call.
      connect: (_, callback) => queueMicrotask(() => this.#giveSocket(callback)),
    });
  }

  get stream(): ByteStream {
    return this.#stream;
  }

  /** Set by the connector right after the stream was made. */
  set stream(stream: ByteStream) {
    this.#stream = stream;
    this.#socket.stream = stream;
  }

  get keepAliveTimeoutMs(): number {
    return this.head.keepAliveTimeoutMs;
  }

  get isUnsent(): boolean {
    return !this.#isStarted && !this.#tookBody;
  }

  get isRequestBlocked(): boolean {
    return this.#state === State.tunnel ? this.#socket.writableNeedDrain : (this.#body?.isBlocked ?? false);
  }

  hasInput(): boolean {
    return this.#socket.destroyed || this.#stream.hasInput();
  }

  sendHead(head: RequestHead, receiver: ResponseReceiver): void {
    this.exchangeCount++;
    this.#state = State.head;
    this.#receiver = receiver;
    this.#controller = null;
    this.#method = head.method;
    this.#requestEnded = !hasBody(head);
    this.#body = this.#requestEnded ? null : new RequestBody(this.#onBodyDrained);
    this.#isStarted = false;
    this.#tookBody = false;
    this.#isPaused = false;
    this.sawResponseByte = false;
    // What undici refuses, it refuses from inside the call.
    this.#isDispatching = true;
    this.#client.dispatch(requestOptions(head, this.#body?.stream ?? null), this);
    this.#isDispatching = false;
  }

  sendData(buffer: NativeBuffer, start: number, end: number): void {
    if (this.#state === State.tunnel) this.#context.output.append(this.#stream, buffer, start, end);
    else this.#push(Buffer.from(buffer.bytes.subarray(start, end)));
  }

  sendBytes(bytes: Uint8Array): void {
    if (this.#state === State.tunnel) this.#context.output.appendBytes(this.#stream, bytes);
    else this.#push(Buffer.from(bytes));
  }

  #push(bytes: Buffer): void {
    this.#tookBody = true;
    this.#body?.push(bytes);
  }

  sendEnd(): void {
    this.#requestEnded = true;
    this.#body?.end();
  }

  readonly #onBodyDrained = (): void => {
    this.#context.turn.enter();
    this.#receiver?.onRequestDrained();
  };

  abort(): void {
    this.#receiver = null;
    this.#isClosedByUs = true;
    this.#context.output.discard(this.#stream);
    this.#socket.reset();
  }

  close(): void {
    this.#isClosedByUs = true;
    this.#socket.destroy();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#isStarted = true;
  }

  onResponseStart(_: unknown, status: number): void {
    const receiver = this.#receiver;
    if (receiver === null) return;
    const { head } = this;
    if (status === 101) this.#fail(unaskedSwitch);
    else if (status < 200) receiver.onInterimHead(head);
    else {
      const isEnd = !hasBody(head);
      this.#state = State.body;
      receiver.onResponseHead(head, isEnd);
      if (isEnd && this.#receiver === receiver) this.#end(receiver);
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#pass(chunk);
    if (this.#receiver === null || this.#receiver.acceptsResponseBody) return;
    this.#isPaused = true;
    this.#stream.pauseReading();
    controller.pause();
  }

  onResponseEnd(): void {
    if (this.#receiver !== null) this.#end(this.#receiver);
  }

  onResponseError(_: unknown, error: LibraryError): void {
    const failure = exchangeFailure(error, this);
    if (this.#isDispatching) queueMicrotask(() => this.#fail(failure));
    else this.#fail(failure);
  }

  onRequestUpgrade(): void {
    this.#state = State.upgraded;
    // An endpoint switches protocols when it has the whole of a request that offers it (RFC 9110 §7.8).
    if (!this.#requestEnded) this.#fail(unaskedSwitch);
    else this.#receiver?.onInterimHead(this.head);
  }

  #pass(chunk: Buffer): void {
    const arriving = this.#arriving;
    if (arriving !== null && chunk.buffer === arriving.bytes.buffer) {
      const start = chunk.byteOffset - arriving.bytes.byteOffset;
      this.#receiver?.onResponseData(arriving, start, start + chunk.length);
      return;
    }
    const { passage } = this.#context;
    for (let at = 0; at < chunk.length && this.#receiver !== null; at += passage.length) {
      const length = chunk.copy(passage.bytes, 0, at);
      this.#receiver.onResponseData(passage, 0, length);
    }
  }

  #end(receiver: ResponseReceiver): void {
    this.#state = State.ended;
    this.#receiver = null;
    receiver.onResponseEnd(null);
    this.head.headers.shrink();
  }

  /**
   * undici is done with what it was told of. Behind a response it has ended the connection when the endpoint said so, when
   * the request is not all sent, and when more bytes followed.
   */
  #afterLibrary(): void {
    if (this.#state === State.ended) {
      this.#state = State.idle;
      const isReusable = this.head.keepAlive && this.#requestEnded && !this.#socket.destroyed;
      if (isReusable) this.#owner.onConnectionIdle(this);
      else this.close();
    }
    this.#context.output.flush();
  }

  #fail(failure: UpstreamFailure): void {
    const receiver = this.#receiver;
    if (receiver === null) return;
    this.#receiver = null;
    this.close();
    receiver.onResponseReset(failure);
  }

  resumeResponse(): void {
    if (this.#state === State.tunnel) this.#stream.resumeReading();
    if (!this.#isPaused) return;
    this.#isPaused = false;
    // undici would hand on what it has from inside this call.
    this.#context.reactor.defer(this);
  }

  /** For the reactor. */
  run(): void {
    if (this.#receiver === null) return;
    this.#controller?.resume();
    this.#stream.resumeReading();
    this.#afterLibrary();
  }

  /** undici has let go of the socket. */
  startTunnel(): void {
    this.#state = State.tunnel;
    // What it has read of the new protocol is offered again.
    this.#stream.resumeReading();
  }

  endTunnelWriting(): void {
    this.#context.output.flush();
    this.#stream.endWriting();
  }

  #receiveInTunnel(buffer: NativeBuffer, start: number, end: number): void {
    const receiver = this.#receiver;
    if (receiver === null) return;
    receiver.onResponseData(buffer, start, end);
    if (!receiver.acceptsResponseBody) this.#stream.pauseReading();
  }

  #endTunnel(): void {
    const receiver = this.#receiver;
    this.#receiver = null;
    receiver?.onResponseEnd(null);
    this.#stream.closeGracefully(tunnelCloseMs);
  }

  #giveSocket(callback: buildConnector.Callback): void {
    this.#isGiven = true;
    // The client would go on with another connection: that is for the pool to decide.
    if (this.#socket.destroyed) callback(new Error('the connection is gone'), null);
    else callback(null, this.#socket as unknown as Socket);
  }

  onConnected(): void {
    this.#state = State.idle;
    this.#owner.onConnectionEstablished(this);
    this.#context.output.flush();
  }

  onData(buffer: NativeBuffer, start: number, end: number): number {
    let consumed = end - start;
    if (this.#state === State.tunnel) this.#receiveInTunnel(buffer, start, end);
    // Nobody reads yet for undici: bytes that nobody asked for.
    else if (!this.#isGiven) this.close();
    else consumed = this.#receive(buffer, start, end);
    this.#afterLibrary();
    return consumed;
  }

  /** Returns how many bytes were taken; the rest is offered again, in front of what arrives next. */
  #receive(buffer: NativeBuffer, start: number, end: number): number {
    let at = start;
    // Before undici has begun to write, and between exchanges, nobody asked: that is for undici to find out.
    while (at < end && this.#state === State.head && this.#isStarted && this.#receiver !== null) {
      this.sawResponseByte = true;
      const length = this.#parser.parse(buffer.bytes, at, end, this.head, this.#method);
      if (length < 0) this.#fail(invalidResponseFailure(this.#parser.error!.reason));
      if (length <= 0) return at - start;
      if (this.head.status >= 200) {
        const from = shortenHead(buffer.bytes, at, at + length, this.head);
        return from - start + this.#give(buffer, from, end);
      }
      at += this.#give(buffer, at, at + length);
    }
    return at < end ? at - start + this.#give(buffer, at, end) : at - start;
  }

  #give(buffer: NativeBuffer, start: number, end: number): number {
    this.#arriving = buffer;
    const consumed = this.#socket.receive(buffer.bytes.subarray(start, end));
    this.#arriving = null;
    return consumed;
  }

  onEnd(): void {
    this.hasPeerEnded = true;
    if (this.#state === State.tunnel) this.#endTunnel();
    else if (!this.#isGiven) this.close();
    else this.#socket.emit('end');
    this.#afterLibrary();
  }

  onDrained(): void {
    if (this.#state === State.tunnel) this.#receiver?.onRequestDrained();
    else this.#socket.emit('drain');
    this.#context.output.flush();
  }

  onClosed(cause: CloseReason): void {
    const { errored } = this.#socket;
    const reason = this.#isClosedByUs || errored === null ? cause : closeReason(errored);
    this.#socket.end(errored ?? errorOf(cause));
    const wasIdle = this.#state === State.idle || this.#state === State.ended;
    const receiver = this.#receiver;
    this.#state = State.closed;
    this.#receiver = null;
    this.#client.destroy(ignoreDestroyed);
    this.#owner.onConnectionClosed(this, reason, wasIdle);
    receiver?.onResponseReset(terminationFailure(reason, this.notes.idleBeforeMs));
    this.#context.output.flush();
  }
}

/** Part of no message: requests name their host. */
const origin = 'http://endpoint.invalid';

/** The largest delay that Node's timers take. */
const never = 2 ** 31 - 1;

/** Time is ours to measure, and so is how long a connection may be idle. */
const clientOptions = {
  pipelining: 1,
  allowH2: false,
  headersTimeout: 0,
  bodyTimeout: 0,
  keepAliveTimeout: never,
  keepAliveMaxTimeout: never,
  keepAliveTimeoutThreshold: 0,
};

const unaskedSwitch = invalidResponseFailure('101 Switching Protocols was not asked for');

/** What the kernel has said, as undici is told of it. */
function errorOf(reason: CloseReason): LibraryError | null {
  return reason.kind === 'error'
    ? Object.assign(new Error(describeErrno(reason.errno)), { errno: -reason.errno })
    : null;
}

// The client holds nothing that waits for its end.
function ignoreDestroyed(): void {
  // Told to nobody.
}

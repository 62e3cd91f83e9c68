// One connection to an endpoint as the second engine has it: a socket of Node's, and an undici client that speaks
// HTTP/1.1 on it. The client is given that one socket and no other, so the pool knows which connection carries what.
//
// Before undici writes on a connection that was used before, it lets the loop go round once and looks at what the
// endpoint sent meanwhile. A connection that ends in that time has carried nothing of the request (`isUnsent`).

import type { Socket } from 'node:net';
import type { buildConnector, Client, Dispatcher } from 'undici';
import { formatAddress } from '../../../config/address.ts';
import type { NativeBuffer } from '../../../native/native-buffer.ts';
import type { ConnectionOwner, PooledConnection } from '../../cluster/pooled-connection.ts';
import { terminationFailure, type UpstreamFailure } from '../../cluster/upstream-failure.ts';
import { hasBody, type RequestHead, ResponseHead } from '../../http/message.ts';
import type { ResponseReceiver } from '../../http/upstream-connection.ts';
import type { CloseReason } from '../../reactor/byte-stream.ts';
import { Timer } from '../../reactor/timer-wheel.ts';
import type { Finishing, LibraryTurn } from './library-turn.ts';
import { RequestBody } from './request-body.ts';
import { requestOptions } from './request-options.ts';
import { ResponseHeadReader } from './response-head-reader.ts';
import type { UndiciContext } from './undici-connector.ts';
import { closeReason, exchangeFailure, type LibraryError } from './undici-failure.ts';

export interface UndiciConnectionOptions {
  /** Connecting. */
  readonly socket: Socket;
  readonly connectTimeoutMs: number;
  /** Of a response. */
  readonly maxHeadersBytes: number;
  readonly maxHeadersCount: number;
}

/** `ended`: the response is complete, and undici has not said yet whether it goes on with the connection. */
const State = { connecting: 0, idle: 1, exchange: 2, ended: 3, tunnel: 4, closed: 5 } as const;
type State = (typeof State)[keyof typeof State];

export class UndiciConnection implements PooledConnection, Dispatcher.DispatchHandler, Finishing {
  readonly head = new ResponseHead();
  idleSinceMs = 0;
  idleSinceTurn = -1;
  idleBeforeMs = -1;
  connectStartedAtMs = 0;
  localAddressText = '';
  countedReceivedBytes = 0;
  countedSentBytes = 0;
  exchangeCount = 0;
  hasPeerEnded = false;
  sawResponseByte = false;

  readonly #owner: ConnectionOwner;
  readonly #context: UndiciContext;
  readonly #turn: LibraryTurn;
  readonly #socket: Socket;
  readonly #client: Client;
  readonly #heads: ResponseHeadReader;
  /** The end of what is waited for: that the connection is made, or that a tunnel's last bytes leave. */
  readonly #limit = new Timer(() => this.#onLimit());
  #state: State = State.connecting;
  #reason: CloseReason | null = null;
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

  constructor(owner: ConnectionOwner, context: UndiciContext, options: UndiciConnectionOptions) {
    this.#owner = owner;
    this.#context = context;
    this.#turn = context.turn;
    this.#socket = options.socket;
    this.#heads = new ResponseHeadReader(options);
    this.#client = new context.Client(origin, {
      ...clientOptions,
      maxHeaderSize: options.maxHeadersBytes,
      connect: (_, callback) => queueMicrotask(() => this.#giveSocket(callback)),
    });
    const { reactor } = context;
    if (options.connectTimeoutMs > 0) reactor.timers.schedule(this.#limit, options.connectTimeoutMs);
    this.#socket
      .once('connect', () => this.#onConnected())
      .on('end', () => this.#onInputEnd())
      .on('error', (error) => this.#onSocketError(error))
      // After undici, which knows more of why.
      .once('close', () => queueMicrotask(() => this.#onClosed()));
  }

  get bytesReceived(): number {
    return this.#socket.bytesRead;
  }

  get bytesSent(): number {
    return this.#socket.bytesWritten;
  }

  get exchangeBytesReceived(): number {
    return this.bytesReceived - this.countedReceivedBytes;
  }

  get exchangeBytesSent(): number {
    return this.bytesSent - this.countedSentBytes;
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

  readLocalAddress(): string {
    const { localAddress: ip, localPort: port } = this.#socket;
    return ip === undefined || port === undefined ? '' : formatAddress({ kind: 'ip', ip, port });
  }

  /** As far as Node has read: what still waits in the kernel, undici finds before it writes. */
  hasInput(): boolean {
    const socket = this.#socket;
    return socket.destroyed || socket.readableLength > 0 || socket.readableEnded;
  }

  // ---- Request ---------------------------------------------------------------------------------------------------

  sendHead(head: RequestHead, receiver: ResponseReceiver): void {
    if (this.exchangeCount === 0) this.#socket.off('readable', this.#onUnusedInput);
    this.exchangeCount++;
    this.#state = State.exchange;
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
    this.#send(Buffer.from(buffer.bytes.subarray(start, end)));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#send(Buffer.from(bytes));
  }

  #send(bytes: Buffer): void {
    if (this.#state === State.tunnel) {
      this.#socket.write(bytes);
      return;
    }
    this.#tookBody = true;
    this.#body?.push(bytes);
  }

  sendEnd(): void {
    this.#requestEnded = true;
    this.#body?.end();
  }

  readonly #onBodyDrained = (): void => {
    this.#turn.enter();
    this.#receiver?.onRequestDrained();
  };

  abort(): void {
    this.#receiver = null;
    this.#reason ??= localReason;
    // With RST where there is one, so that the endpoint cannot take a cut request for a whole one.
    if (this.#socket.remotePort === undefined) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  close(): void {
    this.#reason ??= localReason;
    this.#socket.destroy();
  }

  // ---- What undici calls -----------------------------------------------------------------------------------------

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#isStarted = true;
  }

  onResponseStarted(): void {
    this.sawResponseByte = true;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, _: unknown, reason?: string): void {
    const receiver = this.#receiver;
    if (receiver === null) return;
    this.#turn.enter();
    const { head } = this;
    const problem = this.#readHead(controller, status, reason);
    if (problem !== null) this.#fail(problem);
    else if (status === 101) this.#fail(unaskedSwitch);
    else if (status < 200) receiver.onInterimHead(head);
    else {
      const isEnd = !hasBody(head);
      receiver.onResponseHead(head, isEnd);
      if (isEnd && this.#receiver === receiver) this.#end(receiver);
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#turn.enter();
    this.#pass(chunk);
    if (this.#receiver === null || this.#receiver.acceptsResponseBody) return;
    this.#isPaused = true;
    controller.pause();
  }

  onResponseEnd(): void {
    this.#turn.enter();
    // undici takes a reset for the end of a body that lasts until the end of its connection.
    if (this.#reason?.kind === 'error') this.#fail(terminationFailure(this.#reason, this.idleBeforeMs));
    if (this.#receiver !== null) this.#end(this.#receiver);
    this.#turn.finishLater(this);
  }

  onResponseError(_: unknown, error: LibraryError): void {
    const failure = exchangeFailure(error, this);
    if (this.#isDispatching) queueMicrotask(() => this.#fail(failure));
    else this.#fail(failure);
  }

  onRequestUpgrade(controller: Dispatcher.DispatchController, status: number): void {
    const receiver = this.#receiver;
    if (receiver === null) return;
    this.#turn.enter();
    const problem = this.#readHead(controller, status, '');
    if (problem !== null) this.#fail(problem);
    // An endpoint switches protocols when it has the whole of a request that offers it (RFC 9110 §7.8).
    else if (!this.#requestEnded) this.#fail(unaskedSwitch);
    else receiver.onInterimHead(this.head);
  }

  #readHead({ rawHeaders }: Dispatcher.DispatchController, status: number, reason = ''): UpstreamFailure | null {
    const received = { status, reason, fields: rawHeaders as readonly Buffer[] };
    const error = this.#heads.read(received, this.head, this.#method);
    return error === null ? null : protocolFailure(error.reason);
  }

  #pass(chunk: Buffer): void {
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
   * undici is done with the bytes behind the response. It has ended the connection when the endpoint said so, when the
   * request is not all sent, and when more bytes followed.
   */
  finish(): void {
    if (this.#state !== State.ended) return;
    this.#state = State.idle;
    const isReusable = this.head.keepAlive && this.#requestEnded && !this.#socket.destroyed;
    if (isReusable) this.#owner.onConnectionIdle(this);
    else this.close();
  }

  #fail(failure: UpstreamFailure): void {
    const receiver = this.#receiver;
    if (receiver === null) return;
    this.#turn.enter();
    this.#receiver = null;
    this.close();
    receiver.onResponseReset(failure);
  }

  resumeResponse(): void {
    if (this.#state === State.tunnel) this.#socket.resume();
    if (!this.#isPaused) return;
    this.#isPaused = false;
    // undici would hand on what it has from inside this call.
    setImmediate(this.#resume);
  }

  readonly #resume = (): void => {
    if (this.#receiver !== null) this.#controller?.resume();
  };

  // ---- Tunnel ----------------------------------------------------------------------------------------------------

  /** undici has let go of the socket. */
  startTunnel(): void {
    this.#state = State.tunnel;
    this.#socket.on('data', (chunk: Buffer) => this.#onTunnelData(chunk)).on('drain', this.#onBodyDrained);
  }

  #onTunnelData(chunk: Buffer): void {
    this.#turn.enter();
    this.#pass(chunk);
    if (this.#receiver !== null && !this.#receiver.acceptsResponseBody) this.#socket.pause();
  }

  endTunnelWriting(): void {
    this.#socket.end();
  }

  #endTunnel(): void {
    this.#turn.enter();
    const receiver = this.#receiver;
    this.#receiver = null;
    receiver?.onResponseEnd(null);
    this.#socket.end();
    this.#context.reactor.timers.schedule(this.#limit, tunnelCloseMs);
  }

  // ---- The socket ------------------------------------------------------------------------------------------------

  #giveSocket(callback: buildConnector.Callback): void {
    // The client would go on with another connection: that is for the pool to decide.
    if (this.#socket.destroyed) callback(new Error('the connection is gone'), null);
    else callback(null, this.#socket);
  }

  #onConnected(): void {
    this.#turn.enter();
    this.#context.reactor.timers.cancel(this.#limit);
    this.#state = State.idle;
    this.#owner.onConnectionEstablished(this);
    if (this.exchangeCount === 0) this.#socket.once('readable', this.#onUnusedInput);
  }

  // Nobody reads yet for undici: an end, or bytes that nobody asked for.
  readonly #onUnusedInput = (): void => this.close();

  #onInputEnd(): void {
    this.hasPeerEnded = true;
    if (this.#state === State.tunnel) this.#endTunnel();
  }

  #onSocketError(error: LibraryError): void {
    this.#reason ??= closeReason(error);
  }

  #onLimit(): void {
    if (this.#state === State.connecting) this.#reason = { kind: 'connect-timeout' };
    this.close();
  }

  #onClosed(): void {
    this.#turn.enter();
    const wasIdle = this.#state === State.idle || this.#state === State.ended;
    const reason = this.#reason ?? remoteReason;
    const receiver = this.#receiver;
    this.#state = State.closed;
    this.#receiver = null;
    this.#context.reactor.timers.cancel(this.#limit);
    this.#client.destroy(ignoreDestroyed);
    this.#owner.onConnectionClosed(this, reason, wasIdle);
    receiver?.onResponseReset(terminationFailure(reason, this.idleBeforeMs));
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

/** How long an endpoint that has ended its side of a tunnel may take for what is still on its way to it. */
const tunnelCloseMs = 1000;

const localReason: CloseReason = { kind: 'local' };
const remoteReason: CloseReason = { kind: 'remote' };

function protocolFailure(reason: string): UpstreamFailure {
  return { kind: 'protocol-error', reason: `the endpoint's response is not valid HTTP/1.1: ${reason}` };
}

const unaskedSwitch = protocolFailure('101 Switching Protocols was not asked for');

// The client holds nothing that waits for its end.
function ignoreDestroyed(): void {
  // Told to nobody.
}

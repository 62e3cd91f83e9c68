// The client side of HTTP/1.1: one upstream connection, one exchange at a time.
//
// RFC 9112 §9.3.2 lets a client pipeline; we never do, because a slow response would hold the ones behind it. A byte
// that arrives while no exchange is open is somebody else's response (response-queue poisoning, CVE-2026-48931 and its
// kin): the connection is destroyed, never reused.

import type { NativeBuffer } from '../../../native/native-buffer.ts';
import { ConnectionNotes } from '../../cluster/connection-notes.ts';
import type { EndpointConnection } from '../../cluster/endpoint-socket.ts';
import { type ConnectionOwner, type PooledConnection, tunnelCloseMs } from '../../cluster/pooled-connection.ts';
import { invalidResponseFailure, terminationFailure, type UpstreamFailure } from '../../cluster/upstream-failure.ts';
import type { ByteStream, CloseReason, Relay } from '../../reactor/byte-stream.ts';
import { tlsFactsOf } from '../../tls/facts.ts';
import type { TlsFacts } from '../../transport/tls-facts.ts';
import type { TlsTransport } from '../../transport/tls-transport.ts';
import type { HeaderTable } from '../header-table.ts';
import { BodyFraming, hasBody, type RequestHead, ResponseHead } from '../message.ts';
import type { ResponseReceiver } from '../upstream-connection.ts';
import { BodyDecoder, type BodyLimits } from './body-decoder.ts';
import { BodyEncoder } from './body-encoder.ts';
import { requestHeadBound, writeRequestHead } from './head-writer.ts';
import type { OutputBuffer } from './output-buffer.ts';
import { ResponseParser, type ResponseParserOptions } from './response-parser.ts';

const State = { connecting: 0, idle: 1, head: 2, body: 3, bodyUntilClose: 4, tunnel: 5, closed: 6 } as const;
type State = (typeof State)[keyof typeof State];

/** Less than this is read at once anyway. */
const RELAYED_BYTES = 128 * 1024;

export class Http1ClientConnection implements PooledConnection, EndpointConnection, Relay {
  /** Set by the connector right after the stream was made. */
  stream!: ByteStream;
  readonly head = new ResponseHead();
  /** What is written leaves in this turn, or nobody can tell. */
  readonly isUnsent = false;
  /** Where the open response is relayed to, while it is. */
  sink!: ByteStream;
  readonly notes = new ConnectionNotes();
  /** What the handshake showed; null before its end and on a plain connection. */
  tls: TlsFacts | null = null;
  /** The endpoint sends no more: it is who ends the connection. */
  hasPeerEnded = false;
  exchangeCount = 0;
  exchangeHeadBytesSent = 0;
  exchangeHeadBytesReceived = 0;

  readonly #owner: ConnectionOwner;
  readonly #output: OutputBuffer;
  readonly #parser: ResponseParser;
  readonly #decoder = new BodyDecoder('response');
  readonly #encoder: BodyEncoder;
  readonly #trailerLimits: BodyLimits;
  #state: State = State.connecting;
  #offersUpgrade = false;
  /** The reactor's turn in which the open exchange began. */
  #begunInTurn = 0;
  /** Bytes at hand behind what was read last. */
  #unreadBytes = 0;
  #receiver: ResponseReceiver | null = null;
  #method = '';
  #requestEnded = false;
  #keepAlive = true;
  #sawResponseByte = false;
  #isRelaying = false;
  #transport: TlsTransport | null = null;

  constructor(owner: ConnectionOwner, output: OutputBuffer, options: ResponseParserOptions) {
    this.#owner = owner;
    this.#output = output;
    this.#parser = new ResponseParser(options);
    this.#trailerLimits = { maxTrailersBytes: options.maxHeadersBytes, maxTrailersCount: options.maxHeadersCount };
    this.#encoder = new BodyEncoder(output);
  }

  onSecuring(transport: TlsTransport): void {
    this.#transport = transport;
  }

  get isIdle(): boolean {
    return this.#state === State.idle;
  }

  get isEstablished(): boolean {
    return this.#state !== State.connecting && this.#state !== State.closed;
  }

  get keepAliveTimeoutMs(): number {
    return this.head.keepAliveTimeoutMs;
  }

  /** Whether a byte of the response has arrived: the point after which nothing may be replayed. */
  get sawResponseByte(): boolean {
    return this.#sawResponseByte;
  }

  /** True while the peer has not taken all request bytes. */
  get isRequestBlocked(): boolean {
    return this.stream.pendingWriteBytes > 0;
  }

  /** Opens an exchange. The head stays in the output buffer until `flush`, so that the body can join it. */
  sendHead(head: RequestHead, receiver: ResponseReceiver): void {
    this.#state = State.head;
    this.#receiver = receiver;
    this.#method = head.method;
    this.#requestEnded = !hasBody(head);
    this.#keepAlive = true;
    this.#sawResponseByte = false;
    this.#offersUpgrade = head.upgrade !== '';
    this.#begunInTurn = this.#owner.turn;
    this.exchangeCount++;
    this.#parser.reset();
    this.#output.begin(this.stream, requestHeadBound(head));
    const start = this.#output.length;
    this.#output.advanceTo(writeRequestHead(head, this.#output.bytes, start));
    this.exchangeHeadBytesSent = this.#output.length - start;
    this.exchangeHeadBytesReceived = 0;
    this.#encoder.begin(this.stream, head.framing);
  }

  sendData(buffer: NativeBuffer, start: number, end: number): void {
    this.#encoder.data(buffer, start, end);
  }

  sendBytes(bytes: Uint8Array): void {
    this.#encoder.dataBytes(bytes);
  }

  sendEnd(trailers: HeaderTable | null): void {
    this.#encoder.end(trailers);
    this.#requestEnded = true;
  }

  flush(): void {
    this.#output.flush();
  }

  /** After 101 or a CONNECT's 2xx: bytes pass both ways until both sides have ended. */
  startTunnel(): void {
    this.#state = State.tunnel;
    this.#keepAlive = false;
    this.#encoder.begin(this.stream, BodyFraming.untilClose);
  }

  endTunnelWriting(): void {
    this.#output.flush();
    this.stream.endWriting();
  }

  /** Gives up the open exchange: the connection cannot carry another one. */
  abort(): void {
    this.#receiver = null;
    this.#output.discard(this.stream);
    this.stream.reset();
  }

  close(): void {
    this.stream.close();
  }

  hasInput(): boolean {
    return this.stream.hasInput();
  }

  resumeResponse(): void {
    this.stream.resumeReading();
  }

  onConnected(): void {
    this.#state = State.idle;
    if (this.#transport !== null) this.tls = tlsFactsOf(this.#transport);
    this.#owner.onConnectionEstablished(this);
    this.#output.flush();
  }

  onData(buffer: NativeBuffer, start: number, end: number): number {
    const consumed = this.#read(buffer, start, end);
    this.#output.flush();
    return consumed;
  }

  #read(buffer: NativeBuffer, start: number, end: number): number {
    let position = start;
    while (position < end) {
      const receiver = this.#receiver;
      if (receiver === null) {
        if (!this.stream.isClosed) this.stream.close();
        return end - start;
      }
      if (!this.#sawResponseByte) {
        if (this.#begunInTurn === this.#owner.turn) return this.#refuseUnsolicited(end - start);
        this.#sawResponseByte = true;
      }
      if (this.#state === State.head) {
        const length = this.#parser.parse(buffer.bytes, position, end, this.head, this.#method);
        if (length === 0) return position - start;
        if (length < 0) return this.#fail(this.#parser.error!.reason, end - start);
        position += length;
        this.exchangeHeadBytesReceived += length;
        this.#unreadBytes = end - position;
        if (this.head.status === 101 && !this.#mayUpgrade) {
          return this.#fail('101 Switching Protocols was not asked for', end - start);
        }
        this.#onHead(receiver);
      } else if (this.#state === State.tunnel) {
        receiver.onResponseData(buffer, position, end);
        position = end;
      } else {
        position = this.#decoder.step(buffer.bytes, position, end);
        this.#unreadBytes = end - position;
        if (this.#decoder.error !== null) return this.#fail(this.#decoder.error.reason, end - start);
        if (this.#decoder.dataEnd > this.#decoder.dataStart) {
          receiver.onResponseData(buffer, this.#decoder.dataStart, this.#decoder.dataEnd);
          if (this.#decoder.remaining >= RELAYED_BYTES && this.#receiver === receiver && !this.#isRelaying) {
            this.#relay(receiver);
          }
        }
        if (this.#decoder.isDone && this.#receiver === receiver) this.#finish(receiver, this.#decoder.trailers);
      }
      if (this.#receiver !== null && !this.#receiver.acceptsResponseBody) {
        this.stream.pauseReading();
        return position - start;
      }
    }
    return position - start;
  }

  /** A long rest of a body or of a chunk, which need not pass through our memory. */
  #relay(receiver: ResponseReceiver): void {
    const sink = receiver.responseSink;
    if (sink === null) return;
    this.sink = sink;
    this.#isRelaying = true;
    this.stream.relayTo(this);
  }

  /** How much of the body may be relayed. */
  get limitBytes(): number {
    return this.#decoder.remaining;
  }

  onRelayed(length: number): void {
    const receiver = this.#receiver;
    if (receiver === null) return;
    this.#decoder.skip(length);
    if (this.#decoder.remaining === 0) this.#endRelay();
    receiver.onResponseRelayed(length);
    if (this.#decoder.isDone) this.#finish(receiver, null);
    else if (!receiver.acceptsResponseBody) this.stream.pauseReading();
    this.#output.flush();
  }

  /** A server switches protocols when it has the whole of a request that offers it (RFC 9110 §7.8). */
  get #mayUpgrade(): boolean {
    return this.#offersUpgrade && this.#requestEnded;
  }

  // Events are gathered before they are handled: input that is reported in the turn in which the request was sent was
  // there before it, so it answers nobody. The request is as good as unsent.
  #refuseUnsolicited(consumed: number): number {
    const receiver = this.#receiver!;
    this.#receiver = null;
    this.stream.close();
    receiver.onResponseReset(unsolicitedFailure);
    return consumed;
  }

  #onHead(receiver: ResponseReceiver): void {
    const { head } = this;
    if (head.status < 200) {
      receiver.onInterimHead(head);
      if (this.#state === State.head) this.#parser.reset();
      return;
    }
    if (!head.keepAlive) this.#keepAlive = false;
    const isEnd = !hasBody(head);
    // The receiver gives the head the framing that the client gets: ours is the one it came with.
    const { framing, contentLength } = head;
    receiver.onResponseHead(head, isEnd);
    // The receiver may have given up the exchange, or made a tunnel of it (CONNECT).
    if (this.#receiver !== receiver || this.#state !== State.head) return;
    if (isEnd) {
      this.#finish(receiver, null);
      return;
    }
    this.#state = framing === BodyFraming.untilClose ? State.bodyUntilClose : State.body;
    this.#decoder.begin(framing, contentLength, this.#trailerLimits);
  }

  #finish(receiver: ResponseReceiver, trailers: HeaderTable | null): void {
    this.#receiver = null;
    if (this.#isRelaying) this.#endRelay();
    // A response that ends before its request leaves request bytes nobody will read (RFC 9112 §9.6); bytes behind a
    // response would be taken for the next one's.
    const isInStep = this.#requestEnded && this.#unreadBytes === 0;
    const reusable = this.#keepAlive && isInStep && !this.stream.isClosed;
    this.#state = State.idle;
    receiver.onResponseEnd(trailers);
    // Not before: the receiver logs the response now. Not later: an idle connection keeps no memory of a large head.
    this.head.headers.shrink();
    if (reusable) this.#owner.onConnectionIdle(this);
    else this.stream.close();
  }

  #endRelay(): void {
    this.#isRelaying = false;
    this.stream.relayTo(null);
  }

  #fail(reason: string, consumed: number): number {
    const receiver = this.#receiver;
    this.#receiver = null;
    this.stream.close();
    receiver?.onResponseReset(invalidResponseFailure(reason));
    return consumed;
  }

  onEnd(): void {
    this.hasPeerEnded = true;
    const receiver = this.#receiver;
    if (receiver === null) {
      this.stream.close();
      return;
    }
    if (this.#state === State.tunnel) {
      this.#receiver = null;
      receiver.onResponseEnd(null);
      this.stream.closeGracefully(tunnelCloseMs);
      return;
    }
    if (this.#state === State.bodyUntilClose) {
      this.#keepAlive = false;
      this.#finish(receiver, null);
      this.#output.flush();
      return;
    }
    this.#receiver = null;
    this.stream.close();
    receiver.onResponseReset(terminationFailure({ kind: 'remote' }, this.notes.idleBeforeMs));
    this.#output.flush();
  }

  onDrained(): void {
    this.#receiver?.onRequestDrained();
    this.#output.flush();
  }

  onClosed(reason: CloseReason): void {
    const wasIdle = this.#state === State.idle;
    const wasConnecting = this.#state === State.connecting;
    const receiver = this.#receiver;
    this.#receiver = null;
    this.#state = State.closed;
    this.#owner.onConnectionClosed(this, reason, wasIdle && !wasConnecting);
    receiver?.onResponseReset(terminationFailure(reason, this.notes.idleBeforeMs));
    this.#output.flush();
  }
}

const unsolicitedFailure: UpstreamFailure = Object.freeze({
  kind: 'connection-termination',
  reason: 'the endpoint had sent bytes that nobody asked for on the idle connection',
});

// The server side of HTTP/1.1: one downstream connection, one request at a time.
//
// A pipelined request waits unread until the response before it is complete (RFC 9112 §9.3.2 wants responses in order;
// parsing ahead would only buffer for a client that does not wait). A client that half-closes after its request still
// gets the response.

import type { NativeBuffer } from '../../../native/native-buffer.ts';
import type { ByteStream, ByteStreamHandler, CloseReason } from '../../reactor/byte-stream.ts';
import { Deadlines } from '../../reactor/deadlines.ts';
import { http1Stats, httpStats } from '../../telemetry/http-stats.ts';
import type { ConnectionFacts } from '../connection-facts.ts';
import { ConnectionDeadline as CommonDeadline, ConnectionLifetime, type EarlierLife } from '../connection-lifetime.ts';
import type { ConnectionCounter, ConnectionManager, DownstreamConnection } from '../connection-manager.ts';
import { HeaderId } from '../header-name.ts';
import type { HeaderTable } from '../header-table.ts';
import { encodeLine } from '../header-table.ts';
import { LocalReplies, type LocalReply, refusalReply } from '../local-reply.ts';
import { BodyFraming, HttpVersion, hasBody, RequestHead, type ResponseHead } from '../message.ts';
import { type ResponseSender, StreamDeadline } from '../response-sender.ts';
import { Stream } from '../stream.ts';
import { ResponseFlag } from '../stream-info.ts';
import { BodyDecoder } from './body-decoder.ts';
import { BodyEncoder } from './body-encoder.ts';
import { type CodecError, requestFieldErrors } from './codec-error.ts';
import { responseHeadBound, writeResponseHead } from './head-writer.ts';
import { RequestParser } from './request-parser.ts';
import { frameResponse, opensTunnel } from './response-framing.ts';

const closeLine = encodeLine('connection', 'close');
const keepAliveLine = encodeLine('connection', 'keep-alive');

const ConnectionDeadline = {
  ...CommonDeadline,
  requestHeaders: CommonDeadline.count,
  count: CommonDeadline.count + 1,
} as const;

const State = { idle: 0, body: 1, responding: 2, tunnel: 3, closing: 4 } as const;
type State = (typeof State)[keyof typeof State];

export class Http1ServerConnection implements ByteStreamHandler, ResponseSender, DownstreamConnection {
  readonly head = new RequestHead();
  readonly deadlines: Deadlines;
  readonly #stream: ByteStream;
  readonly #manager: ConnectionManager;
  readonly #lifetime: ConnectionLifetime;
  readonly #facts: ConnectionFacts;
  readonly #counter: ConnectionCounter;
  readonly #parser: RequestParser;
  readonly #decoder = new BodyDecoder();
  readonly #encoder: BodyEncoder;
  #request: Stream | null = null;
  #state: State = State.idle;
  #closeAfterResponse = false;
  #inputEnded = false;
  /** What of the parser's count is in the stats. */
  #droppedHeaders = 0;

  constructor(
    stream: ByteStream,
    manager: ConnectionManager,
    facts: ConnectionFacts,
    counter: ConnectionCounter,
    earlier: EarlierLife | null = null,
  ) {
    this.#counter = counter;
    this.#stream = stream;
    this.#manager = manager;
    this.#facts = facts;
    this.#parser = new RequestParser(manager.parserOptions);
    this.#encoder = new BodyEncoder(manager.context.output);
    this.deadlines = new Deadlines(manager.context.reactor, this, ConnectionDeadline.count);
    this.#lifetime = new ConnectionLifetime(manager, this.deadlines, facts.tls !== undefined, earlier);
    manager.connections.add(this);
  }

  onConnected(): void {
    // Accepted connections are established when they are adopted.
  }

  onData(buffer: NativeBuffer, start: number, end: number): number {
    let position = start;
    while (position < end) {
      const next = this.#step(buffer, position, end);
      if (next === position) break;
      position = next;
    }
    this.#manager.context.output.flush();
    return position - start;
  }

  // Takes one head or one piece of a body. Returns the position unchanged when nothing can be taken now.
  #step(buffer: NativeBuffer, position: number, end: number): number {
    const request = this.#request;
    switch (this.#state) {
      case State.idle:
        return this.#readHead(buffer, position, end);
      case State.body: {
        if (!request!.acceptsRequestBody) return this.#pauseRequest(request!, position);
        return this.#readBody(request!, buffer, position, end);
      }
      case State.tunnel:
        if (!request!.acceptsRequestBody) return this.#pauseRequest(request!, position);
        request!.onRequestData(buffer, position, end);
        return end;
      case State.responding:
        this.#stream.pauseReading();
        return position;
      default:
        return end;
    }
  }

  #pauseRequest(request: Stream, position: number): number {
    this.#stream.pauseReading();
    request.onRequestPaused();
    return position;
  }

  #readHead(buffer: NativeBuffer, position: number, end: number): number {
    // A client that pipelines and does not read its responses gets no further ones (row 63: response flood).
    if (this.#stream.pendingWriteBytes > 0) {
      this.#stream.pauseReading();
      return position;
    }
    const length = this.#parser.parse(buffer.bytes, position, end, this.head);
    if (length === 0) {
      if (!this.deadlines.isSet(ConnectionDeadline.requestHeaders)) {
        this.deadlines.set(ConnectionDeadline.requestHeaders, this.#manager.config.requestHeadersTimeoutMs);
      }
      return position;
    }
    this.deadlines.clear(ConnectionDeadline.requestHeaders);
    this.deadlines.clear(ConnectionDeadline.idle);
    if (length < 0) {
      this.#refuse(this.#parser.error!);
      return end;
    }
    if (this.#parser.droppedHeaders !== this.#droppedHeaders) this.#countDroppedHeaders();
    this.#beginRequest(length);
    return position + length;
  }

  #countDroppedHeaders(): void {
    const { droppedHeaders } = this.#parser;
    this.#manager.context.http1.add(http1Stats.droppedHeadersWithUnderscores, droppedHeaders - this.#droppedHeaders);
    this.#droppedHeaders = droppedHeaders;
  }

  #beginRequest(headBytes: number): void {
    const { head } = this;
    const { config } = this.#manager;
    const isLast = this.#lifetime.countRequest();
    this.#closeAfterResponse = isLast || !head.keepAlive;
    const request = new Stream(this.#manager, this.#facts, this);
    this.#request = request;
    if (!hasBody(head)) {
      this.#state = State.responding;
    } else {
      this.#state = State.body;
      this.#decoder.begin(head.framing, head.contentLength, this.#manager.trailerLimits);
    }
    if (head.expectsContinue && !config.proxy100Continue) this.#sendContinue();
    request.onRequestHead(headBytes);
  }

  // Envoy answers `Expect: 100-continue` itself unless `proxy_100_continue` is set.
  #sendContinue(): void {
    this.head.headers.removeId(HeaderId.expect);
    this.#manager.context.output.appendBytes(this.#stream, continueReply);
    this.#manager.context.output.flush();
  }

  #readBody(request: Stream, buffer: NativeBuffer, position: number, end: number): number {
    const decoder = this.#decoder;
    const next = decoder.step(buffer.bytes, position, end);
    if (decoder.error !== null) {
      this.#refuse(decoder.error);
      return end;
    }
    if (decoder.dataEnd > decoder.dataStart) request.onRequestData(buffer, decoder.dataStart, decoder.dataEnd);
    if (decoder.isDone && this.#state === State.body) {
      // Set first: the response may be complete before onRequestEnd returns.
      this.#state = State.responding;
      request.onRequestEnd(decoder.trailers);
    }
    return next;
  }

  // A request that is not valid HTTP/1.1: answered when there is still something to answer, and closed for good,
  // because where the next message begins is unknown.
  #refuse(error: CodecError): void {
    const { stats } = this.#manager;
    stats.inc(httpStats.downstreamCxProtocolError);
    if (error === requestFieldErrors.underscore || error === requestFieldErrors.framingLookalike) {
      this.#manager.context.http1.inc(http1Stats.requestsRejectedWithUnderscoresInHeaders);
    }
    this.#closeAfterResponse = true;
    const reply = refusalReply(error);
    if (this.#request === null) {
      this.#refuseHead(reply, error.reason);
      return;
    }
    this.#request.replyLocally(reply, error.reason);
    if (this.#state === State.body) this.#closeGracefully();
  }

  #refuseHead(reply: LocalReply, reason: string): void {
    this.#closeAfterResponse = true;
    this.head.headers.clear();
    this.head.method = '';
    this.head.framing = BodyFraming.none;
    this.#request = new Stream(this.#manager, this.#facts, this);
    this.#state = State.responding;
    this.#request.onRefusedHead(reply, reason);
  }

  onEnd(): void {
    this.#inputEnded = true;
    const request = this.#request;
    if (request === null || this.#state === State.closing) {
      if (this.#parser.hasPartial) this.#manager.stats.inc(httpStats.downstreamCxProtocolError);
      this.#closeGracefully();
      return;
    }
    if (this.#state === State.tunnel) {
      request.onTunnelInputEnd();
      return;
    }
    if (this.#state === State.responding) return;
    // The body is cut: the upstream must never take it for a whole one.
    request.onDownstreamReset(ResponseFlag.downstreamConnectionTermination, 'downstream_remote_disconnect');
    this.#stream.close();
  }

  onDrained(): void {
    this.#request?.onResponseDrained();
    if (this.#request === null && this.#state === State.idle) this.#stream.resumeReading();
    this.#manager.context.output.flush();
  }

  onClosed(reason: CloseReason): void {
    const { connections, context } = this.#manager;
    const request = this.#request;
    this.#request = null;
    this.#state = State.closing;
    request?.onDownstreamReset(ResponseFlag.downstreamConnectionTermination, 'downstream_remote_disconnect');
    connections.delete(this);
    this.#counter.onConnectionGone();
    this.#lifetime.end({
      isRemote: reason.kind !== 'local' || this.#inputEnded,
      hadRequest: request !== null,
      isLate: reason.kind === 'local' && reason.isLate === true,
      receivedBytes: this.#stream.bytesReceived,
      sentBytes: this.#stream.bytesSent,
    });
    context.output.flush();
  }

  get isResponseBlocked(): boolean {
    return this.#stream.pendingWriteBytes > 0;
  }

  sendInterim(head: ResponseHead): void {
    const { output } = this.#manager.context;
    output.begin(this.#stream, responseHeadBound(head));
    output.advanceTo(writeResponseHead(head, output.bytes, output.length));
    output.flush();
  }

  sendHead(head: ResponseHead): void {
    const { output } = this.#manager.context;
    if (frameResponse(head, this.head)) this.#closeAfterResponse = true;
    if (this.#state === State.body) {
      // Nobody waits for the rest of a request that was answered: the connection ends behind the response.
      this.#manager.stats.inc(httpStats.downstreamRqResponseBeforeRqComplete);
      this.#closeAfterResponse = true;
    }
    if (this.#mustClose()) {
      this.#closeAfterResponse = true;
      if (!opensTunnel(head, this.head)) head.headers.appendLine(closeLine);
    } else if (this.head.version === HttpVersion.http10) {
      head.headers.appendLine(keepAliveLine);
    }
    if (this.#manager.config.http1.headerCase === 'proper-case') head.headers.spellProperCase();
    output.begin(this.#stream, responseHeadBound(head));
    const start = output.length;
    output.advanceTo(writeResponseHead(head, output.bytes, start));
    if (this.#request !== null) this.#request.info.responseHeaderBytes = output.length - start;
    this.#encoder.begin(this.#stream, head.framing);
  }

  #mustClose(): boolean {
    return this.#closeAfterResponse || this.#inputEnded || this.#lifetime.isLeaving;
  }

  get dataSink(): ByteStream | null {
    return this.#encoder.isTransparent ? this.#stream : null;
  }

  sendData(buffer: NativeBuffer, start: number, end: number): void {
    this.#encoder.data(buffer, start, end);
  }

  sendBytes(bytes: Uint8Array): void {
    this.#encoder.dataBytes(bytes);
  }

  closeAfterResponse(): void {
    this.#closeAfterResponse = true;
  }

  sendEnd(trailers: HeaderTable | null): void {
    this.#encoder.end(trailers);
    this.#request = null;
    if (this.#state !== State.responding || this.#closeAfterResponse || this.#inputEnded) {
      this.#closeGracefully();
      return;
    }
    this.#state = State.idle;
    // A connection may be idle for hours: it keeps no memory of a large head.
    this.head.headers.shrink();
    this.#parser.reset();
    this.#lifetime.waitForRequest();
    this.#stream.resumeReading();
  }

  abort(): void {
    this.#request = null;
    this.#state = State.closing;
    this.#manager.context.output.flush();
    this.#stream.reset();
  }

  startTunnel(): void {
    this.#state = State.tunnel;
    this.#closeAfterResponse = true;
    this.#encoder.begin(this.#stream, BodyFraming.untilClose);
    this.#manager.context.output.flush();
    this.#stream.resumeReading();
    // The client may have ended its side before there was a tunnel to end.
    if (this.#inputEnded) this.#request!.onTunnelInputEnd();
  }

  resumeRequest(): void {
    if (this.#state === State.body || this.#state === State.tunnel) this.#stream.resumeReading();
  }

  #closeGracefully(): void {
    this.#state = State.closing;
    this.deadlines.cancel();
    this.#manager.context.output.flush();
    this.#stream.closeGracefully(this.#manager.config.delayedCloseTimeoutMs);
  }

  onDeadline(slot: number): void {
    if (slot < StreamDeadline.count) {
      this.#request?.onDeadline(slot);
    } else if (slot === ConnectionDeadline.requestHeaders) {
      this.#manager.stats.inc(httpStats.downstreamRqHeaderTimeout);
      this.#refuseHead(LocalReplies.requestHeadersTimeout, 'the request head was not complete in time');
    } else if (this.#lifetime.endsAt(slot, this.#isWaiting, this.#parser.hasPartial)) {
      this.#closeGracefully();
    }
    this.#manager.context.output.flush();
  }

  drain(): void {
    this.#lifetime.drain(this.#isWaiting);
  }

  get #isWaiting(): boolean {
    return this.#state === State.idle;
  }
}

const continueReply = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');

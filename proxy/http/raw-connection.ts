// A connection to an endpoint that speaks no HTTP, for a CONNECT that ends here: the proxy answers 200 as soon as the
// endpoint is connected, and then bytes pass as they are. Also for a POST where that is allowed: its body goes to the endpoint,
// and what the endpoint sends is the body of the response.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/http/upgrades#tunneling-tcp-over-http
//
// It carries one request. The end of the endpoint's side is the end of the response.

import type { NativeBuffer } from '../../native/native-buffer.ts';
import { ConnectionNotes } from '../cluster/connection-notes.ts';
import type { EndpointConnection } from '../cluster/endpoint-socket.ts';
import { type ConnectionOwner, type PooledConnection, tunnelCloseMs } from '../cluster/pooled-connection.ts';
import { terminationFailure } from '../cluster/upstream-failure.ts';
import type { ByteStream, CloseReason } from '../reactor/byte-stream.ts';
import { tlsFactsOf } from '../tls/facts.ts';
import type { TlsFacts } from '../transport/tls-facts.ts';
import type { TlsTransport } from '../transport/tls-transport.ts';
import type { OutputBuffer } from './http1/output-buffer.ts';
import { BodyFraming, hasBody, type RequestHead, ResponseHead } from './message.ts';
import type { ResponseReceiver } from './upstream-connection.ts';

export class RawConnection implements PooledConnection, EndpointConnection {
  /** Set by the connector right after the stream was made. */
  stream!: ByteStream;
  readonly notes = new ConnectionNotes();
  readonly isUnsent = false;
  /** CONNECT ends here: no head goes further. */
  readonly exchangeHeadBytesSent = 0;
  readonly exchangeHeadBytesReceived = 0;
  exchangeCount = 0;
  readonly keepAliveTimeoutMs = 0;
  hasPeerEnded = false;
  tls: TlsFacts | null = null;
  readonly #owner: ConnectionOwner;
  readonly #output: OutputBuffer;
  #receiver: ResponseReceiver | null = null;
  #transport: TlsTransport | null = null;

  constructor(owner: ConnectionOwner, output: OutputBuffer) {
    this.#owner = owner;
    this.#output = output;
  }

  onSecuring(transport: TlsTransport): void {
    this.#transport = transport;
  }

  /** The response has begun with the request: nothing is ever repeated. */
  get sawResponseByte(): boolean {
    return this.exchangeCount > 0;
  }

  get isRequestBlocked(): boolean {
    return this.stream.pendingWriteBytes > 0;
  }

  /** Nothing of the head is sent: it is answered. */
  sendHead(head: RequestHead, receiver: ResponseReceiver): void {
    this.#receiver = receiver;
    this.exchangeCount++;
    if (head.method !== 'CONNECT' && !hasBody(head)) this.stream.endWriting();
    const response = new ResponseHead();
    response.status = 200;
    response.reason = 'OK';
    response.framing = BodyFraming.untilClose;
    receiver.onResponseHead(response, false);
  }

  sendData(buffer: NativeBuffer, start: number, end: number): void {
    this.#output.append(this.stream, buffer, start, end);
  }

  sendBytes(bytes: Uint8Array): void {
    this.#output.appendBytes(this.stream, bytes);
  }

  sendEnd(): void {
    this.endTunnelWriting();
  }

  startTunnel(): void {
    // It is nothing else.
  }

  endTunnelWriting(): void {
    this.#output.flush();
    this.stream.endWriting();
  }

  abort(): void {
    this.#receiver = null;
    this.#output.discard(this.stream);
    this.stream.reset();
  }

  close(): void {
    this.stream.close();
  }

  hasInput(): boolean {
    return this.stream.isClosed || this.stream.hasInput();
  }

  resumeResponse(): void {
    this.stream.resumeReading();
  }

  onConnected(): void {
    if (this.#transport !== null) this.tls = tlsFactsOf(this.#transport);
    this.#owner.onConnectionEstablished(this);
    // Who asked is gone: a server that waits for its client to begin must not be kept for another one.
    if (this.exchangeCount === 0) this.stream.close();
    this.#output.flush();
  }

  onData(buffer: NativeBuffer, start: number, end: number): number {
    const receiver = this.#receiver;
    if (receiver === null) return end - start;
    receiver.onResponseData(buffer, start, end);
    this.#output.flush();
    if (this.#receiver === receiver && !receiver.acceptsResponseBody) this.stream.pauseReading();
    return end - start;
  }

  onEnd(): void {
    this.hasPeerEnded = true;
    const receiver = this.#receiver;
    this.#receiver = null;
    receiver?.onResponseEnd(null);
    this.stream.closeGracefully(tunnelCloseMs);
    this.#output.flush();
  }

  onDrained(): void {
    this.#receiver?.onRequestDrained();
    this.#output.flush();
  }

  onClosed(reason: CloseReason): void {
    const receiver = this.#receiver;
    this.#receiver = null;
    this.#owner.onConnectionClosed(this, reason, receiver === null);
    receiver?.onResponseReset(terminationFailure(reason, this.notes.idleBeforeMs));
    this.#output.flush();
  }
}

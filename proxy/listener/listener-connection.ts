// One downstream connection as its listener counts and logs it, from the accept to its end.

import type { TcpUpstream } from '../filter/tcp-upstream.ts';
import type { ConnectionFacts } from '../http/connection-facts.ts';
import type { ConnectionCounter } from '../http/connection-manager.ts';
import { StreamInfo } from '../http/stream-info.ts';
import { noteDownstream } from '../http/stream-notes.ts';
import type { ByteStream } from '../reactor/byte-stream.ts';
import type { TlsFacts } from '../transport/tls-facts.ts';

/** What is told when the connection is gone. */
export interface ConnectionOwner {
  onConnectionEnd(connection: ListenerConnection): void;
  /** `transport_socket_connect_timeout` was over before the handshake was. */
  onHandshakeTimeout(): void;
}

/** A filter chain, as far as its connections know it. */
export interface ConnectionChain {
  readonly connections: { delete(connection: ListenerConnection): boolean };
}

/** What carries the bytes, of our reactor or of a library. */
export type CountedStream = Pick<ByteStream, 'bytesReceived' | 'bytesSent' | 'close' | 'reset'>;

export class ListenerConnection implements ConnectionCounter {
  readonly facts: ConnectionFacts;
  readonly startedAtMs: number;
  /** The filter chain that has it; null while, or because, none was chosen. */
  chain: ConnectionChain | null = null;
  /** Null for one that ended before it had a filter chain: nothing was read of it. */
  stream: CountedStream | null = null;
  /** An attempt that was made for it before the client spoke, of the filter that is to have it. */
  early: TcpUpstream | null = null;
  readonly #owner: ConnectionOwner;
  /** A sentence; empty when the transport did not fail before data could flow. */
  #transportFailure = '';

  constructor(owner: ConnectionOwner, facts: ConnectionFacts, nowMs: number) {
    this.#owner = owner;
    this.facts = facts;
    this.startedAtMs = nowMs;
  }

  /** The handshake is done: what it showed is known from here on. */
  onHandshakeDone(tls: TlsFacts): void {
    const facts: { -readonly [K in keyof ConnectionFacts]: ConnectionFacts[K] } = this.facts;
    facts.tls = tls;
    // Listener filters may not have looked.
    if (facts.requestedServerName === '') facts.requestedServerName = tls.serverName;
  }

  /** It ended before data could flow. */
  onHandshakeFailed(reason: string): void {
    this.#transportFailure = reason;
    this.onConnectionGone();
  }

  onHandshakeTimeout(): void {
    this.#owner.onHandshakeTimeout();
    this.onHandshakeFailed('transport socket timeout was reached');
  }

  onConnectionGone(): void {
    this.chain?.connections.delete(this);
    this.#owner.onConnectionEnd(this);
  }

  /** At once. With RST when a response may be under way, so that nobody takes the cut one for whole. */
  cut(withReset: boolean): void {
    if (withReset) this.stream?.reset();
    else this.stream?.close();
  }

  /** For the listener's access log. */
  describe(nowMs: number, wallOffsetMs: number): StreamInfo {
    const { facts } = this;
    const info = new StreamInfo();
    info.startedAtMs = this.startedAtMs;
    info.startWallMs = wallOffsetMs + this.startedAtMs;
    info.endedAtMs = nowMs;
    noteDownstream(info, facts);
    info.downstreamTransportFailureReason = this.#transportFailure;
    info.connectionTerminationDetails = this.#transportFailure;
    info.requestBodyBytes = this.stream?.bytesReceived ?? 0;
    info.responseBodyBytes = this.stream?.bytesSent ?? 0;
    return info;
  }
}

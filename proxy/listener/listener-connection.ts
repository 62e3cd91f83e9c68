// One downstream connection as its listener counts and logs it, from the accept to its end.

import type { ConnectionCounter, ConnectionFacts } from '../http/connection-manager.ts';
import { StreamInfo } from '../http/stream-info.ts';
import type { ByteStream } from '../reactor/byte-stream.ts';
import type { FilterChainRuntime } from './filter-chain-runtime.ts';

/** What is told when the connection is gone. */
export interface ConnectionOwner {
  onConnectionEnd(connection: ListenerConnection): void;
}

export class ListenerConnection implements ConnectionCounter {
  readonly startedAtMs: number;
  /** The filter chain that has it; null while, or because, none was chosen. */
  chain: FilterChainRuntime | null = null;
  readonly #owner: ConnectionOwner;
  readonly #stream: ByteStream | null;
  readonly #facts: ConnectionFacts;

  /** `stream` is null for one that ended before it had a filter chain: nothing was read of it. */
  constructor(owner: ConnectionOwner, stream: ByteStream | null, facts: ConnectionFacts, nowMs: number) {
    this.#owner = owner;
    this.#stream = stream;
    this.#facts = facts;
    this.startedAtMs = nowMs;
  }

  onConnectionGone(): void {
    this.chain?.connections.delete(this);
    this.#owner.onConnectionEnd(this);
  }

  /** At once. With RST when a response may be under way, so that nobody takes the cut one for whole. */
  cut(withReset: boolean): void {
    if (withReset) this.#stream?.reset();
    else this.#stream?.close();
  }

  /** For the listener's access log. */
  describe(nowMs: number, wallOffsetMs: number): StreamInfo {
    const facts = this.#facts;
    const info = new StreamInfo();
    info.startedAtMs = this.startedAtMs;
    info.startWallMs = wallOffsetMs + this.startedAtMs;
    info.endedAtMs = nowMs;
    info.connectionId = facts.connectionId;
    info.downstreamRemoteAddress = facts.remoteAddress;
    info.downstreamDirectRemoteAddress = facts.remoteAddress;
    info.downstreamLocalAddress = facts.localAddress;
    info.listenerName = facts.listenerName;
    info.filterChainName = facts.filterChainName;
    info.requestedServerName = facts.requestedServerName;
    info.requestBodyBytes = this.#stream?.bytesReceived ?? 0;
    info.responseBodyBytes = this.#stream?.bytesSent ?? 0;
    return info;
  }
}

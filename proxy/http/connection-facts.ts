// What is known of a downstream connection when its filter chain was chosen: all its requests have it in common.

import type { Metadata } from '../../config/endpoint.ts';
import type { TlsFacts } from '../transport/tls-facts.ts';

export interface ConnectionFacts {
  readonly connectionId: number;
  readonly remoteAddress: string;
  /** The peer of the socket, where somebody in front of us told of another (PROXY protocol); absent: the same. */
  readonly directRemoteAddress?: string;
  readonly remoteIp: string;
  readonly isLoopbackPeer: boolean;
  readonly localAddress: string;
  readonly localPort: number;
  readonly listenerName: string;
  readonly filterChainName: string;
  /** Absent where there is none. */
  readonly listenerMetadata?: Metadata | undefined;
  readonly filterChainMetadata?: Metadata | undefined;
  readonly bufferLimitBytes: number;
  /** `ip:port` before redirection; undefined when the listener does not look. */
  readonly originalDestination: string | undefined;
  /** SNI, lower case; empty when there was none or nobody looked. */
  readonly requestedServerName: string;
  /** Of the downstream connection; absent when it is plain. */
  readonly tls?: TlsFacts | undefined;
}

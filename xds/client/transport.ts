// How discovery messages travel: one bidirectional stream of bytes at a time. gRPC is one way; tests bring their own.

export interface DiscoveryTransport {
  /** Where it leads, for logs and the admin interface. */
  readonly target: string;
  /** Opens a stream. Never throws: what fails is told by `onEnd`, after this returned. */
  open(events: DiscoveryStreamEvents): DiscoveryStreamHandle;
  /** Gives up connections that are kept between streams. */
  close(): void;
}

export interface DiscoveryStreamEvents {
  /** The bytes of one message; they belong to the receiver. */
  onMessage(message: Uint8Array): void;
  /** Once, and nothing after it. Also when the other side ended without an error. */
  onEnd(end: StreamEnd): void;
}

export interface DiscoveryStreamHandle {
  /** `encode` is called once, when the message leaves, and never for one that does not. */
  send(encode: () => Uint8Array): void;
  /**
   * Messages that were sent and not yet handed to the peer. With it, a peer that does not read makes a client wait with
   * its subscriptions, and gives up one that pushes without reading the answers. Undefined is taken for 0.
   */
  pendingMessages?(): number;
  /** Ends the stream; `onEnd` is not called any more. */
  cancel(): void;
}

export interface StreamEnd {
  /** gRPC status code; 0 is an end without an error. */
  readonly code: number;
  /** In words, such as `14 UNAVAILABLE: no connection established to 127.0.0.1:15010 (ECONNREFUSED)`. */
  readonly reason: string;
}

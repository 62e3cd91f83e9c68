// What a pool knows of a connection, and who opens one for it. A pool counts, limits, keeps and retires connections in
// the same way for each engine; how bytes pass through them is the connector's business.

import type { RequestHead } from '../http/message.ts';
import type { UpstreamConnection } from '../http/upstream-connection.ts';
import type { CloseReason } from '../reactor/byte-stream.ts';
import type { ClusterRuntime } from './cluster-runtime.ts';
import type { ConnectionNotes, CountedStream } from './connection-notes.ts';
import type { EndpointRuntime } from './endpoint-runtime.ts';
import type { ConnectionVariant } from './upstream-transport.ts';

/** A connection as its pool sees it. */
export interface PooledConnection extends UpstreamConnection {
  readonly stream: CountedStream;
  /** The pool's to write. */
  readonly notes: ConnectionNotes;
  readonly exchangeCount: number;
  /** What the last response said of it (`Keep-Alive: timeout=`), in ms; 0 when not said. */
  readonly keepAliveTimeoutMs: number;
  /** The endpoint sends no more: it is who ends the connection. */
  readonly hasPeerEnded: boolean;

  /** Whether something unread waits on the idle connection: it cannot be used. */
  hasInput(): boolean;
  close(): void;
}

/** How long an endpoint that has ended its side of a tunnel may take for what is still on its way to it. */
export const tunnelCloseMs = 1000;

/** The pool that a connection belongs to. */
export interface ConnectionOwner {
  /** Which turn of the reactor this is. */
  readonly turn: number;
  /** What its connections have and others to the endpoint have not; null where all are alike. */
  readonly variant: ConnectionVariant | null;
  onConnectionEstablished(connection: PooledConnection): void;
  /** The exchange is over and the connection may carry another. */
  onConnectionIdle(connection: PooledConnection): void;
  /** `wasIdle`: no exchange was open. */
  onConnectionClosed(connection: PooledConnection, reason: CloseReason, wasIdle: boolean): void;
}

/** How an engine opens connections to endpoints. */
export interface UpstreamConnector {
  /** Its connections carry no HTTP. */
  readonly isRaw?: true;
  /** Who opens the connection for such a request: this one, or another where its engine cannot carry it. */
  carrierOf(head: RequestHead, cluster: ClusterRuntime, endpoint: EndpointRuntime): UpstreamConnector;
  /** Begins to connect. Every outcome, also an immediate failure, is told to `owner` later, never from inside. */
  connect(owner: ConnectionOwner, cluster: ClusterRuntime, endpoint: EndpointRuntime): PooledConnection;
}

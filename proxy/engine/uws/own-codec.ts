// How a connection that uWebSockets.js does not serve, or not any more, becomes one of our own codec.

import type { EarlierLife } from '../../http/connection-lifetime.ts';
import type { ConnectionManager } from '../../http/connection-manager.ts';
import { Http1ServerConnection } from '../../http/http1/server-connection.ts';
import type { ListenerConnection } from '../../listener/listener-connection.ts';
import { adoptDescriptor } from '../../reactor/accepted-socket.ts';
import { pendingHandler } from '../../reactor/pending-handler.ts';

export interface ServedConnection {
  readonly manager: ConnectionManager;
  readonly connection: ListenerConnection;
  /** As of `ConnectionOptions`. */
  readonly maxKeptBytes: number;
}

/** Owns `descriptor` from now on, of which nothing was read that was not answered. */
export function serveByOwnCodec(descriptor: number, served: ServedConnection, earlier: EarlierLife): void {
  const { manager, connection, maxKeptBytes } = served;
  const stream = adoptDescriptor(manager.context.reactor, descriptor, pendingHandler, { maxKeptBytes });
  connection.stream = stream;
  stream.handler = new Http1ServerConnection(stream, manager, connection.facts, connection, earlier);
}

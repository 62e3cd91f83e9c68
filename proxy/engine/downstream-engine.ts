// What serves the plain HTTP connections of a filter chain in the place of our own codec.

import type { ConnectionManager } from '../http/connection-manager.ts';
import type { ListenerConnection } from '../listener/listener-connection.ts';

export interface DownstreamEngine {
  /** False for a connection manager that asks for what the engine has not: our own codec serves it. */
  carries(manager: ConnectionManager): boolean;
  /** Owns the accepted socket from now on. `maxKeptBytes` as of `ConnectionOptions`. */
  start(descriptor: number, manager: ConnectionManager, connection: ListenerConnection, maxKeptBytes: number): void;
  /** The worker stops: connections that are open are cut. */
  close(): void;
  /** The thread ends, perhaps by a fault of its own: lets go of Node's loop, and tells nobody. */
  abandon(): void;
}

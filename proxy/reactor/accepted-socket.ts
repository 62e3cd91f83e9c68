// Connections that others open: a socket that was accepted becomes a stream.

import { PlainTransport } from '../transport/plain-transport.ts';
import type { TlsTransport } from '../transport/tls-transport.ts';
import type { ByteStreamHandler } from './byte-stream.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import type { Reactor } from './reactor.ts';

/** Takes over the accepted socket `fd`: the connection closes it from now on. */
export function adoptDescriptor(
  reactor: Reactor,
  fd: number,
  handler: ByteStreamHandler,
  options: ConnectionOptions = {},
): Connection {
  const connection = new Connection(reactor, new PlainTransport(fd), handler, options);
  connection.beginOpen();
  return connection;
}

export interface TlsConnectionOptions extends ConnectionOptions {
  /** From now to the end of the handshake; 0: as long as it takes. */
  readonly handshakeTimeoutMs: number;
}

/** Takes over `transport` over an accepted socket: `onConnected` when its handshake is done, or `onClosed`. */
export function adoptTls(
  reactor: Reactor,
  transport: TlsTransport,
  handler: ByteStreamHandler,
  options: TlsConnectionOptions,
): Connection {
  const connection = new Connection(reactor, transport, handler, options);
  connection.beginHandshake(options.handshakeTimeoutMs);
  return connection;
}

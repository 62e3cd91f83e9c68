// A downstream connection during its TLS handshake: it has no filter yet, so that nothing of a peer reaches one before the
// peer is judged. It ends in a filter chain that begins, or in a connection that is counted and logged with the reason.

import { describeErrno } from '../../native/errno.ts';
import type { ByteStreamHandler, CloseReason } from '../reactor/byte-stream.ts';
import { tlsFactsOf } from '../tls/facts.ts';
import type { TlsTransport } from '../transport/tls-transport.ts';
import type { ListenerConnection } from './listener-connection.ts';

export class TlsHandshake implements ByteStreamHandler {
  readonly #transport: TlsTransport;
  readonly #connection: ListenerConnection;
  readonly #onDone: () => void;

  /** `onDone` gives the stream another handler. */
  constructor(transport: TlsTransport, connection: ListenerConnection, onDone: () => void) {
    this.#transport = transport;
    this.#connection = connection;
    this.#onDone = onDone;
  }

  onConnected(): void {
    this.#connection.onHandshakeDone(tlsFactsOf(this.#transport));
    this.#onDone();
  }

  /** Data comes after `onConnected`, and then to another handler. */
  onData(): number {
    return 0;
  }

  onEnd(): void {}

  onDrained(): void {}

  onClosed(reason: CloseReason): void {
    if (reason.kind === 'connect-timeout') this.#connection.onHandshakeTimeout();
    else this.#connection.onHandshakeFailed(describeFailure(reason));
  }
}

function describeFailure(reason: Exclude<CloseReason, { kind: 'connect-timeout' }>): string {
  switch (reason.kind) {
    case 'tls':
      return `TLS: ${reason.problem}`;
    case 'error':
      return `TLS: ${describeErrno(reason.errno)} during the handshake`;
    case 'remote':
      return 'TLS: the client closed the connection during the handshake';
    case 'local':
      return 'TLS: the listener was drained during the handshake';
  }
}

// Connections to endpoints for the second engine: a stream of the reactor with a client of undici's on it.
//
// undici's own Pool hides which connection carries a request, so that nothing of ours could count, limit, replay or
// retire connections. Our pool of the endpoint does all that in both engines; each connection is an undici client with
// `pipelining: 1`, which is what an undici Pool is made of.

import { NativeBuffer } from '../../../native/native-buffer.ts';
import type { ClusterRuntime } from '../../cluster/cluster-runtime.ts';
import type { EndpointRuntime } from '../../cluster/endpoint-runtime.ts';
import { keptHeadBytes, openEndpointSocket } from '../../cluster/endpoint-socket.ts';
import { Http1Connector } from '../../cluster/http1-connector.ts';
import type { ConnectionOwner, UpstreamConnector } from '../../cluster/pooled-connection.ts';
import type { OutputBuffer } from '../../http/http1/output-buffer.ts';
import type { RequestHead } from '../../http/message.ts';
import type { Reactor } from '../../reactor/reactor.ts';
import { LibraryTurn } from './library-turn.ts';
import { isCarriedByUndici } from './request-options.ts';
import { UndiciConnection } from './undici-connection.ts';
import type { UndiciContext } from './undici-context.ts';

/** Makes the connector of one worker. The reactor's turns are on Node's loop. */
export type UndiciConnectorMaker = (reactor: Reactor, output: OutputBuffer) => UndiciConnector;

/** Loads undici, which a start without it reads no byte of. */
export async function loadUndici(): Promise<UndiciConnectorMaker> {
  const { default: Client } = await import('undici/lib/dispatcher/client.js');
  return (reactor, output) =>
    new UndiciConnector({
      reactor,
      output,
      turn: new LibraryTurn(reactor, output),
      Client,
      passage: new NativeBuffer(PASSAGE_BYTES),
      own: new Http1Connector(reactor, output),
    });
}

export class UndiciConnector implements UpstreamConnector {
  readonly #context: UndiciContext;

  constructor(context: UndiciContext) {
    this.#context = context;
  }

  carrierOf(head: RequestHead, { config }: ClusterRuntime, endpoint: EndpointRuntime): UpstreamConnector {
    // TLS, both kinds of trailers, and the exact form of what is rare are our own engine's.
    const isCarried = endpoint.transport === null && !config.upstreamHttp.enableTrailers && isCarriedByUndici(head);
    return isCarried ? this : this.#context.own;
  }

  connect(owner: ConnectionOwner, cluster: ClusterRuntime, endpoint: EndpointRuntime): UndiciConnection {
    const { upstreamHttp } = cluster.config;
    const maxHeadersBytes = upstreamHttp.maxResponseHeadersKb * 1024;
    const connection = new UndiciConnection(owner, this.#context, {
      maxHeadersBytes,
      maxHeadersCount: upstreamHttp.maxResponseHeadersCount,
    });
    const { variant } = owner;
    const maxKeptBytes = Math.max(MAX_READ_BYTES, keptHeadBytes(maxHeadersBytes));
    connection.stream = openEndpointSocket(
      this.#context.reactor,
      { cluster, endpoint, variant, maxKeptBytes },
      connection,
    );
    return connection;
  }
}

/**
 * At once, the least there is. What a client does not take of it is copied: with 64 large bodies under way, reads of twice the
 * size were 10 MB more resident (measured).
 */
const MAX_READ_BYTES = 64 * 1024;

/** More than what undici is given in one piece is passed on in several. */
const PASSAGE_BYTES = 64 * 1024;

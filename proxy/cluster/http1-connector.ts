// The reactor's way to an endpoint: a socket in its epoll set, with HTTP/1.1 of our own on it.

import { Http1ClientConnection } from '../http/http1/client-connection.ts';
import type { OutputBuffer } from '../http/http1/output-buffer.ts';
import type { Reactor } from '../reactor/reactor.ts';
import type { ClusterRuntime } from './cluster-runtime.ts';
import type { EndpointRuntime } from './endpoint-runtime.ts';
import { keptHeadBytes, openEndpointSocket } from './endpoint-socket.ts';
import type { ConnectionOwner, UpstreamConnector } from './pooled-connection.ts';

export class Http1Connector implements UpstreamConnector {
  readonly #reactor: Reactor;
  readonly #output: OutputBuffer;

  constructor(reactor: Reactor, output: OutputBuffer) {
    this.#reactor = reactor;
    this.#output = output;
  }

  carrierOf(): this {
    return this;
  }

  connect(owner: ConnectionOwner, cluster: ClusterRuntime, endpoint: EndpointRuntime): Http1ClientConnection {
    const { maxResponseHeadersKb, maxResponseHeadersCount } = cluster.config.upstreamHttp;
    const maxHeadersBytes = maxResponseHeadersKb * 1024;
    const connection = new Http1ClientConnection(owner, this.#output, {
      maxHeadersBytes,
      maxHeadersCount: maxResponseHeadersCount,
    });
    const { variant } = owner;
    const maxKeptBytes = Math.max(leastKeptBytes, keptHeadBytes(maxHeadersBytes));
    connection.stream = openEndpointSocket(this.#reactor, { cluster, endpoint, variant, maxKeptBytes }, connection);
    return connection;
  }
}

const leastKeptBytes = 128 * 1024;

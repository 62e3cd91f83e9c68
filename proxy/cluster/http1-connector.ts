// The reactor's way to an endpoint: a socket in its epoll set, with HTTP/1.1 of our own on it.

import { Http1ClientConnection } from '../http/http1/client-connection.ts';
import type { OutputBuffer } from '../http/http1/output-buffer.ts';
import { connectTo } from '../reactor/client-socket.ts';
import type { Reactor } from '../reactor/reactor.ts';
import type { ClusterRuntime } from './cluster-runtime.ts';
import type { EndpointRuntime } from './endpoint-runtime.ts';
import type { ConnectionOwner, UpstreamConnector } from './pooled-connection.ts';
import { sourceAddressFor } from './source-address.ts';

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

  connect(owner: ConnectionOwner, { config }: ClusterRuntime, endpoint: EndpointRuntime): Http1ClientConnection {
    const connection = new Http1ClientConnection(owner, this.#output, {
      maxHeadersBytes: config.upstreamHttp.maxResponseHeadersKb * 1024,
      maxHeadersCount: config.upstreamHttp.maxResponseHeadersCount,
    });
    const { transport, hostname } = endpoint;
    connection.stream = connectTo(
      this.#reactor,
      {
        address: endpoint.address,
        bindAddress: sourceAddressFor(config.bindAddress, endpoint.address),
        connectTimeoutMs: config.connectTimeoutMs,
        tls: transport === null ? undefined : (fd) => connection.secureBy(transport.begin(fd, hostname, owner.variant)),
        keepAlive: config.keepAlive,
        noDelay: true,
      },
      connection,
    );
    return connection;
  }
}

// A socket on its way to an endpoint, with the options of its cluster, and TLS where the endpoint's transport socket says so.

import type { ByteStream, ByteStreamHandler } from '../reactor/byte-stream.ts';
import { connectTo } from '../reactor/client-socket.ts';
import type { Reactor } from '../reactor/reactor.ts';
import type { TlsTransport } from '../transport/tls-transport.ts';
import type { ClusterRuntime } from './cluster-runtime.ts';
import type { EndpointRuntime } from './endpoint-runtime.ts';
import { sourceAddressFor } from './source-address.ts';
import type { ConnectionVariant } from './upstream-transport.ts';

/** Whoever uses the connection. */
export interface EndpointConnection extends ByteStreamHandler {
  /** Told what TLS goes through; absent where endpoints are plain. */
  onSecuring?(transport: TlsTransport): void;
}

export interface EndpointPlace {
  readonly cluster: ClusterRuntime;
  readonly endpoint: EndpointRuntime;
  readonly variant: ConnectionVariant | null;
  /** As of `ConnectionOptions`. */
  readonly maxKeptBytes?: number;
}

/** What has to be kept of a response: its head until it is whole, and some bytes more by which it is found to be too long. */
export function keptHeadBytes(maxHeadersBytes: number): number {
  return maxHeadersBytes + 4096;
}

/** Begins to connect. Every outcome, also an immediate failure, is told to `connection` later. */
export function openEndpointSocket(reactor: Reactor, place: EndpointPlace, connection: EndpointConnection): ByteStream {
  const { cluster, endpoint, variant, maxKeptBytes } = place;
  const { config } = cluster;
  const { transport, hostname } = endpoint;
  const secure = (fd: number) => {
    const begun = transport!.begin(fd, hostname, variant);
    if (typeof begun !== 'string') connection.onSecuring?.(begun);
    return begun;
  };
  return connectTo(
    reactor,
    {
      address: endpoint.address,
      bindAddress: sourceAddressFor(config.bindAddress, endpoint.address),
      connectTimeoutMs: config.connectTimeoutMs,
      tls: transport === null ? undefined : secure,
      keepAlive: config.keepAlive,
      noDelay: true,
      maxKeptBytes,
    },
    connection,
  );
}

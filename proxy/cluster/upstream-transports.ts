// The transport sockets of a cluster, made when its configuration is applied, and which of them is for an endpoint by its
// metadata: that is settled when the endpoint is told, so that a request asks nothing.

import type { Cluster, TransportSocket } from '../../config/cluster.ts';
import type { Metadata } from '../../config/endpoint.ts';
import { isSameData } from '../../config/same-data.ts';
import { transportSocketFor } from '../../config/transport-choice.ts';
import type { TlsContexts } from '../tls/tls-contexts.ts';
import { UpstreamTransport } from './upstream-transport.ts';

/** Who makes the client's side of TLS. */
export type ClientTlsSource = Pick<TlsContexts, 'client'>;

export class UpstreamTransports {
  readonly #cluster: Cluster;
  readonly #bySocket: ReadonlyMap<TransportSocket, UpstreamTransport | null>;

  constructor(cluster: Cluster, source: ClientTlsSource) {
    const { name, transport, transportMatches, metadataExchange } = cluster;
    const compile = (socket: TransportSocket): UpstreamTransport | null =>
      socket.kind === 'plain'
        ? null
        : new UpstreamTransport(source.client(socket.tls, name), socket.tls, metadataExchange);
    this.#cluster = cluster;
    const sockets = new Set([...transportMatches.map((match) => match.transport), transport]);
    this.#bySocket = new Map([...sockets].map((socket) => [socket, compile(socket)]));
  }

  /** Null for an endpoint with plain connections. */
  of(metadata: Metadata): UpstreamTransport | null {
    return this.#bySocket.get(transportSocketFor(this.#cluster, metadata))!;
  }

  /** As of `UpstreamTransport`. */
  release(): void {
    for (const transport of this.#bySocket.values()) transport?.release();
  }
}

/** Whether connections made under one configuration are protected as under the other. */
export function areTransportsAlike(before: Cluster, after: Cluster): boolean {
  const parts = ['transport', 'transportMatches', 'metadataExchange'] as const;
  return parts.every((part) => isSameData(before[part], after[part]));
}

// The transport sockets of a cluster, made when its configuration is applied, and which of them is for an endpoint by its
// metadata: that is settled when the endpoint is told, so that a request asks nothing.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/cluster.proto#config-cluster-v3-cluster-transportsocketmatch

import type { Cluster, TransportMatch, TransportSocket } from '../../config/cluster.ts';
import type { Metadata } from '../../config/endpoint.ts';
import { isSameData } from '../../config/same-data.ts';
import type { TlsContexts } from '../tls/tls-contexts.ts';
import { UpstreamTransport } from './upstream-transport.ts';

/** Who makes the client's side of TLS. */
export type ClientTlsSource = Pick<TlsContexts, 'client'>;

interface CompiledMatch {
  readonly criteria: readonly (readonly [key: string, value: string])[];
  readonly transport: UpstreamTransport | null;
}

export class UpstreamTransports {
  readonly #matches: readonly CompiledMatch[];
  readonly #otherwise: UpstreamTransport | null;

  constructor({ name, transport, transportMatches, metadataExchange }: Cluster, source: ClientTlsSource) {
    const compile = (socket: TransportSocket): UpstreamTransport | null =>
      socket.kind === 'plain'
        ? null
        : new UpstreamTransport(source.client(socket.tls, name), socket.tls, metadataExchange);
    this.#matches = transportMatches.map(({ match, transport }: TransportMatch) => ({
      criteria: Object.entries(match),
      transport: compile(transport),
    }));
    this.#otherwise = compile(transport);
  }

  /** Null for an endpoint with plain connections. */
  of(metadata: Metadata): UpstreamTransport | null {
    const values = metadata['envoy.transport_socket_match'];
    for (const { criteria, transport } of this.#matches) {
      if (criteria.every(([key, value]) => values?.[key] === value)) return transport;
    }
    return this.#otherwise;
  }

  /** As of `UpstreamTransport`. */
  release(): void {
    for (const { transport } of this.#matches) transport?.release();
    this.#otherwise?.release();
  }
}

/** Whether connections made under one configuration are protected as under the other. */
export function areTransportsAlike(before: Cluster, after: Cluster): boolean {
  const parts = ['transport', 'transportMatches', 'metadataExchange'] as const;
  return parts.every((part) => isSameData(before[part], after[part]));
}

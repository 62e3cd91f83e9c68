// What is written into the StreamInfo of a request, or of a TCP connection, where it becomes known.

import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import type { EndpointRuntime } from '../cluster/endpoint-runtime.ts';
import type { CompiledRoute } from '../route/compiled-route.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { StreamInfo } from './stream-info.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** What is known of the downstream connection. */
export function noteDownstream(info: StreamInfo, facts: ConnectionFacts): void {
  info.connectionId = facts.connectionId;
  info.downstreamDirectRemoteAddress = facts.directRemoteAddress ?? facts.remoteAddress;
  info.downstreamRemoteAddress = facts.remoteAddress;
  info.downstreamLocalAddress = facts.localAddress;
  info.filterChainName = facts.filterChainName;
  info.listenerName = facts.listenerName;
  info.requestedServerName = facts.requestedServerName;
  info.downstreamTls = facts.tls ?? null;
  info.connection = facts;
}

/** Which route was found. */
export function noteRoute(info: StreamInfo, { name, config, virtualHost }: CompiledRoute): void {
  info.routeName = name;
  info.routeMetadata = config.metadata;
  info.virtualHostName = virtualHost.config.name;
  info.virtualHostMetadata = virtualHost.config.metadata ?? null;
}

/** Where the route leads to. */
export function noteCluster(info: StreamInfo, { name, config }: ClusterRuntime): void {
  info.upstreamCluster = name;
  info.upstreamClusterStatName = config.statName;
  info.clusterMetadata = config.metadata;
}

/** Where an attempt goes: nothing is known of its connection yet. */
export function noteEndpoint(info: StreamInfo, endpoint: EndpointRuntime): void {
  info.upstreamRemoteAddress = endpoint.addressText;
  info.upstreamHostname = endpoint.hostname;
  info.endpointMetadata = endpoint.metadata;
  info.upstreamConnectionNumber = 0;
}

/** What an attempt goes over, and how long it waited for that. */
export function noteConnection(info: StreamInfo, connection: UpstreamConnection, waitMs: number): void {
  const { notes } = connection;
  info.upstreamLocalAddress = notes.localAddressText;
  info.upstreamConnectionNumber = notes.connectionNumber;
  info.upstreamWaitMs = waitMs;
  if (connection.tls !== undefined) info.upstreamTls = connection.tls;
}

/** What an exchange has moved, when it is over. */
export function noteExchange(info: StreamInfo, connection: UpstreamConnection): void {
  const { stream, notes } = connection;
  info.upstreamBytesSent = stream.bytesSent - notes.countedSentBytes;
  info.upstreamBytesReceived = stream.bytesReceived - notes.countedReceivedBytes;
  info.upstreamHeadBytesSent = connection.exchangeHeadBytesSent ?? -1;
  info.upstreamHeadBytesReceived = connection.exchangeHeadBytesReceived ?? -1;
}

// Clusters (`config.cluster.v3.Cluster`).

import { isIPv6 } from 'node:net';
import type { Address } from '../../config/address.ts';
import type { CircuitBreaker, Cluster, LoadBalancer, RetryBudget, SourceAddress } from '../../config/cluster.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  BindConfig,
  CircuitBreakers,
  Cluster as ClusterMessage,
  CircuitBreakers_Thresholds_RetryBudget as RetryBudgetMessage,
  RoutingPriority,
  SocketAddress,
} from '../generated/messages.ts';
import { decodeKeepAlive, decodeSocketAddress } from './address.ts';
import { decodeClusterFilters } from './cluster-filter.ts';
import { decodeDiscovery } from './discovery.ts';
import { decodeMetadata } from './endpoint.ts';
import { given } from './given.ts';
import { decodeLoadBalancer } from './load-balancer.ts';
import { SharedParts } from './shared-parts.ts';
import { decodeTransportMatches, decodeUpstreamSocket } from './transport-socket.ts';
import { decodeUpstreamHttp, upstreamNameOptions } from './upstream-http.ts';

/** Envoy's defaults. */
const defaultConnectTimeoutMs = 5_000;
const defaultBufferLimitBytes = 1_048_576;

const sharedBalancers = new SharedParts<LoadBalancer>();
const sharedBreakers = new SharedParts<Cluster['circuitBreakers']>();
const sharedHttpOptions = new SharedParts<Cluster['upstreamHttp']>();

/** `defaultBind` is the source address of clusters without one of their own (`cluster_manager.upstream_bind_config`). */
export function decodeCluster(
  message: ClusterMessage,
  defaultBind: SourceAddress | undefined,
  problems: Problems,
): Cluster | undefined {
  const name = message.name ?? '';
  const discovery = decodeDiscovery(message, problems);
  const loadBalancer = decodeLoadBalancer(message, problems);
  const names = upstreamNameOptions(message, problems);
  const transport = decodeUpstreamSocket(message.transportSocket, names, problems.at('transport_socket'));
  const matches = problems.at('transport_socket_matches');
  const transportMatches = decodeTransportMatches(message.transportSocketMatches, names, matches);
  const metadataExchange = decodeClusterFilters(message.filters, problems.at('filters'));
  const keepAlive = message.upstreamConnectionOptions?.tcpKeepalive;
  const bindAddress = decodeBindConfig(message.upstreamBindConfig, problems.at('upstream_bind_config'));
  const circuitBreakers = decodeCircuitBreakers(message.circuitBreakers, problems.at('circuit_breakers'));
  const upstreamHttp = decodeUpstreamHttp(message, problems);
  if (discovery === undefined || loadBalancer === undefined) return undefined;
  return {
    name,
    statName: message.altStatName ?? name,
    discovery,
    connectTimeoutMs: message.connectTimeout ?? defaultConnectTimeoutMs,
    perConnectionBufferLimitBytes: message.perConnectionBufferLimitBytes ?? defaultBufferLimitBytes,
    loadBalancer: sharedBalancers.share(loadBalancer),
    circuitBreakers: sharedBreakers.share(circuitBreakers),
    upstreamHttp: sharedHttpOptions.share(upstreamHttp),
    transport,
    transportMatches,
    ...given('keepAlive', keepAlive && decodeKeepAlive(keepAlive)),
    ...given('bindAddress', bindAddress ?? defaultBind),
    metadata: decodeMetadata(message.metadata),
    ...given('metadataExchange', metadataExchange),
  };
}

/** The source address of upstream connections. */
export function decodeBindConfig(message: BindConfig | undefined, problems: Problems): SourceAddress | undefined {
  if (message?.sourceAddress === undefined) return undefined;
  const address = decodeSourceAddress(message.sourceAddress, problems.at('source_address'));
  const extra = message.extraSourceAddresses ?? [];
  if (address?.kind !== 'ip' || extra.length === 0) return address;
  const place = problems.at('extra_source_addresses');
  if (extra.length > 1) place.unsupported('more than one', 'write one, of the other IP version');
  const otherFamily = decodeSourceAddress(extra[0]!.address ?? {}, place.item(0).at('address'));
  if (otherFamily?.kind !== 'ip') return address;
  if (isIPv6(otherFamily.ip) === isIPv6(address.ip)) {
    place.item(0).unsupported(otherFamily.ip, 'write an address of the IP version that source_address is not of');
  }
  return { ...address, otherFamily };
}

function decodeSourceAddress(message: SocketAddress, problems: Problems): Address | undefined {
  // Port 0 is the default of a source address: any port.
  const address = decodeSocketAddress({ portValue: 0, ...message }, problems);
  if (address?.kind !== 'host') return address;
  problems.at('address').add(`${JSON.stringify(address.hostname)} is not a literal IP address`);
  return undefined;
}

function decodeCircuitBreakers(message: CircuitBreakers | undefined, problems: Problems): Cluster['circuitBreakers'] {
  const seen = new Set<RoutingPriority>();
  for (const [index, { priority = 'DEFAULT' }] of (message?.thresholds ?? []).entries()) {
    const place = problems.at('thresholds').item(index).at('priority');
    if (seen.has(priority)) place.add(`there are thresholds of priority ${priority} already`);
    seen.add(priority);
  }
  return { default: decodeBreaker(message, 'DEFAULT'), high: decodeBreaker(message, 'HIGH') };
}

/** Envoy's defaults. */
function decodeBreaker(message: CircuitBreakers | undefined, priority: RoutingPriority): CircuitBreaker {
  const found = message?.thresholds?.find((thresholds) => (thresholds.priority ?? 'DEFAULT') === priority);
  return {
    maxConnections: found?.maxConnections ?? 1024,
    maxPendingRequests: found?.maxPendingRequests ?? 1024,
    maxRequests: found?.maxRequests ?? 1024,
    maxRetries: found?.maxRetries ?? 3,
    ...given('retryBudget', found?.retryBudget && decodeRetryBudget(found.retryBudget)),
    trackRemaining: found?.trackRemaining ?? false,
  };
}

/** Envoy's defaults. A percentage that is there and says nothing is 0. */
function decodeRetryBudget({ budgetPercent, minRetryConcurrency }: RetryBudgetMessage): RetryBudget {
  return {
    percent: budgetPercent === undefined ? 20 : (budgetPercent.value ?? 0),
    minConcurrency: minRetryConcurrency ?? 3,
  };
}

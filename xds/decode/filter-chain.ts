// Filter chains: when one is chosen, and its network filters (`config.listener.v3.FilterChain`).

import type { FilterChain, FilterChainMatch, NetworkFilter } from '../../config/listener.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  ConfigListenerFilter as Filter,
  FilterChain as FilterChainMessage,
  HttpConnectionManager,
  FilterChainMatch as MatchMessage,
  PluginConfig,
  TcpProxy,
} from '../generated/messages.ts';
import { decodeCidrRanges } from './address.ts';
import { extensionType, isInertFilter } from './extension.ts';
import { given } from './given.ts';
import { decodeHttpConnectionManager } from './http-connection-manager.ts';
import { decodeTcpExchange, findOnce, isTcpExchange, istioStatsType } from './istio-filter.ts';
import { decodeIstioStats } from './istio-stats.ts';
import { decodeTcpProxy } from './tcp-proxy.ts';
import { decodeDownstreamSocket } from './transport-socket.ts';

export function decodeFilterChain(message: FilterChainMessage, problems: Problems): FilterChain {
  const tls = decodeDownstreamSocket(message.transportSocket, problems.at('transport_socket'));
  return {
    name: message.name ?? '',
    match: decodeFilterChainMatch(message.filterChainMatch ?? {}, problems.at('filter_chain_match')),
    filters: decodeNetworkFilters(message.filters, problems.at('filters')),
    ...given('tls', tls),
    transportSocketConnectTimeoutMs: message.transportSocketConnectTimeout ?? 0,
    ...given('metadata', message.metadata?.filterMetadata),
  };
}

const sourceTypes = { ANY: 'any', SAME_IP_OR_LOOPBACK: 'same-ip-or-loopback', EXTERNAL: 'external' } as const;

function decodeFilterChainMatch(message: MatchMessage, problems: Problems): FilterChainMatch {
  const directSource = problems.at('direct_source_prefix_ranges');
  return {
    ...given('destinationPort', message.destinationPort),
    prefixRanges: decodeCidrRanges(message.prefixRanges, problems.at('prefix_ranges')),
    directSourcePrefixRanges: decodeCidrRanges(message.directSourcePrefixRanges, directSource),
    sourceType: sourceTypes[message.sourceType ?? 'ANY'],
    sourcePrefixRanges: decodeCidrRanges(message.sourcePrefixRanges, problems.at('source_prefix_ranges')),
    sourcePorts: message.sourcePorts ?? [],
    serverNames: decodeServerNames(message.serverNames, problems.at('server_names')),
    transportProtocol: message.transportProtocol ?? '',
    applicationProtocols: message.applicationProtocols ?? [],
  };
}

function decodeServerNames(names: readonly string[] | undefined, problems: Problems): readonly string[] {
  for (const [index, name] of (names ?? []).entries()) {
    if (name.replace(/^\*\./, '').includes('*')) {
      problems
        .item(index)
        .add(`${JSON.stringify(name)}: a wildcard may only be the whole first label, as in *.example.com`);
    }
  }
  return (names ?? []).map((name) => name.toLowerCase());
}

const tcpProxyType = 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';
const managerType = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const networkFilter = { what: 'network filter', known: [managerType, tcpProxyType] } as const;

/** The last filter is terminal, and only the last. Those without effect stand before it and are left out. */
function decodeNetworkFilters(messages: readonly Filter[] | undefined, problems: Problems): readonly NetworkFilter[] {
  const filters: NetworkFilter[] = [];
  for (const [index, message] of (messages ?? []).entries()) {
    const itemProblems = problems.item(index);
    if (isBesideTerminal(message)) continue;
    const type = extensionType(message, networkFilter, itemProblems);
    if (type === undefined) continue;
    if (index < messages!.length - 1)
      itemProblems.add('a terminal network filter must be the last of its filter chain');
    const filter = decodeNetworkFilter(message, type, itemProblems.at('typed_config'));
    if (filter !== undefined) filters.push(withIstio(filter, messages, problems));
  }
  const last = messages?.at(-1);
  if (last === undefined || isBesideTerminal(last)) {
    problems.add(`the last filter must be terminal, one of ${networkFilter.known.join(', ')}`);
  }
  return filters;
}

/** Not terminal: without effect, or part of what the terminal filter does. */
function isBesideTerminal(message: Filter): boolean {
  const isIstioStats = message.typedConfig?.typeName === istioStatsType;
  return isIstioStats || isTcpExchange(message) || isInertFilter(message, 'network filter');
}

/** Whether a configuration of this type is one of a network filter that is supported. */
export function isNetworkFilterType(typeName: string): boolean {
  const known: readonly string[] = networkFilter.known;
  return known.includes(typeName) || isBesideTerminal({ typedConfig: { typeUrl: '', typeName, message: {} } });
}

/**
 * Istio's metrics of TCP, and what it tells in front of bytes. Requests are counted by the filter of the same name among the
 * HTTP filters, and metadata is in their headers.
 */
function withIstio(filter: NetworkFilter, messages: readonly Filter[] | undefined, problems: Problems): NetworkFilter {
  const stats = findOnce(messages, [istioStatsType], problems);
  const metadataExchange = decodeTcpExchange(messages, problems);
  if (filter.kind !== 'tcp-proxy') return filter;
  const istioStats = stats && decodeIstioStats(stats.message as PluginConfig, stats.problems);
  const istio = { ...given('istioStats', istioStats), ...given('metadataExchange', metadataExchange) };
  return { ...filter, config: { ...filter.config, ...istio } };
}

function decodeNetworkFilter(
  message: Filter,
  type: (typeof networkFilter.known)[number],
  problems: Problems,
): NetworkFilter | undefined {
  const name = message.name ?? '';
  const config = message.typedConfig?.message;
  if (type === tcpProxyType) {
    const tcpProxy = decodeTcpProxy(config as TcpProxy, problems);
    return tcpProxy && { kind: 'tcp-proxy', name, config: tcpProxy };
  }
  const manager = decodeHttpConnectionManager(config as HttpConnectionManager, problems);
  return manager && { kind: 'http-connection-manager', name, config: manager };
}

// Istio's filters of HTTP and TCP. Their place among the filters of a chain makes no difference: they neither answer requests
// nor see each other's work.

import type { AlpnOverride, PeerMetadataExchange, TcpMetadataExchange } from '../../config/istio-filter.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  AlpnFilterConfig as AlpnMessage,
  Config_DiscoveryMethod as DiscoveryMethod,
  ConfigMetadataExchange as ExchangeMessage,
  Config as PeerMetadataMessage,
  PluginConfig,
  Config_PropagationMethod as PropagationMethod,
} from '../generated/messages.ts';
import type { Any } from '../message/message-descriptor.ts';
import { decodeIstioStats } from './istio-stats.ts';

const alpnType = 'istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig';
const peerMetadataType = 'io.istio.http.peer_metadata.Config';
export const istioStatsType = 'stats.PluginConfig';
/** Of older releases of Istio and of newer ones. */
const tcpExchangeTypes: readonly string[] = [
  'envoy.tcp.metadataexchange.config.MetadataExchange',
  'envoy.extensions.filters.network.metadata_exchange.v3.MetadataExchange',
];
const httpTypes: ReadonlySet<string> = new Set([alpnType, peerMetadataType, istioStatsType]);

export interface WrittenFilter {
  readonly name?: string;
  readonly typedConfig?: Any;
}

export function isIstioHttpFilter({ typedConfig }: WrittenFilter): boolean {
  return typedConfig !== undefined && httpTypes.has(typedConfig.typeName);
}

/** Of connections, in a filter chain or a cluster. */
export function isTcpExchange({ typedConfig }: WrittenFilter): boolean {
  return typedConfig !== undefined && tcpExchangeTypes.includes(typedConfig.typeName);
}

/** As `decodeIstioHttpFilters`, of the exchange of metadata in front of bytes; undefined without it. */
export function decodeTcpExchange(
  messages: readonly WrittenFilter[] | undefined,
  problems: Problems,
): TcpMetadataExchange | undefined {
  const found = findOnce(messages, tcpExchangeTypes, problems);
  if (found === undefined) return undefined;
  const { protocol = '', additionalLabels = [] } = found.message as ExchangeMessage;
  if (protocol === '')
    found.problems.at('protocol').add('the protocol of ALPN that stands for the exchange is required');
  return { protocol, additionalLabels };
}

/** What Istio's filters among those of a connection manager say; `problems` is at its `http_filters`. */
export function decodeIstioHttpFilters(messages: readonly WrittenFilter[] | undefined, problems: Problems) {
  const find = (type: string) => findOnce(messages, [type], problems);
  const alpn = find(alpnType);
  const peerMetadata = find(peerMetadataType);
  const stats = find(istioStatsType);
  return {
    ...(alpn && { alpnOverride: decodeAlpn(alpn.message as AlpnMessage, alpn.problems) }),
    ...(peerMetadata && { peerMetadata: decodePeerMetadata(peerMetadata.message as PeerMetadataMessage) }),
    ...(stats && { istioStats: decodeIstioStats(stats.message as PluginConfig, stats.problems) }),
  };
}

/** The filter of one of the types, which are names of one filter; what it would be to have two of them nobody says. */
export function findOnce(messages: readonly WrittenFilter[] | undefined, types: readonly string[], problems: Problems) {
  let found: { readonly name: string; readonly message: unknown; readonly problems: Problems } | undefined;
  for (const [index, { name = '', typedConfig }] of (messages ?? []).entries()) {
    if (typedConfig === undefined || !types.includes(typedConfig.typeName)) continue;
    if (found !== undefined) problems.item(index).add(`${typedConfig.typeName} may be there once`);
    found ??= { name, message: typedConfig.message ?? {}, problems: problems.item(index).at('typed_config') };
  }
  return found;
}

/** What an endpoint takes for something that is not spoken to it. */
const notSpoken = new Set(['h2', 'istio-h2', 'istio-peer-exchange']);

function decodeAlpn(message: AlpnMessage, problems: Problems): AlpnOverride {
  const lists = new Map<string, readonly string[]>();
  for (const [index, { upstreamProtocol = 'HTTP10', alpnOverride = [] }] of (message.alpnOverride ?? []).entries()) {
    // The first wins, as in Envoy.
    if (lists.has(upstreamProtocol)) continue;
    lists.set(upstreamProtocol, alpnOverride);
    const place = problems.at('alpn_override').item(index).at('alpn_override');
    for (const [at, name] of alpnOverride.entries()) {
      const bytes = Buffer.byteLength(name);
      if (bytes === 0 || bytes > 255) place.item(at).add('a protocol has 1 to 255 bytes (RFC 7301)');
      if (upstreamProtocol !== 'HTTP2' && notSpoken.has(name)) place.item(at).unsupported(name, 'it is not HTTP/1.1');
    }
  }
  // HTTP/1.0 is never spoken to an endpoint: what a client of that version asks goes on as HTTP/1.1.
  return { http11: lists.get('HTTP11') ?? [], http2: lists.get('HTTP2') ?? [] };
}

function decodePeerMetadata(message: PeerMetadataMessage): PeerMetadataExchange {
  const reads = (methods: readonly DiscoveryMethod[] = []) => methods.some(isByHeaders);
  const tells = (methods: readonly PropagationMethod[] = []) => methods.some(isByHeaders);
  return {
    readsRequests: reads(message.downstreamDiscovery),
    answersRequests: tells(message.downstreamPropagation),
    sendsRequests: tells(message.upstreamPropagation),
    skipsExternalClusters: (message.upstreamPropagation ?? []).some(
      ({ istioHeaders }) => istioHeaders?.skipExternalClusters === true,
    ),
    readsResponses: reads(message.upstreamDiscovery),
    additionalLabels: message.additionalLabels ?? [],
  };
}

function isByHeaders({ istioHeaders }: { readonly istioHeaders?: unknown }): boolean {
  return istioHeaders !== undefined;
}

// Listener filters: what looks at a connection before its filter chain is chosen (`config.listener.v3.ListenerFilter`).

import type { InspectorFilter, ListenerFilter, ListenerFilterPredicate } from '../../config/listener.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  ListenerFilter as ListenerFilterMessage,
  Listener as ListenerMessage,
  ListenerFilterChainMatchPredicate as PredicateMessage,
  ProxyProtocol,
  TlsInspector,
} from '../generated/messages.ts';
import { extensionType } from './extension.ts';
import { given } from './given.ts';

/** `use_original_dst` implies the filter that finds the destination, as in Envoy. */
export function decodeListenerFilters(message: ListenerMessage, problems: Problems): readonly ListenerFilter[] {
  const filters: ListenerFilter[] = [];
  for (const [index, filter] of (message.listenerFilters ?? []).entries()) {
    const decoded = decodeListenerFilter(filter, problems.item(index));
    if (decoded !== undefined) filters.push(decoded);
  }
  if (message.useOriginalDst === true && filters.length === 0) filters.push({ kind: 'original-dst' });
  return filters;
}

const filtersPackage = 'envoy.extensions.filters.listener';
const originalDst = `${filtersPackage}.original_dst.v3.OriginalDst`;
const tlsInspector = `${filtersPackage}.tls_inspector.v3.TlsInspector`;
const httpInspector = `${filtersPackage}.http_inspector.v3.HttpInspector`;
const proxyProtocol = `${filtersPackage}.proxy_protocol.v3.ProxyProtocol`;
const listenerFilter = {
  what: 'listener filter',
  known: [originalDst, tlsInspector, httpInspector, proxyProtocol],
} as const;

/** Known by name, to say why. */
const refused: { readonly [type: string]: string } = {
  [`${filtersPackage}.original_src.v3.OriginalSrc`]:
    'endpoints see the address of this process: read the client from x-forwarded-for',
  [`${filtersPackage}.local_ratelimit.v3.LocalRateLimit`]: 'limit connections by connection_limit of the runtime',
};

function decodeListenerFilter(message: ListenerFilterMessage, problems: Problems): ListenerFilter | undefined {
  const why = refused[message.typedConfig?.typeName ?? ''];
  if (why !== undefined) {
    problems.at('typed_config').unsupported(`listener filter ${message.typedConfig!.typeUrl}`, why);
    return undefined;
  }
  const type = extensionType(message, listenerFilter, problems);
  if (type === undefined) return undefined;
  const { filterDisabled, typedConfig } = message;
  if (type === originalDst) {
    if (filterDisabled !== undefined) {
      problems
        .at('filter_disabled')
        .unsupported('filter_disabled of original_dst', 'it is for filters that wait for bytes');
    }
    return { kind: 'original-dst' };
  }
  const disabledFor = filterDisabled && decodePredicate(filterDisabled);
  return { ...decodeInspector(type, typedConfig?.message), ...given('disabledFor', disabledFor) };
}

/** A whole ClientHello, its records' headers included. Envoy's was the same before it became 16 KiB. */
const defaultMaxClientHelloBytes = 65_536;

type InspectorType = typeof tlsInspector | typeof httpInspector | typeof proxyProtocol;

function decodeInspector(type: InspectorType, message: unknown): InspectorFilter {
  if (type === httpInspector) return { kind: 'http-inspector' };
  if (type === proxyProtocol) return decodeProxyProtocol(message as ProxyProtocol);
  const { maxClientHelloSize, closeConnectionOnClientHelloParsingErrors } = message as TlsInspector;
  return {
    kind: 'tls-inspector',
    maxClientHelloBytes: maxClientHelloSize ?? defaultMaxClientHelloBytes,
    closesOnParsingErrors: closeConnectionOnClientHelloParsingErrors ?? false,
  };
}

function decodeProxyProtocol(message: ProxyProtocol): InspectorFilter {
  return {
    kind: 'proxy-protocol',
    allowsAbsence: message.allowRequestsWithoutProxyProtocol ?? false,
    disallowedVersions: (message.disallowedVersions ?? []).map((version) => (version === 'V1' ? 1 : 2)),
  };
}

/** That one rule is there was checked, and so was that sets have two. */
function decodePredicate(message: PredicateMessage): ListenerFilterPredicate {
  const { orMatch, andMatch, notMatch, destinationPortRange } = message;
  if (orMatch !== undefined) return { kind: 'or', rules: (orMatch.rules ?? []).map(decodePredicate) };
  if (andMatch !== undefined) return { kind: 'and', rules: (andMatch.rules ?? []).map(decodePredicate) };
  if (notMatch !== undefined) return { kind: 'not', rule: decodePredicate(notMatch) };
  if (destinationPortRange === undefined) return { kind: 'any' };
  const { start = 0, end = 0 } = destinationPortRange;
  return { kind: 'destination-port', firstPort: start, endPort: end };
}

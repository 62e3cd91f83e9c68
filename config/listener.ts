// A listener: where connections arrive, how a filter chain is chosen for each, and what the chain does
// (`config.listener.v3`).

import type { AccessLog } from './access-log.ts';
import type { Address, CidrRange, KeepAlive } from './address.ts';
import type { Metadata } from './endpoint.ts';
import type { HttpConnectionManager } from './http-connection-manager.ts';
import type { IstioStats, TcpMetadataExchange } from './istio-filter.ts';
import type { DownstreamTls } from './tls.ts';

export interface Listener {
  readonly name: string;
  /** Absent when it is empty. */
  readonly metadata?: Metadata;
  readonly address: Address;
  /** More addresses of the same listener. */
  readonly additionalAddresses: readonly Address[];
  /** Name used in stats instead of the address; empty when not set. */
  readonly statPrefix: string;
  readonly bindToPort: boolean;
  /** Each worker has its own listening socket. Off: one socket shared by all workers. */
  readonly reusePort: boolean;
  readonly backlog: number;
  readonly ipv4Compatible: boolean;
  readonly transparent: boolean;
  readonly freebind: boolean;
  readonly keepAlive?: KeepAlive;
  readonly perConnectionBufferLimitBytes: number;
  readonly listenerFilters: readonly ListenerFilter[];
  /** 0 is none. */
  readonly listenerFiltersTimeoutMs: number;
  readonly continueOnListenerFiltersTimeout: boolean;
  /** Hand a connection to the listener that is bound to its original destination. */
  readonly useOriginalDst: boolean;
  readonly filterChains: readonly FilterChain[];
  readonly defaultFilterChain?: FilterChain;
  readonly trafficDirection: 'unspecified' | 'inbound' | 'outbound';
  readonly accessLogs: readonly AccessLog[];
  /** Open connections of this listener over all workers (`envoy.resource_limits.listener.NAME.connection_limit`). */
  readonly connectionLimit?: number;
  readonly ignoreGlobalConnectionLimit: boolean;
  readonly maxConnectionsToAcceptPerTurn: number;
  /** What serves its plain HTTP (`metadata.filter_metadata.outrigger.engine`); the process's choice when absent. */
  readonly engine?: EngineName;
  /** Connections are drained when the listener is modified only, or always. */
  readonly drainType: 'default' | 'modify-only';
}

/** Our own reactor, or uWebSockets.js and undici. */
export type EngineName = 'reactor' | 'uws';

/** What looks at a new connection before its filter chain is chosen (`config.listener.v3.ListenerFilter`). */
export type ListenerFilter = { readonly kind: 'original-dst' } | InspectorFilter;

/** A filter that waits for the first bytes of a connection. */
export type InspectorFilter = (TlsInspectorFilter | ProxyProtocolFilter | { readonly kind: 'http-inspector' }) & {
  /** Connections that the filter leaves alone; none when absent. */
  readonly disabledFor?: ListenerFilterPredicate;
};

/** `extensions.filters.listener.tls_inspector.v3.TlsInspector`. */
export interface TlsInspectorFilter {
  readonly kind: 'tls-inspector';
  readonly maxClientHelloBytes: number;
  /** Close what does not begin with a sound ClientHello; otherwise it is taken for plain bytes. */
  readonly closesOnParsingErrors: boolean;
}

/** `extensions.filters.listener.proxy_protocol.v3.ProxyProtocol`. */
export interface ProxyProtocolFilter {
  readonly kind: 'proxy-protocol';
  /** Connections without a header are served as they come. */
  readonly allowsAbsence: boolean;
  readonly disallowedVersions: readonly (1 | 2)[];
}

/** Asked about the port a connection was headed to (`ListenerFilterChainMatchPredicate`). */
export type ListenerFilterPredicate =
  | { readonly kind: 'any' }
  /** From `firstPort` up to and without `endPort`. */
  | { readonly kind: 'destination-port'; readonly firstPort: number; readonly endPort: number }
  | { readonly kind: 'and' | 'or'; readonly rules: readonly ListenerFilterPredicate[] }
  | { readonly kind: 'not'; readonly rule: ListenerFilterPredicate };

export interface FilterChain {
  readonly name: string;
  readonly match: FilterChainMatch;
  /** Network filters in order; the last is terminal (tcp-proxy or http-connection-manager). */
  readonly filters: readonly NetworkFilter[];
  /** Undefined: connections are plain. */
  readonly tls?: DownstreamTls;
  /** A network filter that is discovered has no configuration: connections are closed before anything is read of them. */
  readonly lacksFilter?: true;
  /** Until a TLS connection is ready to be used; 0 is none. */
  readonly transportSocketConnectTimeoutMs: number;
  /** Absent when it is empty. */
  readonly metadata?: Metadata;
}

/** Empty lists and undefined match anything. Precedence: Envoy's `FilterChainMatch` documentation. */
export interface FilterChainMatch {
  readonly destinationPort?: number;
  readonly prefixRanges: readonly CidrRange[];
  readonly directSourcePrefixRanges: readonly CidrRange[];
  readonly sourceType: 'any' | 'same-ip-or-loopback' | 'external';
  readonly sourcePrefixRanges: readonly CidrRange[];
  readonly sourcePorts: readonly number[];
  /** Exact or `*.suffix`, lower case. */
  readonly serverNames: readonly string[];
  /** `raw_buffer` or `tls`; empty matches anything. */
  readonly transportProtocol: string;
  readonly applicationProtocols: readonly string[];
}

export type NetworkFilter =
  | { readonly kind: 'tcp-proxy'; readonly name: string; readonly config: TcpProxy }
  | { readonly kind: 'http-connection-manager'; readonly name: string; readonly config: HttpConnectionManager };

/** `extensions.filters.network.tcp_proxy.v3.TcpProxy`. */
export interface TcpProxy {
  readonly statPrefix: string;
  readonly clusters: readonly { readonly name: string; readonly weight: number }[];
  readonly totalWeight: number;
  /** 0 is none. Envoy's default is one hour. */
  readonly idleTimeoutMs: number;
  /** 0 is none. */
  readonly maxDownstreamConnectionDurationMs: number;
  readonly maxConnectAttempts: number;
  /** `istio.stats`, where it stands before it. */
  readonly istioStats?: IstioStats;
  /** `istio.metadata_exchange`, where it stands before it. */
  readonly metadataExchange?: TcpMetadataExchange;
  readonly accessLogs: readonly AccessLog[];
  readonly flushAccessLogOnConnected: boolean;
  /** 0 logs at the end only. */
  readonly accessLogFlushIntervalMs: number;
}

// The HTTP connection manager (`extensions.filters.network.http_connection_manager.v3`).

import type { AccessLog, AccessLogFilter, LogFormat } from './access-log.ts';
import type { CidrRange } from './address.ts';
import type { ConfigSource } from './config-source.ts';
import type { AlpnOverride, IstioStats, PeerMetadataExchange } from './istio-filter.ts';
import type { OnDemandFilter } from './on-demand.ts';
import type { HeaderAddition, RouteConfiguration } from './route.ts';
import type { Tracing } from './tracing.ts';

export interface HttpConnectionManager {
  readonly statPrefix: string;
  readonly codec: 'auto' | 'http1';
  readonly routes: RouteSource;
  readonly httpFilters: readonly HttpFilter[];
  readonly accessLogs: readonly AccessLog[];
  readonly localReply: LocalReplyConfig;

  // Who the client is, and what is trusted of what it says.
  readonly useRemoteAddress: boolean;
  readonly xffNumTrustedHops: number;
  readonly skipXffAppend: boolean;
  /** Peers whose headers count as internal; none when empty, as in Envoy since 1.33. */
  readonly internalAddressRanges: readonly CidrRange[];
  readonly unixSocketsAreInternal: boolean;
  readonly representIpv4RemoteAsIpv4Mapped: boolean;
  /** `x-forwarded-client-cert`; absent, it is always removed. */
  readonly forwardClientCert?: ForwardClientCert;
  readonly via: string;
  readonly generateRequestId: boolean;
  readonly preserveExternalRequestId: boolean;
  readonly alwaysSetRequestIdInResponse: boolean;
  /** Without it requests are not chosen for tracing, and their ids are left as they came. */
  readonly tracing?: Tracing;
  readonly scheme: { readonly kind: 'as-received' } | { readonly kind: 'overwrite'; readonly scheme: 'http' | 'https' };

  // The path and authority before routing.
  readonly normalizePath: boolean;
  readonly mergeSlashes: boolean;
  readonly escapedSlashes: 'keep' | 'reject' | 'unescape-and-redirect' | 'unescape-and-forward';
  readonly stripPort: 'none' | 'matching' | 'any';
  readonly stripTrailingHostDot: boolean;

  // The response.
  readonly serverName: string;
  readonly serverHeader: 'overwrite' | 'append-if-absent' | 'pass-through';
  readonly proxy100Continue: boolean;
  /** Envoy's `stream_error_on_invalid_http_message`: keep the connection after a 4xx of ours where framing allows it. */
  readonly streamErrorOnInvalidMessage: boolean;

  // Limits. Times in ms, 0 is none.
  readonly maxRequestHeadersKb: number;
  readonly maxHeadersCount: number;
  readonly headersWithUnderscores: 'allow' | 'reject-request' | 'drop-header';
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  readonly maxStreamDurationMs: number;
  readonly maxRequestsPerConnection: number;
  readonly streamIdleTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly requestHeadersTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly delayedCloseTimeoutMs: number;

  // Istio's filters, where they are among the HTTP filters.
  readonly alpnOverride?: AlpnOverride;
  readonly peerMetadata?: PeerMetadataExchange;
  readonly istioStats?: IstioStats;
  /** The name under which routes configure the CORS filter, where it is among the HTTP filters. */
  readonly corsFilter?: string;
  /** Requests wait for what is asked for when they need it. */
  readonly onDemand?: OnDemandFilter;

  readonly http1: Http1Options;
  /** Protocols that may be upgraded to, lower case, and whether routes allow them by default. */
  readonly upgrades: { readonly [protocol: string]: boolean };
}

export type RouteSource =
  | { readonly kind: 'inline'; readonly routes: RouteConfiguration }
  /** By name among `Snapshot.routes`. */
  | { readonly kind: 'rds'; readonly name: string; readonly source: ConfigSource };

export interface ForwardClientCert {
  readonly mode: 'sanitize' | 'forward-only' | 'append-forward' | 'sanitize-set' | 'always-forward-only';
  /** What `append-forward` and `sanitize-set` write of the client's certificate, in this order. */
  readonly details: readonly ClientCertDetail[];
}

export type ClientCertDetail = 'cert' | 'chain' | 'subject' | 'uri' | 'dns';

/** An HTTP filter in order; the last is the router. A new kind is a new member here and a file in `proxy/filter/`. */
export type HttpFilter = { readonly kind: 'router'; readonly name: string; readonly config: RouterFilter };

export interface RouterFilter {
  readonly dynamicStats: boolean;
  readonly suppressEnvoyHeaders: boolean;
  readonly respectExpectedRqTimeout: boolean;
  readonly startChildSpan: boolean;
  readonly strictCheckHeaders: readonly string[];
  readonly upstreamAccessLogs: readonly AccessLog[];
}

export interface Http1Options {
  readonly acceptHttp10: boolean;
  readonly defaultHostForHttp10: string;
  readonly enableTrailers: boolean;
  readonly allowAbsoluteUrl: boolean;
  readonly allowCustomMethods: boolean;
  /** How header names are spelled on the wire. Envoy's default is lower case; ours keeps what was received. */
  readonly headerCase: 'preserve' | 'proper-case';
}

export interface LocalReplyConfig {
  readonly mappers: readonly LocalReplyMapper[];
  readonly bodyFormat?: LocalReplyFormat;
}

export interface LocalReplyMapper {
  readonly filter: AccessLogFilter;
  readonly status?: number;
  readonly body?: string;
  readonly bodyFormat?: LocalReplyFormat;
  readonly headersToAdd: readonly HeaderAddition[];
}

export interface LocalReplyFormat {
  readonly format: LogFormat;
  readonly contentType: string;
}

// A cluster: how its members are found, chosen, connected to and protected (`config.cluster.v3.Cluster`).

import type { Address, IpAddress, KeepAlive } from './address.ts';
import type { ConfigSource } from './config-source.ts';
import type { LoadAssignment, Metadata } from './endpoint.ts';
import type { TcpMetadataExchange } from './istio-filter.ts';
import type { UpstreamTls } from './tls.ts';

export interface Cluster {
  readonly name: string;
  /** Name used in stats: `alt_stat_name` or the name. */
  readonly statName: string;
  readonly discovery: Discovery;
  readonly connectTimeoutMs: number;
  readonly perConnectionBufferLimitBytes: number;
  readonly loadBalancer: LoadBalancer;
  readonly circuitBreakers: { readonly default: CircuitBreaker; readonly high: CircuitBreaker };
  readonly upstreamHttp: UpstreamHttpOptions;
  /** How connections to endpoints are protected that none of `transportMatches` is for. */
  readonly transport: TransportSocket;
  /** The first that matches an endpoint wins. */
  readonly transportMatches: readonly TransportMatch[];
  readonly keepAlive?: KeepAlive;
  /** Of upstream connections (`upstream_bind_config`). */
  readonly bindAddress?: SourceAddress;
  readonly metadata: Metadata;
  /** `istio.metadata_exchange` among its filters; of connections that pass bytes on. */
  readonly metadataExchange?: TcpMetadataExchange;
}

/** `otherFamily` is for endpoints of the IP version that the address itself is not of. */
export type SourceAddress = Address & { readonly otherFamily?: IpAddress };

export type TransportSocket = { readonly kind: 'plain' } | { readonly kind: 'tls'; readonly tls: UpstreamTls };

/** `Cluster.TransportSocketMatch`. */
export interface TransportMatch {
  readonly name: string;
  /** What the endpoint's metadata `envoy.transport_socket_match` must hold; empty matches every endpoint. */
  readonly match: { readonly [key: string]: string };
  readonly transport: TransportSocket;
}

export type Discovery =
  | { readonly kind: 'static'; readonly assignment: LoadAssignment }
  | {
      readonly kind: 'strict-dns' | 'logical-dns';
      readonly assignment: LoadAssignment;
      readonly dns: DnsOptions;
    }
  /** Members come from `source` under `serviceName` (`eds_cluster_config`), which is the cluster's name by default. */
  | { readonly kind: 'eds'; readonly serviceName: string; readonly source: ConfigSource }
  /** Endpoints are the connections' own destinations. Hosts unused for `cleanupIntervalMs` are dropped. */
  | {
      readonly kind: 'original-dst';
      readonly cleanupIntervalMs: number;
      readonly useHttpHeader: boolean;
      readonly httpHeaderName: string;
      readonly portOverride?: number;
    };

export type DnsLookupFamily = 'auto' | 'v4-only' | 'v6-only' | 'v4-preferred' | 'all';

export interface DnsOptions {
  readonly family: DnsLookupFamily;
  readonly refreshRateMs: number;
  readonly respectTtl: boolean;
  readonly failureRefreshBaseMs: number;
  readonly failureRefreshMaxMs: number;
  readonly jitterMs: number;
  /** Resolver addresses; empty means those of the system. */
  readonly resolvers: readonly Address[];
}

export interface LoadBalancer {
  readonly policy:
    | { readonly kind: 'round-robin'; readonly slowStart?: SlowStart }
    | {
        readonly kind: 'least-request';
        readonly choiceCount: number;
        readonly activeRequestBias: number;
        readonly slowStart?: SlowStart;
      }
    | { readonly kind: 'random' }
    /** The only policy of an original-dst cluster. */
    | { readonly kind: 'cluster-provided' };
  /** `common_lb_config.locality_weighted_lb_config`: choose a locality by weight first. */
  readonly localityWeighted: boolean;
  /** Share of healthy endpoints below which all are used, 0 to 100. Envoy's default is 50. */
  readonly healthyPanicThresholdPercent: number;
}

/** How endpoints that have joined come to their full weight (`Cluster.SlowStartConfig`). */
export interface SlowStart {
  /** Above 0. */
  readonly windowMs: number;
  /** Above 0; 1 is a straight line, more is quick at first. */
  readonly aggression: number;
  /** What an endpoint has of its weight from the first moment on, 0 to 100. Envoy's default is 10. */
  readonly minWeightPercent: number;
}

/** Limits of one routing priority; Envoy's defaults are 1024, 1024, 1024, 3 and no limit of pools. */
export interface CircuitBreaker {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  /** Takes the place of `maxRetries`. */
  readonly retryBudget?: RetryBudget;
  /** Publish `remaining_*` gauges. */
  readonly trackRemaining: boolean;
}

/** Retries at the same time as a share of the requests at the same time, waiting ones included. Envoy's defaults: 20 and 3. */
export interface RetryBudget {
  /** 0 to 100. */
  readonly percent: number;
  /** What is allowed however few requests there are. */
  readonly minConcurrency: number;
}

export interface UpstreamHttpOptions {
  /** `http2`: for gRPC calls of our own, such as telemetry. Requests cannot be sent to it yet. */
  readonly protocol: 'http1' | 'http2';
  /** Idle upstream connections are closed after this; 0 never. Envoy's default is one hour. */
  readonly idleTimeoutMs: number;
  /** 0 is no limit. */
  readonly maxConnectionDurationMs: number;
  /** 0 is no limit. */
  readonly maxRequestsPerConnection: number;
  readonly maxResponseHeadersKb: number;
  readonly maxResponseHeadersCount: number;
  readonly enableTrailers: boolean;
}

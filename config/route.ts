// Route configurations: which cluster a request goes to, and what is changed on the way (`config.route.v3`).

import type { LogFormat } from './access-log.ts';
import type { ConfigSource } from './config-source.ts';
import type { CorsPolicy } from './cors.ts';
import type { Metadata } from './endpoint.ts';
import type { CookieMatcher, HeaderMatcher, QueryParameterMatcher, RuntimeFraction } from './matcher.ts';
import type { OnDemandFilter } from './on-demand.ts';
import type { RouteDecorator, RouteTracing } from './tracing.ts';

export interface RouteConfiguration {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHost[];
  readonly headers: HeaderMutations;
  /** Request headers that only ourselves may set: removed from requests of external origin. Lower case. */
  readonly internalOnlyHeaders: readonly string[];
  /** False: route, then virtual host, then route configuration (Envoy's default order). */
  readonly mostSpecificHeaderMutationsWins: boolean;
  readonly ignorePortInHostMatching: boolean;
  readonly maxDirectResponseBodyBytes: number;
  /** What virtual hosts say nothing else of; absent where nothing is said. */
  readonly perFilterConfig?: PerFilterConfig;
  /** Where more virtual hosts come from. What is served has them, and no source. */
  readonly virtualHostSource?: ConfigSource;
  /** Of what is served: virtual hosts that are not there may be asked for. */
  readonly hasVirtualHostSource?: true;
}

export interface VirtualHost {
  readonly name: string;
  /** Lower case: `host`, `*.suffix`, `prefix.*` or `*`. */
  readonly domains: readonly string[];
  readonly routes: readonly Route[];
  readonly requireTls: 'none' | 'external-only' | 'all';
  readonly headers: HeaderMutations;
  readonly includeRequestAttemptCount: boolean;
  readonly includeAttemptCountInResponse: boolean;
  readonly retryPolicy?: RetryPolicy;
  readonly perFilterConfig: PerFilterConfig;
  /** Absent when it is empty. */
  readonly metadata?: Metadata;
}

export interface Route {
  readonly name: string;
  readonly match: RouteMatch;
  readonly action: RouteAction;
  readonly headers: HeaderMutations;
  readonly metadata: Metadata;
  readonly statPrefix: string;
  readonly perFilterConfig: PerFilterConfig;
  readonly decorator?: RouteDecorator;
  readonly tracing?: RouteTracing;
}

/** Configuration by HTTP filter name (`typed_per_filter_config`). */
export interface PerFilterConfig {
  readonly [filterName: string]: {
    readonly disabled: boolean;
    readonly cors?: CorsPolicy;
    readonly onDemand?: Pick<OnDemandFilter, 'clusters'>;
  };
}

export interface RouteMatch {
  readonly path:
    | { readonly kind: 'prefix'; readonly value: string }
    | { readonly kind: 'path'; readonly value: string }
    /** `/a` matches `/a` and `/a/b`, not `/ab`. */
    | { readonly kind: 'path-separated-prefix'; readonly value: string }
    | { readonly kind: 'regex'; readonly regex: string }
    | { readonly kind: 'connect' };
  readonly caseSensitive: boolean;
  readonly headers: readonly HeaderMatcher[];
  readonly queryParameters: readonly QueryParameterMatcher[];
  /** Absent where there are none. */
  readonly cookies?: readonly CookieMatcher[];
  readonly runtimeFraction?: RuntimeFraction;
  /** Only requests with a gRPC content type. */
  readonly grpc: boolean;
}

export type RouteAction = ForwardAction | RedirectAction | DirectResponseAction;

export interface ForwardAction {
  readonly kind: 'forward';
  readonly target: ForwardTarget;
  /** Reply when the named cluster does not exist. */
  readonly clusterNotFoundStatus: 500 | 503 | 404;
  readonly pathRewrite?:
    | { readonly kind: 'prefix'; readonly replacement: string }
    | { readonly kind: 'regex'; readonly regex: string; readonly substitution: string }
    /** With `%COMMAND%` operators; the query is kept. */
    | { readonly kind: 'format'; readonly format: string };
  readonly hostRewrite?:
    | { readonly kind: 'literal'; readonly value: string }
    /** The endpoint's hostname (`auto_host_rewrite`). */
    | { readonly kind: 'auto' }
    | { readonly kind: 'header'; readonly name: string }
    | { readonly kind: 'path-regex'; readonly regex: string; readonly substitution: string }
    | { readonly kind: 'format'; readonly format: string };
  /** Append the original host to `x-forwarded-host` when it is rewritten. */
  readonly appendForwardedHost: boolean;
  /** Whole request, from the end of the downstream request to the end of the response; 0 is none. Default 15 s. */
  readonly timeoutMs: number;
  /** No byte in either direction for this long; undefined takes the connection manager's. 0 is none. */
  readonly idleTimeoutMs?: number;
  /** From the first byte of the request to the end of the response; undefined is none. */
  readonly maxStreamDurationMs?: number;
  /** Undefined: the deadline that a gRPC client sends does not count. */
  readonly grpcTimeout?: GrpcTimeout;
  readonly retryPolicy?: RetryPolicy;
  /** Undefined: the client gets every redirect of an endpoint. */
  readonly internalRedirect?: InternalRedirectPolicy;
  readonly priority: 'default' | 'high';
  /** `upgrade_configs` by lower-case protocol: whether it is allowed here. */
  readonly upgrades: { readonly [protocol: string]: boolean };
  /** CONNECT ends here: endpoints get what is in the tunnel as plain TCP. Undefined: it is forwarded. */
  readonly connectTermination?: ConnectTermination;
  readonly metadataMatch: Metadata;
}

/** Which redirects of endpoints are followed here, in place of the client. */
export interface InternalRedirectPolicy {
  /** Of one request, whatever routes they came from. */
  readonly maxRedirects: number;
  readonly statuses: readonly number[];
  /** All must agree. */
  readonly predicates: readonly InternalRedirectPredicate[];
  /** Also to https what came as http, and the other way round. */
  readonly allowCrossScheme: boolean;
  /** Names of response headers that the next request gets, or loses where the response has none. Lower case. */
  readonly headersToCopy: readonly string[];
}

export type InternalRedirectPredicate =
  | { readonly kind: 'allow-listed-routes'; readonly names: readonly string[] }
  /** From one route no other is gone to twice. */
  | { readonly kind: 'previous-routes' }
  /** Never from http to https. */
  | { readonly kind: 'safe-cross-scheme' };

export interface ConnectTermination {
  /** The body of a POST is taken for the bytes of a tunnel, too. */
  readonly allowsPost: boolean;
}

/** What the deadline of a request's `grpc-timeout` limits, and by how much. */
export interface GrpcTimeout {
  /** `timeout` is of gRPC requests only (`max_grpc_timeout`), `stream-duration` of all (`grpc_timeout_header_max`). */
  readonly limits: 'timeout' | 'stream-duration';
  /** 0 is none. */
  readonly maxMs: number;
  /** Taken off the deadline, so that this proxy answers before the client gives up. */
  readonly offsetMs: number;
}

export type ForwardTarget =
  | { readonly kind: 'cluster'; readonly name: string }
  | { readonly kind: 'cluster-header'; readonly header: string }
  | {
      readonly kind: 'weighted';
      readonly clusters: readonly WeightedCluster[];
      readonly totalWeight: number;
      readonly runtimeKeyPrefix: string;
      /** A whole number in this request header takes the place of the random number. */
      readonly randomValueHeader?: string;
    };

export interface WeightedCluster {
  readonly target:
    | { readonly kind: 'cluster'; readonly name: string }
    | { readonly kind: 'cluster-header'; readonly header: string };
  readonly weight: number;
  readonly headers: HeaderMutations;
  readonly hostRewriteLiteral?: string;
  readonly perFilterConfig: PerFilterConfig;
}

export interface RedirectAction {
  readonly kind: 'redirect';
  readonly status: 301 | 302 | 303 | 307 | 308;
  readonly https: boolean;
  readonly scheme?: string;
  readonly host?: string;
  readonly port?: number;
  readonly path?:
    | { readonly kind: 'replace'; readonly value: string }
    | { readonly kind: 'prefix'; readonly replacement: string }
    | { readonly kind: 'regex'; readonly regex: string; readonly substitution: string }
    | { readonly kind: 'format'; readonly format: string };
  readonly stripQuery: boolean;
}

export interface DirectResponseAction {
  readonly kind: 'direct-response';
  readonly status: number;
  /** Sent as it is; read from its file when the configuration was loaded. */
  readonly body: Uint8Array;
  /**
   * Makes the body; in it `%LOCAL_REPLY_BODY%` is the body above. Its content type wins over one that the route adds; empty
   * is plain text unless the route has another.
   */
  readonly bodyFormat?: { readonly format: LogFormat; readonly contentType: string };
}

/** What one level of the route tree does to headers. Names as written; values may hold `%COMMAND%` operators. */
export interface HeaderMutations {
  readonly requestAdd: readonly HeaderAddition[];
  readonly requestRemove: readonly string[];
  readonly responseAdd: readonly HeaderAddition[];
  readonly responseRemove: readonly string[];
}

export interface HeaderAddition {
  readonly name: string;
  readonly value: string;
  readonly action: 'append' | 'add-if-absent' | 'overwrite' | 'overwrite-if-exists';
  readonly keepEmptyValue: boolean;
}

export interface RetryPolicy {
  readonly retryOn: readonly RetryCondition[];
  readonly retriableStatusCodes: readonly number[];
  readonly retriableHeaders: readonly HeaderMatcher[];
  readonly retriableRequestHeaders: readonly HeaderMatcher[];
  /** Retries after the first attempt. */
  readonly numRetries: number;
  /** 0 is none. */
  readonly perTryTimeoutMs: number;
  /** 0 is none. */
  readonly perTryIdleTimeoutMs: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  /** How responses that limit the rate are waited for; undefined: as any other. */
  readonly rateLimitedBackOff?: RateLimitedBackOff;
  /** Avoid endpoints already tried (`envoy.retry_host_predicates.previous_hosts`). */
  readonly avoidPreviousHosts: boolean;
  readonly hostSelectionMaxAttempts: number;
}

/** The wait that the first of these headers asks for, unless it is longer than `maxMs`. */
export interface RateLimitedBackOff {
  readonly resetHeaders: readonly ResetHeader[];
  readonly maxMs: number;
}

export interface ResetHeader {
  readonly name: string;
  /** Seconds to wait, or the second of the Unix epoch to wait for. */
  readonly format: 'seconds' | 'unix-timestamp';
}

/** The HTTP/1 values of `retry_on`. */
export type RetryCondition =
  | '5xx'
  | 'gateway-error'
  | 'reset'
  | 'reset-before-request'
  | 'connect-failure'
  | 'envoy-ratelimited'
  | 'retriable-4xx'
  | 'refused-stream'
  | 'retriable-status-codes'
  | 'retriable-headers'
  | 'http3-post-connect-failure'
  | 'cancelled'
  | 'deadline-exceeded'
  | 'internal'
  | 'resource-exhausted'
  | 'unavailable';

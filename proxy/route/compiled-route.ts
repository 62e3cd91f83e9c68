// A route ready for requests: everything that its configuration leaves out is null and costs one check.
//
// A weighted route is compiled into one CompiledRoute for each of its clusters, and the match picks one of them: nobody has
// to remember for which cluster a request's headers are to be changed.

import type { ForwardAction, Route, RouteConfiguration, VirtualHost, WeightedCluster } from '../../config/route.ts';
import { toByteString } from '../format/byte-string.ts';
import { sharedContext } from '../format/shared-context.ts';
import { HeaderId, headerName } from '../http/header-name.ts';
import { type EncodedLine, encodeLine, headerIdSet } from '../http/header-table.ts';
import type { RequestHead, ResponseHead } from '../http/message.ts';
import type { RouteSeries } from '../http/request-counter.ts';
import type { StreamInfo } from '../http/stream-info.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import type { RouteKeys } from '../tracing/sampling-keys.ts';
import type { CompiledCors } from './cors.ts';
import type { CompiledDirectResponse } from './direct-response.ts';
import { compileGrpcTimeout, type GrpcTimeoutRule } from './grpc-timeout.ts';
import type { CompiledHeaderMutation } from './header-mutation.ts';
import { changeAuthority, compileHostRewrite, type HostRewrite } from './host-rewrite.ts';
import { CompiledInternalRedirect } from './internal-redirect.ts';
import type { PathMatch } from './path-match.ts';
import { compilePathRewrite, type PathRewrite } from './path-rewrite.ts';
import type { CompiledRedirect } from './redirect.ts';
import { CompiledRetryPolicy, noRetries, retryHeaderIds } from './retry-policy.ts';
import { compileTimeouts, type RequestTimeouts, requestedTimeouts, timeoutHeaderIds } from './timeouts.ts';

/** Where a route stands: what it inherits. */
export interface RouteScope {
  readonly config: VirtualHost;
  readonly routeConfiguration: RouteConfiguration;
}

export interface CompiledRoute {
  readonly name: string;
  readonly config: Route;
  readonly virtualHost: RouteScope;
  readonly action: CompiledForward | CompiledRedirect | CompiledDirectResponse;
  readonly responseMutation: CompiledHeaderMutation | null;
  /** Null where pages of other origins are not spoken of. */
  readonly cors: CompiledCors | null;
  /** Counters of a route with a `stat_prefix`, taken by its first request. */
  stats: StatBlock | null;
  /** What its requests count for when traces are sampled, taken by its first traced request. */
  samplingKeys: RouteKeys | null;
  /** What its requests are counted in, taken by the first that is counted. */
  requestSeries: RouteSeries | null;
  /** Applies the response header changes of route, virtual host and route configuration, to local replies too. */
  mutateResponse(head: ResponseHead, request: RequestHead, info: StreamInfo): void;
}

export interface RouteParts {
  readonly config: Route;
  readonly virtualHost: RouteScope;
  readonly action: CompiledRoute['action'];
  readonly responseMutation: CompiledHeaderMutation | null;
  readonly cors: CompiledCors | null;
}

export function createRoute({ config, virtualHost, action, responseMutation, cors }: RouteParts): CompiledRoute {
  return {
    name: config.name,
    config,
    virtualHost,
    action,
    responseMutation,
    cors,
    stats: null,
    samplingKeys: null,
    requestSeries: null,
    mutateResponse,
  };
}

function mutateResponse(this: CompiledRoute, head: ResponseHead, request: RequestHead, info: StreamInfo): void {
  if (this.responseMutation === null) return;
  this.responseMutation.apply(head.headers, sharedContext(info, request, head));
}

export interface ForwardParts {
  readonly config: ForwardAction;
  /** The member of `config.target` that this is for; undefined when there is one cluster only. */
  readonly weighted: WeightedCluster | undefined;
  readonly match: PathMatch;
  readonly virtualHost: RouteScope;
  readonly requestMutation: CompiledHeaderMutation | null;
  /** The router's `suppress_envoy_headers`. */
  readonly suppressEnvoyHeaders: boolean;
}

export class CompiledForward {
  readonly kind = 'forward';
  readonly config: ForwardAction;
  /** The member of `config.target` that this is for. */
  readonly weighted: WeightedCluster | undefined;
  /** The policy of the configuration; null when it has none. `takeRetries` gives the one in force for a request. */
  readonly retry: CompiledRetryPolicy | null;
  /** Null where the client gets every redirect. */
  readonly internalRedirect: CompiledInternalRedirect | null;
  readonly #cluster: (head: RequestHead) => string | null;
  readonly #requestMutation: CompiledHeaderMutation | null;
  readonly #weightedHost: string;
  readonly #hostRewrite: HostRewrite | null;
  readonly #rewritesHostForEndpoint: boolean;
  readonly #pathRewrite: PathRewrite | null;
  readonly #timeouts: RequestTimeouts;
  readonly #grpcTimeout: GrpcTimeoutRule | null;
  readonly #expectedTimeout: EncodedLine | null;
  readonly #authorityChange: { readonly appendForwardedHost: boolean; readonly keepOriginal: boolean };

  constructor(parts: ForwardParts) {
    const { config, weighted, virtualHost } = parts;
    const retry = config.retryPolicy ?? virtualHost.config.retryPolicy;
    this.config = config;
    this.weighted = weighted;
    this.retry = retry === undefined ? null : new CompiledRetryPolicy(retry);
    this.internalRedirect =
      config.internalRedirect === undefined ? null : new CompiledInternalRedirect(config.internalRedirect);
    this.#cluster = compileCluster(config, weighted);
    this.#requestMutation = parts.requestMutation;
    this.#weightedHost = toByteString(weighted?.hostRewriteLiteral ?? '');
    this.#hostRewrite = compileHostRewrite(config.hostRewrite);
    this.#rewritesHostForEndpoint = config.hostRewrite?.kind === 'auto';
    this.#pathRewrite = config.pathRewrite === undefined ? null : compilePathRewrite(config.pathRewrite, parts.match);
    this.#timeouts = compileTimeouts(config, retry);
    this.#grpcTimeout = compileGrpcTimeout(config);
    this.#expectedTimeout = expectedTimeoutLine(this.#timeouts);
    this.#authorityChange = {
      appendForwardedHost: config.appendForwardedHost,
      keepOriginal: !parts.suppressEnvoyHeaders,
    };
  }

  /** The cluster's name; null when the header that should name it is missing or empty. */
  selectCluster(head: RequestHead): string | null {
    return this.#cluster(head);
  }

  /**
   * Changes headers, then the authority, then the path, each once for a request however often it is tried. The original
   * path goes to `info` and, unless Envoy's headers are suppressed, to `x-envoy-original-path`.
   */
  rewriteRequest(head: RequestHead, info: StreamInfo): void {
    if (this.#requestMutation !== null) {
      this.#requestMutation.apply(head.headers, sharedContext(info, head, null));
    }
    if (this.#weightedHost !== '') changeAuthority(head, this.#weightedHost, silentChange);
    if (this.#hostRewrite !== null) changeAuthority(head, this.#hostRewrite(head, info), this.#authorityChange);
    if (this.#pathRewrite !== null && head.path !== '') {
      const path = this.#pathRewrite(head.path, head, info);
      if (path === '') return;
      info.originalPath = head.path;
      if (this.#authorityChange.keepOriginal) head.headers.set(originalPath, head.path);
      head.path = path;
    }
  }

  /**
   * `auto_host_rewrite`: once an endpoint was chosen. An endpoint without a name changes nothing. What the client had asked for
   * is remembered on the first attempt only: on a further one the authority is that of the endpoint before.
   */
  rewriteHostForEndpoint(head: RequestHead, hostname: string, isFirstAttempt: boolean): void {
    if (!this.#rewritesHostForEndpoint) return;
    changeAuthority(head, hostname, isFirstAttempt ? this.#authorityChange : silentChange);
  }

  /**
   * The limits in force, with what the request asks for in headers, which are taken out of it. They count only from whom they
   * were let through (`forwarded-headers.ts`). Called before `rewriteRequest`, as in Envoy: what the route adds under
   * these names goes to the endpoint.
   */
  takeTimeouts(head: RequestHead): RequestTimeouts {
    const configured = this.#grpcTimeout === null ? this.#timeouts : this.#grpcTimeout(this.#timeouts, head);
    if (!head.headers.hasAny(timeoutIds)) return configured;
    const timeouts = requestedTimeouts(configured, head);
    head.headers.removeAny(timeoutIds);
    return timeouts;
  }

  /**
   * The retries in force, with what the request's headers ask for, which are taken out of it; null when nothing is to be
   * retried. Called after `rewriteRequest`, as in Envoy: a route may ask for retries by adding these headers.
   */
  takeRetries(head: RequestHead): CompiledRetryPolicy | null {
    if (!head.headers.hasAny(retryIds)) return this.retry?.appliesTo(head) ? this.retry : null;
    const policy = (this.retry ?? noRetries).requestedBy(head);
    head.headers.removeAny(retryIds);
    return policy.appliesTo(head) ? policy : null;
  }

  /** Tells the endpoint in `x-envoy-expected-rq-timeout-ms` how long it has; nothing when that is without end. */
  addExpectedTimeout({ headers }: RequestHead, timeouts: RequestTimeouts): void {
    const line = timeouts === this.#timeouts ? this.#expectedTimeout : expectedTimeoutLine(timeouts);
    if (line === null) headers.removeId(HeaderId.xEnvoyExpectedRqTimeoutMs);
    else headers.setLine(line);
  }
}

const originalPath = headerName('x-envoy-original-path');
const silentChange = { appendForwardedHost: false, keepOriginal: false };

function compileCluster(
  config: ForwardAction,
  weighted: WeightedCluster | undefined,
): (head: RequestHead) => string | null {
  const target = weighted?.target ?? config.target;
  if (target.kind === 'cluster') {
    const { name } = target;
    return () => name;
  }
  if (target.kind === 'weighted') throw new Error('a weighted route is compiled for each of its clusters');
  const header = headerName(target.header);
  if (header.text === ':authority' || header.text === 'host') return (head) => head.authority || null;
  return ({ headers }) => {
    const row = headers.find(header);
    return row < 0 ? null : headers.value(row) || null;
  };
}

function expectedTimeoutLine({ perTryMs, timeoutMs }: RequestTimeouts): EncodedLine | null {
  const expectedMs = perTryMs || timeoutMs;
  return expectedMs === 0 ? null : encodeLine('x-envoy-expected-rq-timeout-ms', String(expectedMs));
}

const timeoutIds = headerIdSet(timeoutHeaderIds);
const retryIds = headerIdSet(retryHeaderIds);

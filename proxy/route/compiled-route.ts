// A route ready for requests: everything that its configuration leaves out is null and costs one check.
//
// A weighted route is compiled into one CompiledRoute for each of its clusters, and the match picks one of them: nobody has
// to remember for which cluster a request's headers are to be changed.

import type {
  DirectResponseAction,
  ForwardAction,
  Route,
  RouteConfiguration,
  VirtualHost,
  WeightedCluster,
} from '../../config/route.ts';
import { toByteString } from '../format/byte-string.ts';
import type { FormatContext } from '../format/format-context.ts';
import { HeaderId, headerName } from '../http/header-name.ts';
import { type EncodedLine, encodeLine, type HeaderTable } from '../http/header-table.ts';
import type { RequestHead, ResponseHead } from '../http/message.ts';
import { StreamInfo } from '../http/stream-info.ts';
import type { CompiledHeaderMutation } from './header-mutation.ts';
import { changeAuthority, compileHostRewrite, type HostRewrite } from './host-rewrite.ts';
import type { PathMatch } from './path-match.ts';
import { compilePathRewrite, type PathRewrite } from './path-rewrite.ts';
import type { CompiledRedirect } from './redirect.ts';
import { CompiledRetryPolicy, noRetries, retryHeaderIds } from './retry-policy.ts';
import { compileTimeouts, type RequestTimeouts, requestedTimeouts } from './timeouts.ts';

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
  /** Applies the response header changes of route, virtual host and route configuration, to local replies too. */
  mutateResponse(head: ResponseHead, request: RequestHead, info: StreamInfo): void;
}

export interface CompiledDirectResponse {
  readonly kind: 'direct-response';
  readonly config: DirectResponseAction;
  readonly status: number;
  readonly body: Uint8Array;
}

export interface RouteParts {
  readonly config: Route;
  readonly virtualHost: RouteScope;
  readonly action: CompiledRoute['action'];
  readonly responseMutation: CompiledHeaderMutation | null;
}

export function createRoute({ config, virtualHost, action, responseMutation }: RouteParts): CompiledRoute {
  return { name: config.name, config, virtualHost, action, responseMutation, mutateResponse };
}

function mutateResponse(this: CompiledRoute, head: ResponseHead, request: RequestHead, info: StreamInfo): void {
  if (this.responseMutation === null) return;
  this.responseMutation.apply(head.headers, formatContext(info, request, head));
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
  /** The policy of the configuration; null when it has none. `retryFor` gives the one in force for a request. */
  readonly retry: CompiledRetryPolicy | null;
  readonly #cluster: (head: RequestHead) => string | null;
  readonly #requestMutation: CompiledHeaderMutation | null;
  readonly #weightedHost: string;
  readonly #hostRewrite: HostRewrite | null;
  readonly #rewritesHostForEndpoint: boolean;
  readonly #pathRewrite: PathRewrite | null;
  readonly #timeouts: RequestTimeouts;
  readonly #expectedTimeout: EncodedLine;
  readonly #authorityChange: { readonly appendForwardedHost: boolean; readonly keepOriginal: boolean };

  constructor(parts: ForwardParts) {
    const { config, weighted, virtualHost } = parts;
    const retry = config.retryPolicy ?? virtualHost.config.retryPolicy;
    this.config = config;
    this.retry = retry === undefined ? null : new CompiledRetryPolicy(retry);
    this.#cluster = compileCluster(config, weighted);
    this.#requestMutation = parts.requestMutation;
    this.#weightedHost = toByteString(weighted?.hostRewriteLiteral ?? '');
    this.#hostRewrite = compileHostRewrite(config.hostRewrite);
    this.#rewritesHostForEndpoint = config.hostRewrite?.kind === 'auto';
    this.#pathRewrite = config.pathRewrite === undefined ? null : compilePathRewrite(config.pathRewrite, parts.match);
    this.#timeouts = compileTimeouts(config, retry);
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
      this.#requestMutation.apply(head.headers, formatContext(info, head, null));
    }
    if (this.#weightedHost !== '') changeAuthority(head, this.#weightedHost, silentChange);
    if (this.#hostRewrite !== null) changeAuthority(head, this.#hostRewrite(head), this.#authorityChange);
    if (this.#pathRewrite !== null && head.path !== '') {
      info.originalPath = head.path;
      if (this.#authorityChange.keepOriginal) head.headers.set(originalPath, head.path);
      head.path = this.#pathRewrite(head.path);
    }
  }

  /** `auto_host_rewrite`: once an endpoint was chosen. An endpoint without a name changes nothing. */
  rewriteHostForEndpoint(head: RequestHead, hostname: string): void {
    if (this.#rewritesHostForEndpoint) changeAuthority(head, hostname, this.#authorityChange);
  }

  /** The limits in force; `isTrusted` is whether the client may set them by headers. */
  timeouts(head: RequestHead, isTrusted: boolean): RequestTimeouts {
    return isTrusted && hasControlHeader(head.headers) ? requestedTimeouts(this.#timeouts, head) : this.#timeouts;
  }

  /** The retries in force, with what a trusted client asks for; null when nothing is to be retried. */
  retryFor(head: RequestHead, isTrusted: boolean): CompiledRetryPolicy | null {
    const asked = isTrusted && hasControlHeader(head.headers);
    if (this.retry === null && !asked) return null;
    const policy = asked ? (this.retry ?? noRetries).requestedBy(head) : this.retry!;
    return policy.appliesTo(head) ? policy : null;
  }

  /** Removes the headers that `timeouts` and `retryFor` obey: they are for us and not for the endpoint. */
  removeControlHeaders(head: RequestHead): void {
    const { headers } = head;
    for (let row = 0; row < headers.rowCount; row++) {
      if (isControlId[headers.id(row)] === 1) headers.removeRow(row);
    }
  }

  /** The line `x-envoy-expected-rq-timeout-ms` for these limits: how long the endpoint has. Not for limits without end. */
  expectedTimeoutLine(timeouts: RequestTimeouts): EncodedLine {
    return timeouts === this.#timeouts ? this.#expectedTimeout : expectedTimeoutLine(timeouts);
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

function expectedTimeoutLine(timeouts: RequestTimeouts): EncodedLine {
  return encodeLine('x-envoy-expected-rq-timeout-ms', String(timeouts.perTryMs || timeouts.timeoutMs));
}

// One pass over the rows finds out whether any of these is there, where a look-up for each would be eight.
const isControlId = new Uint8Array(256);
for (const id of retryHeaderIds) isControlId[id] = 1;
isControlId[HeaderId.other] = 0;

function hasControlHeader(headers: HeaderTable): boolean {
  for (let row = 0; row < headers.rowCount; row++) if (isControlId[headers.id(row)] === 1) return true;
  return false;
}

const sharedContext: FormatContext = {
  info: new StreamInfo(),
  request: null,
  response: null,
  responseTrailers: null,
  localReplyBody: '',
};

// One object for every request of the thread: formats are written at once and keep nothing of it.
function formatContext(info: StreamInfo, request: RequestHead, response: ResponseHead | null): FormatContext {
  sharedContext.info = info;
  sharedContext.request = request;
  sharedContext.response = response;
  return sharedContext;
}

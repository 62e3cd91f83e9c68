// Route configurations and request heads for tests, with every field that a test does not speak of at its default.

import type { HeaderMatcher, StringMatcher } from '../../config/matcher.ts';
import type {
  ForwardAction,
  HeaderAddition,
  HeaderMutations,
  RetryPolicy,
  Route,
  RouteConfiguration,
  RouteMatch,
  VirtualHost,
} from '../../config/route.ts';
import { RequestHead, ResponseHead } from '../../proxy/http/message.ts';
import type { CompiledForward } from '../../proxy/route/compiled-route.ts';
import { emptyRetryPolicy } from '../../proxy/route/retry-policy.ts';
import type { MatchContext } from '../../proxy/route/route-match.ts';
import { compileRouteTable } from '../../proxy/route/route-table.ts';

export const noMutations: HeaderMutations = { requestAdd: [], requestRemove: [], responseAdd: [], responseRemove: [] };

export function addition(name: string, value: string, options: Partial<HeaderAddition> = {}): HeaderAddition {
  return { name, value, action: 'append', keepEmptyValue: false, ...options };
}

export function routeMatch(path: RouteMatch['path'], options: Partial<RouteMatch> = {}): RouteMatch {
  return { path, caseSensitive: true, headers: [], queryParameters: [], grpc: false, ...options };
}

export const anyPath: RouteMatch = routeMatch({ kind: 'prefix', value: '/' });

export function forwardAction(options: Partial<ForwardAction> = {}): ForwardAction {
  return {
    kind: 'forward',
    target: { kind: 'cluster', name: 'service' },
    clusterNotFoundStatus: 503,
    appendForwardedHost: false,
    timeoutMs: 15_000,
    priority: 'default',
    upgrades: {},
    metadataMatch: {},
    ...options,
  };
}

export function route(options: Partial<Route> = {}): Route {
  return {
    name: '',
    match: anyPath,
    action: forwardAction(),
    headers: noMutations,
    metadata: {},
    statPrefix: '',
    perFilterConfig: {},
    ...options,
  };
}

export function virtualHost(options: Partial<VirtualHost> = {}): VirtualHost {
  return {
    name: 'all',
    domains: ['*'],
    routes: [route()],
    requireTls: 'none',
    headers: noMutations,
    includeRequestAttemptCount: false,
    includeAttemptCountInResponse: false,
    perFilterConfig: {},
    ...options,
  };
}

export function routeConfiguration(options: Partial<RouteConfiguration> = {}): RouteConfiguration {
  return {
    name: 'routes',
    virtualHosts: [virtualHost()],
    headers: noMutations,
    internalOnlyHeaders: [],
    mostSpecificHeaderMutationsWins: false,
    ignorePortInHostMatching: false,
    maxDirectResponseBodyBytes: 4096,
    ...options,
  };
}

export function retryPolicy(options: Partial<RetryPolicy> = {}): RetryPolicy {
  return { ...emptyRetryPolicy, ...options };
}

export function headerMatcher(
  name: string,
  match: HeaderMatcher['match'],
  options: Partial<HeaderMatcher> = {},
): HeaderMatcher {
  return { name, match, invert: false, treatMissingAsEmpty: false, ...options };
}

export function exactly(value: string): StringMatcher {
  return { kind: 'exact', value, ignoreCase: false };
}

export interface RequestParts {
  readonly method?: string;
  readonly path?: string;
  readonly authority?: string;
  readonly scheme?: 'http' | 'https';
  readonly headers?: readonly (readonly [string, string])[];
}

/** A head as the codec would leave it: the authority is also the Host field. */
export function request(parts: RequestParts = {}): RequestHead {
  const head = new RequestHead();
  head.method = parts.method ?? 'GET';
  head.path = parts.path ?? '/';
  head.authority = parts.authority ?? 'shop.example';
  head.scheme = parts.scheme ?? 'http';
  if (head.authority !== '') head.headers.append('Host', head.authority);
  for (const [name, value] of parts.headers ?? []) head.headers.append(name, value);
  return head;
}

export function response(status: number, headers: readonly (readonly [string, string])[] = []): ResponseHead {
  const head = new ResponseHead();
  head.status = status;
  for (const [name, value] of headers) head.headers.append(name, value);
  return head;
}

/** The fields of a head as lines, in order. */
export function lines({ headers }: RequestHead | ResponseHead): readonly string[] {
  const found: string[] = [];
  for (let row = 0; row < headers.rowCount; row++) {
    if (!headers.isRemoved(row)) found.push(`${headers.name(row)}: ${headers.value(row)}`);
  }
  return found;
}

/** A context whose random numbers are the given ones in turn, over and over. */
export function matchContext(
  draws: readonly number[] = [0],
  runtime: ReadonlyMap<string, string | number | boolean> = new Map(),
): MatchContext {
  let next = 0;
  return { random: () => draws[next++ % draws.length]!, runtime };
}

/** The compiled action of a single route that takes every request. */
export function forward(action: Partial<ForwardAction>, options: Partial<Route> = {}): CompiledForward {
  const config = routeConfiguration({
    virtualHosts: [virtualHost({ routes: [route({ ...options, action: forwardAction(action) })] })],
  });
  const found = compileRouteTable(config, { suppressEnvoyHeaders: false }).match(request(), matchContext());
  if (found?.action.kind !== 'forward') throw new Error('the route does not forward');
  return found.action;
}

// From the configuration of one route to what requests use.

import type { HeaderMutations, PerFilterConfig, Route, RouteAction, WeightedCluster } from '../../config/route.ts';
import { CompiledForward, type CompiledRoute, createRoute, type RouteScope } from './compiled-route.ts';
import { compileCors } from './cors.ts';
import { CompiledDirectResponse } from './direct-response.ts';
import { type CompiledHeaderMutation, compileHeaderMutation } from './header-mutation.ts';
import { CompiledRedirect } from './redirect.ts';
import type { RequestCookies } from './request-cookies.ts';
import { CompiledRouteMatch } from './route-match.ts';
import { WeightedRoutes } from './weighted-routes.ts';

export interface CompileContext {
  /** The router's `suppress_envoy_headers`. */
  readonly suppressEnvoyHeaders: boolean;
  /** The name of the CORS filter; undefined without one. */
  readonly corsFilter?: string | undefined;
}

/** A route of a virtual host: when it is taken, and what is taken then. */
export type RouteEntry = { readonly match: CompiledRouteMatch } & (
  | { readonly route: CompiledRoute; readonly weighted: null }
  | { readonly route: null; readonly weighted: WeightedRoutes }
);

/** `cookies` are those of the virtual host's requests. */
export function compileRoute(
  config: Route,
  virtualHost: RouteScope,
  context: CompileContext,
  cookies?: RequestCookies,
): RouteEntry {
  const match = new CompiledRouteMatch(config.match, cookies);
  const target = config.action.kind === 'forward' ? config.action.target : null;
  const compileFor = (weighted: WeightedCluster | undefined) => {
    const levels = mutationLevels(config, virtualHost, weighted);
    return createRoute({
      config,
      virtualHost,
      action: compileAction(config.action, { match, virtualHost, context, weighted, levels }),
      responseMutation: compileHeaderMutation(
        levels.map(({ responseAdd, responseRemove }) => ({ add: responseAdd, remove: responseRemove })),
      ),
      // Redirects and direct responses are no resource that pages of other origins read, as in Envoy.
      cors: target === null ? null : compileCors(filterLevels(config, virtualHost, weighted), context.corsFilter),
    });
  };
  if (target?.kind !== 'weighted') return { match, route: compileFor(undefined), weighted: null };
  return { match, route: null, weighted: new WeightedRoutes(target, target.clusters.map(compileFor)) };
}

/** The answer to a plain request at a virtual host that requires TLS: the same URL with https. */
export function compileTlsRedirect(virtualHost: RouteScope): CompiledRoute {
  const action = { kind: 'redirect', status: 301, https: true, stripQuery: false } as const;
  const match = {
    path: { kind: 'prefix', value: '' },
    caseSensitive: true,
    grpc: false,
    headers: [],
    queryParameters: [],
  } as const;
  const config: Route = {
    name: '',
    match,
    action,
    headers: { requestAdd: [], requestRemove: [], responseAdd: [], responseRemove: [] },
    metadata: {},
    statPrefix: '',
    perFilterConfig: {},
  };
  const compiled = new CompiledRedirect(action, new CompiledRouteMatch(match).path);
  return createRoute({ config, virtualHost, action: compiled, responseMutation: null, cors: null });
}

interface ActionParts {
  readonly match: CompiledRouteMatch;
  readonly virtualHost: RouteScope;
  readonly context: CompileContext;
  readonly weighted: WeightedCluster | undefined;
  readonly levels: readonly HeaderMutations[];
}

function compileAction(action: RouteAction, parts: ActionParts): CompiledRoute['action'] {
  switch (action.kind) {
    case 'forward':
      return new CompiledForward({
        config: action,
        weighted: parts.weighted,
        match: parts.match.path,
        virtualHost: parts.virtualHost,
        requestMutation: requestMutation(parts.levels),
        suppressEnvoyHeaders: parts.context.suppressEnvoyHeaders,
      });
    case 'redirect':
      return new CompiledRedirect(action, parts.match.path);
    case 'direct-response':
      return new CompiledDirectResponse(action);
  }
}

function requestMutation(levels: readonly HeaderMutations[]): CompiledHeaderMutation | null {
  return compileHeaderMutation(
    levels.map(({ requestAdd, requestRemove }) => ({ add: requestAdd, remove: requestRemove })),
  );
}

/** The nearest to the request first. */
function filterLevels(
  { perFilterConfig }: Route,
  { config, routeConfiguration }: RouteScope,
  weighted: WeightedCluster | undefined,
): readonly PerFilterConfig[] {
  const levels = [perFilterConfig, config.perFilterConfig];
  if (routeConfiguration.perFilterConfig !== undefined) levels.push(routeConfiguration.perFilterConfig);
  return weighted === undefined ? levels : [weighted.perFilterConfig, ...levels];
}

// The last level has the last word: by default the route configuration, otherwise the route. A weighted cluster is
// always first.
function mutationLevels(
  config: Route,
  { config: virtualHost, routeConfiguration }: RouteScope,
  weighted: WeightedCluster | undefined,
): readonly HeaderMutations[] {
  const levels = [config.headers, virtualHost.headers, routeConfiguration.headers];
  if (routeConfiguration.mostSpecificHeaderMutationsWins) levels.reverse();
  return weighted === undefined ? levels : [weighted.headers, ...levels];
}

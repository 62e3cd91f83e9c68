// Where the routes of a connection manager come from: written in place, or held by a control plane under a name.

import type { RouteSource } from '../config/http-connection-manager.ts';
import type { Problems } from '../config/problems.ts';
import { decodeRouteConfiguration } from './decode-route.ts';
import type { HttpConnectionManager } from './generated/messages.ts';

/** Undefined when there is none that could be read. */
export function decodeRouteSource(message: HttpConnectionManager, problems: Problems): RouteSource | undefined {
  if (message.routeConfig === undefined) return undefined;
  return { kind: 'inline', routes: decodeRouteConfiguration(message.routeConfig, problems.at('route_config')) };
}

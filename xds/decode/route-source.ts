// Where the routes of a connection manager come from: written in place, or held by a control plane under a name.

import type { RouteSource } from '../../config/http-connection-manager.ts';
import type { Problems } from '../../config/problems.ts';
import type { HttpConnectionManager, Rds } from '../generated/messages.ts';
import { decodeConfigSource } from './config-source.ts';
import { decodeRouteConfiguration } from './route.ts';

/** Undefined when there is none that could be read. */
export function decodeRouteSource(message: HttpConnectionManager, problems: Problems): RouteSource | undefined {
  if (message.rds !== undefined) return decodeRds(message.rds, problems.at('rds'));
  if (message.routeConfig === undefined) return undefined;
  if (message.routeConfig.vhds !== undefined) {
    problems.at('route_config').at('vhds').unsupported('vhds of routes that are written in place', 'write rds');
  }
  return { kind: 'inline', routes: decodeRouteConfiguration(message.routeConfig, problems.at('route_config')) };
}

function decodeRds(message: Rds, problems: Problems): RouteSource | undefined {
  const name = message.routeConfigName ?? '';
  if (name === '') problems.at('route_config_name').add('route_config_name is required: it is what is asked for');
  const source = message.configSource && decodeConfigSource(message.configSource, problems.at('config_source'));
  return source && { kind: 'rds', name, source };
}

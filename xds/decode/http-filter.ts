// HTTP filters. Those without effect are left out, so that they cost nothing per request; Istio's, the CORS filter and on_demand are
// in files of their own.

import type { HttpFilter, RouterFilter } from '../../config/http-connection-manager.ts';
import type { Problems } from '../../config/problems.ts';
import type { HttpFilter as HttpFilterMessage, Router } from '../generated/messages.ts';
import { decodeAccessLogs } from './access-log.ts';
import { isCorsFilter } from './cors.ts';
import { type Extension, extensionType, isInertFilter } from './extension.ts';
import { isIstioHttpFilter } from './istio-filter.ts';
import { isOnDemandFilter } from './on-demand.ts';

const routerType = 'envoy.extensions.filters.http.router.v3.Router';
const httpFilter = {
  what: 'HTTP filter',
  known: [routerType],
  instead: 'only the router, CORS and on_demand, and those of Istio are: keep on Envoy what needs it',
} as const;

/** Filters in order. The router has to be there once, and last. */
export function decodeHttpFilters(
  messages: readonly HttpFilterMessage[] | undefined,
  problems: Problems,
): readonly HttpFilter[] {
  const filters: HttpFilter[] = [];
  const last = (messages?.length ?? 0) - 1;
  for (const [index, message] of (messages ?? []).entries()) {
    if (isBesideRouter(message)) continue;
    const type = extensionType(message, httpFilter, problems.item(index));
    if (type === undefined) continue;
    if (index !== last) problems.item(index).add('the router must be the last HTTP filter');
    filters.push(decodeRouterFilter(message, problems.item(index).at('typed_config')));
  }
  const endsWithRouter = messages?.[last]?.typedConfig?.typeName === routerType;
  if (!endsWithRouter) problems.add(`the last HTTP filter must be the router (${routerType})`);
  return filters;
}

/** Without effect, or part of what the connection manager does. */
function isBesideRouter(filter: Extension): boolean {
  return (
    isInertFilter(filter, 'HTTP filter') ||
    isIstioHttpFilter(filter) ||
    isCorsFilter(filter) ||
    isOnDemandFilter(filter)
  );
}

/** Whether a configuration of this type is one of an HTTP filter that is supported. */
export function isHttpFilterType(typeName: string): boolean {
  return typeName === routerType || isBesideRouter({ typedConfig: { typeUrl: '', typeName, message: {} } });
}

function decodeRouterFilter(message: HttpFilterMessage, problems: Problems): HttpFilter {
  const config = decodeRouter(message.typedConfig?.message as Router, problems);
  return { kind: 'router', name: message.name ?? '', config };
}

function decodeRouter(message: Router, problems: Problems): RouterFilter {
  return {
    dynamicStats: message.dynamicStats ?? true,
    suppressEnvoyHeaders: message.suppressEnvoyHeaders ?? false,
    respectExpectedRqTimeout: message.respectExpectedRqTimeout ?? false,
    startChildSpan: message.startChildSpan ?? false,
    strictCheckHeaders: message.strictCheckHeaders ?? [],
    upstreamAccessLogs: decodeAccessLogs(message.upstreamLog, problems.at('upstream_log')),
  };
}

// Route configurations, virtual hosts and routes (`config.route.v3`).

import type { ConfigSource } from '../../config/config-source.ts';
import type { Problems } from '../../config/problems.ts';
import type { PerFilterConfig, Route, RouteConfiguration, RouteMatch, VirtualHost } from '../../config/route.ts';
import type {
  RouteConfiguration as RouteConfigurationMessage,
  RouteMatch as RouteMatchMessage,
  Route as RouteMessage,
  Vhds,
  VirtualHost as VirtualHostMessage,
} from '../generated/messages.ts';
import { decodeConfigSource } from './config-source.ts';
import { decodeMetadata } from './endpoint.ts';
import { given } from './given.ts';
import { decodeHeaderMutations } from './header-mutation.ts';
import {
  decodeCookieMatchers,
  decodeHeaderMatchers,
  decodeQueryParameterMatchers,
  decodeRuntimeFraction,
} from './matcher.ts';
import { decodePathMatchPolicy } from './path-policy.ts';
import { decodePerFilterConfig } from './per-filter-config.ts';
import { decodeRegex } from './regex.ts';
import { decodeRetryPolicy } from './retry-policy.ts';
import { decodeRouteAction } from './route-action.ts';
import { SharedParts } from './shared-parts.ts';
import { decodeDecorator, decodeRouteTracing } from './tracing.ts';

/** Envoy's default of `max_direct_response_body_size_bytes`. */
export const defaultMaxDirectResponseBodyBytes = 4096;

export function decodeRouteConfiguration(message: RouteConfigurationMessage, problems: Problems): RouteConfiguration {
  const maxDirectResponseBodyBytes = message.maxDirectResponseBodySizeBytes ?? defaultMaxDirectResponseBodyBytes;
  const virtualHosts: VirtualHost[] = [];
  const hostProblems = problems.at('virtual_hosts');
  for (const [index, host] of (message.virtualHosts ?? []).entries()) {
    virtualHosts.push(decodeVirtualHost(host, maxDirectResponseBodyBytes, hostProblems.item(index)));
  }
  checkUniqueDomains(virtualHosts, hostProblems);
  const source = message.vhds && decodeHostSource(message.vhds, problems.at('vhds').at('config_source'));
  return {
    name: message.name ?? '',
    virtualHosts,
    headers: decodeHeaderMutations(message, problems),
    internalOnlyHeaders: (message.internalOnlyHeaders ?? []).map((name) => name.toLowerCase()),
    mostSpecificHeaderMutationsWins: message.mostSpecificHeaderMutationsWins ?? false,
    ignorePortInHostMatching: message.ignorePortInHostMatching ?? false,
    maxDirectResponseBodyBytes,
    ...given('perFilterConfig', message.typedPerFilterConfig && perFilterConfigOf(message, problems)),
    ...given('virtualHostSource', source),
  };
}

/** A type whose names are not known ahead can be told by changes only. */
function decodeHostSource({ configSource }: Vhds, problems: Problems): ConfigSource | undefined {
  if (configSource === undefined) return undefined;
  const source = decodeConfigSource(configSource, problems);
  if (source?.kind === 'path') problems.unsupported('VHDS from a file', 'write ads or api_config_source');
  if (source?.kind === 'grpc' && source.api.protocol !== 'delta') {
    problems.at('api_config_source').at('api_type').unsupported('VHDS by the state of the world', 'write DELTA_GRPC');
  }
  return source;
}

function checkUniqueDomains(virtualHosts: readonly VirtualHost[], problems: Problems): void {
  const seen = new Map<string, string>();
  for (const [index, { domains }] of virtualHosts.entries()) {
    for (const [position, domain] of domains.entries()) {
      const first = seen.get(domain);
      if (first === undefined) seen.set(domain, `virtual_hosts[${index}].domains[${position}]`);
      else
        problems
          .item(index)
          .at('domains')
          .item(position)
          .add(`domain ${JSON.stringify(domain)} exists already: ${first}`);
    }
  }
}

const tlsRequirements = { NONE: 'none', EXTERNAL_ONLY: 'external-only', ALL: 'all' } as const;

export function decodeVirtualHost(message: VirtualHostMessage, maxBodyBytes: number, problems: Problems): VirtualHost {
  const routes: Route[] = [];
  for (const [index, route] of (message.routes ?? []).entries()) {
    const decoded = decodeRoute(route, maxBodyBytes, problems.at('routes').item(index));
    if (decoded !== undefined) routes.push(decoded);
  }
  return {
    name: message.name ?? '',
    domains: (message.domains ?? []).map((domain) => domain.toLowerCase()),
    routes,
    requireTls: tlsRequirements[message.requireTls ?? 'NONE'],
    headers: decodeHeaderMutations(message, problems),
    includeRequestAttemptCount: message.includeRequestAttemptCount ?? false,
    includeAttemptCountInResponse: message.includeAttemptCountInResponse ?? false,
    ...given('retryPolicy', message.retryPolicy && decodeRetryPolicy(message.retryPolicy, problems.at('retry_policy'))),
    perFilterConfig: perFilterConfigOf(message, problems),
    ...given('metadata', message.metadata?.filterMetadata),
  };
}

function perFilterConfigOf(
  message: RouteConfigurationMessage | VirtualHostMessage | RouteMessage,
  problems: Problems,
): PerFilterConfig {
  return decodePerFilterConfig(message.typedPerFilterConfig, problems.at('typed_per_filter_config'));
}

function decodeRoute(message: RouteMessage, maxBodyBytes: number, problems: Problems): Route | undefined {
  const match = message.match && decodeRouteMatch(message.match, problems.at('match'));
  const action = decodeRouteAction(message, maxBodyBytes, problems);
  const headers = decodeHeaderMutations(message, problems);
  const perFilterConfig = perFilterConfigOf(message, problems);
  const tracing = message.tracing && decodeRouteTracing(message.tracing, problems.at('tracing'));
  if (match === undefined || action === undefined) return undefined;
  return {
    name: message.name ?? '',
    match,
    action,
    headers,
    metadata: decodeMetadata(message.metadata),
    statPrefix: message.statPrefix ?? '',
    perFilterConfig,
    ...given('decorator', message.decorator && decodeDecorator(message.decorator)),
    ...given('tracing', tracing),
  };
}

const sharedMatches = new SharedParts<RouteMatch>();

function decodeRouteMatch(message: RouteMatchMessage, problems: Problems): RouteMatch | undefined {
  const path = decodePath(message, problems);
  const headers = decodeHeaderMatchers(message.headers, problems.at('headers'));
  const queryParameters = decodeQueryParameterMatchers(message.queryParameters, problems.at('query_parameters'));
  if (path === undefined) return undefined;
  return sharedMatches.share({
    path,
    caseSensitive: message.caseSensitive ?? true,
    headers,
    queryParameters,
    ...given('cookies', message.cookies && decodeCookieMatchers(message.cookies, problems.at('cookies'))),
    ...given('runtimeFraction', message.runtimeFraction && decodeRuntimeFraction(message.runtimeFraction)),
    grpc: message.grpc !== undefined,
  });
}

function decodePath(message: RouteMatchMessage, problems: Problems): RouteMatch['path'] | undefined {
  if (message.prefix !== undefined) return { kind: 'prefix', value: message.prefix };
  if (message.path !== undefined) return { kind: 'path', value: message.path };
  if (message.pathSeparatedPrefix !== undefined) {
    return { kind: 'path-separated-prefix', value: message.pathSeparatedPrefix };
  }
  if (message.connectMatcher !== undefined) return { kind: 'connect' };
  if (message.pathMatchPolicy !== undefined) {
    const template = decodePathMatchPolicy(message.pathMatchPolicy, problems.at('path_match_policy'));
    return template && { kind: 'regex', regex: template.regex };
  }
  const regex = decodeRegex(message.safeRegex, problems.at('safe_regex'));
  return regex === undefined ? undefined : { kind: 'regex', regex };
}

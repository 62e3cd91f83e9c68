// Policies of the CORS filter.

import type { CorsPolicy } from '../../config/cors.ts';
import type { StringMatcher } from '../../config/matcher.ts';
import type { Problems } from '../../config/problems.ts';
import type { CorsPolicy as Message } from '../generated/messages.ts';
import { given } from './given.ts';
import { findOnce, type WrittenFilter } from './istio-filter.ts';
import { decodeRuntimeFraction, decodeStringMatcher } from './matcher.ts';

export const corsPolicyType = 'envoy.extensions.filters.http.cors.v3.CorsPolicy';
const corsFilterType = 'envoy.extensions.filters.http.cors.v3.Cors';

export function isCorsFilter({ typedConfig }: WrittenFilter): boolean {
  return typedConfig?.typeName === corsFilterType;
}

/** Under which name routes configure the filter; undefined without it. `problems` is at `http_filters`. */
export function decodeCorsFilter(
  messages: readonly WrittenFilter[] | undefined,
  problems: Problems,
): string | undefined {
  return findOnce(messages, [corsFilterType], problems)?.name;
}

/** With problems the value is of no use. */
export function decodeCorsPolicy(message: Message, problems: Problems): CorsPolicy {
  const { filterEnabled } = message;
  return {
    allowedOrigins: decodeOrigins(message, problems.at('allow_origin_string_match')),
    allowMethods: headerValue(message.allowMethods, problems.at('allow_methods')),
    allowHeaders: headerValue(message.allowHeaders, problems.at('allow_headers')),
    exposeHeaders: headerValue(message.exposeHeaders, problems.at('expose_headers')),
    maxAge: headerValue(message.maxAge, problems.at('max_age')),
    ...given('allowCredentials', message.allowCredentials),
    ...given('allowPrivateNetworkAccess', message.allowPrivateNetworkAccess),
    ...given('forwardNotMatchingPreflights', message.forwardNotMatchingPreflights),
    ...given('enabled', filterEnabled && decodeRuntimeFraction(filterEnabled)),
  };
}

function decodeOrigins({ allowOriginStringMatch: written = [] }: Message, problems: Problems): StringMatcher[] {
  const origins = written.map((matcher, index) => decodeStringMatcher(matcher, problems.item(index)));
  return origins.filter((matcher) => matcher !== undefined);
}

/** It is written into responses as it is. */
function headerValue(value = '', problems: Problems): string {
  if (/[^\t\x20-\x7e]/.test(value)) problems.add('is the value of a header, which has no such characters');
  return value;
}

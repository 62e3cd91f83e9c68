// What a route says to pages of other origins, as in Envoy's CORS filter. Of each field the level that is nearest to the
// request and sets it counts.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/cors_filter

import type { CorsPolicy } from '../../config/cors.ts';
import type { RuntimeFraction } from '../../config/matcher.ts';
import type { PerFilterConfig } from '../../config/route.ts';
import { headerName } from '../http/header-name.ts';
import { type EncodedLine, encodeLine, type HeaderTable } from '../http/header-table.ts';
import { isEnabled, type MatchContext } from './route-match.ts';
import { compileStringMatcher, type StringPredicate } from './string-matcher.ts';

/** Null when a route has no policy, or no filter that would follow it. The nearest level is the first. */
export function compileCors(levels: readonly PerFilterConfig[], filter: string | undefined): CompiledCors | null {
  if (filter === undefined) return null;
  const configs = levels.map((level) => level[filter]).filter((config) => config !== undefined);
  if (configs[0]?.disabled) return null;
  const policies = configs.map(({ cors }) => cors).filter((cors) => cors !== undefined);
  return policies.length === 0 ? null : new CompiledCors(policies);
}

export class CompiledCors {
  readonly forwardsOtherPreflights: boolean;
  readonly allowsPrivateNetwork: boolean;
  readonly #enabled: RuntimeFraction | undefined;
  readonly #origins: readonly StringPredicate[];
  readonly #allowsAny: boolean;
  /** Null where there is nothing to say. */
  readonly #credentials: EncodedLine | null;
  readonly #exposed: EncodedLine | null;
  readonly #preflight: readonly EncodedLine[];

  constructor(policies: readonly CorsPolicy[]) {
    this.#enabled = policies[0]!.enabled;
    const origins =
      nearest(policies, ({ allowedOrigins }) => (allowedOrigins.length > 0 ? allowedOrigins : undefined)) ?? [];
    this.#origins = origins.map(compileStringMatcher);
    this.#allowsAny = this.#origins.some((matches) => matches('*'));
    this.forwardsOtherPreflights = nearest(policies, (each) => each.forwardNotMatchingPreflights) ?? true;
    this.allowsPrivateNetwork = nearest(policies, (each) => each.allowPrivateNetworkAccess) ?? false;
    const allowsCredentials = nearest(policies, (each) => each.allowCredentials) ?? false;
    const text = (read: (policy: CorsPolicy) => string) => nearest(policies, (each) => read(each) || undefined) ?? '';
    this.#credentials = line('access-control-allow-credentials', allowsCredentials ? 'true' : '');
    this.#exposed = line(
      'access-control-expose-headers',
      text((each) => each.exposeHeaders),
    );
    this.#preflight = [
      line(
        'access-control-allow-methods',
        text((each) => each.allowMethods),
      ),
      line(
        'access-control-allow-headers',
        text((each) => each.allowHeaders),
      ),
      line(
        'access-control-max-age',
        text((each) => each.maxAge),
      ),
    ].filter((each) => each !== null);
  }

  /** Whether the policy counts for a request. */
  isEnabled(context: MatchContext): boolean {
    return this.#enabled === undefined || isEnabled(this.#enabled, context.random(), context);
  }

  allows(origin: string): boolean {
    if (this.#allowsAny) return true;
    for (let index = 0; index < this.#origins.length; index++) if (this.#origins[index]!(origin)) return true;
    return false;
  }

  /** What else the answer to a preflight says, whether its origin is allowed or not. */
  addToPreflight(headers: HeaderTable): void {
    if (this.#credentials !== null) headers.appendLine(this.#credentials);
    for (let index = 0; index < this.#preflight.length; index++) headers.appendLine(this.#preflight[index]!);
  }

  /** Of every response to an origin that is allowed. What the endpoint says of it does not count. */
  addToResponse(headers: HeaderTable, origin: string): void {
    headers.set(allowOrigin, origin);
    replace(headers, allowCredentials, this.#credentials);
    replace(headers, exposeHeaders, this.#exposed);
  }
}

const allowOrigin = headerName('access-control-allow-origin');
const allowCredentials = headerName('access-control-allow-credentials');
const exposeHeaders = headerName('access-control-expose-headers');

function replace(headers: HeaderTable, name: typeof allowOrigin, replacement: EncodedLine | null): void {
  if (replacement === null) return;
  headers.remove(name);
  headers.appendLine(replacement);
}

function line(name: string, value: string): EncodedLine | null {
  return value === '' ? null : encodeLine(name, value);
}

/** Of the first policy that has one. */
function nearest<T>(policies: readonly CorsPolicy[], read: (policy: CorsPolicy) => T | undefined): T | undefined {
  for (const policy of policies) {
    const value = read(policy);
    if (value !== undefined) return value;
  }
  return undefined;
}

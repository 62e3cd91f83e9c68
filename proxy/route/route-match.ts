// Everything that must hold for a request to take a route, and the sentence that says what did not.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto#config-route-v3-routematch

import type { RuntimeFraction } from '../../config/matcher.ts';
import type { Random } from '../../config/random.ts';
import type { RouteMatch } from '../../config/route.ts';
import { toByteString } from '../format/byte-string.ts';
import { HeaderId } from '../http/header-name.ts';
import type { RequestHead } from '../http/message.ts';
import { CompiledCookieMatcher } from './cookie-matcher.ts';
import { CompiledHeaderMatcher } from './header-matcher.ts';
import type { LiteralPathKind } from './path-index.ts';
import { PathMatch } from './path-match.ts';
import { CompiledQueryParameterMatcher } from './query-parameter-matcher.ts';
import { RequestCookies } from './request-cookies.ts';

/** What a match may look at besides the request. Owned by the worker; replaced values are seen by the next request. */
export interface MatchContext {
  readonly random: Random;
  readonly runtime: ReadonlyMap<string, string | number | boolean>;
}

export class CompiledRouteMatch {
  readonly path: PathMatch;
  readonly #config: RouteMatch;
  readonly #headers: readonly CompiledHeaderMatcher[];
  readonly #queryParameters: readonly CompiledQueryParameterMatcher[];
  /** Null where no cookie is looked at. */
  readonly #cookies: readonly CompiledCookieMatcher[] | null;

  /** `cookies` are those of the virtual host's requests. */
  constructor(config: RouteMatch, cookies: RequestCookies = new RequestCookies()) {
    this.#config = config;
    this.path = new PathMatch(config.path, config.caseSensitive);
    this.#headers = config.headers.map((matcher) => new CompiledHeaderMatcher(matcher));
    this.#queryParameters = config.queryParameters.map((matcher) => new CompiledQueryParameterMatcher(matcher));
    this.#cookies = config.cookies?.map((matcher) => new CompiledCookieMatcher(matcher, cookies)) ?? null;
  }

  /** The path when it alone decides and an index can hold it; null otherwise. */
  get literalPath(): { readonly kind: LiteralPathKind; readonly value: string } | null {
    const { path, caseSensitive, runtimeFraction, grpc, headers, queryParameters } = this.#config;
    if (path.kind === 'regex' || path.kind === 'connect' || !caseSensitive) return null;
    if (grpc || runtimeFraction !== undefined || headers.length > 0 || queryParameters.length > 0) return null;
    if (this.#cookies !== null) return null;
    return { kind: path.kind, value: toByteString(path.value) };
  }

  /**
   * `path` is the path without query; `draw` is a uniform number in [0, 1), the same for every route of one request, so
   * that routes with growing fractions share out the requests as in Envoy.
   */
  matches(head: RequestHead, path: string, draw: number, context: MatchContext): boolean {
    const config = this.#config;
    if (!this.#matchesForm(head) || !this.path.matches(path)) return false;
    if (config.grpc && !isGrpc(head)) return false;
    for (const header of this.#headers) if (!header.matchesRequest(head)) return false;
    for (const parameter of this.#queryParameters) if (!parameter.matches(head.path)) return false;
    if (this.#cookies !== null && !this.#matchesCookies(head)) return false;
    return config.runtimeFraction === undefined || isEnabled(config.runtimeFraction, draw, context);
  }

  #matchesCookies(head: RequestHead): boolean {
    for (const cookie of this.#cookies!) if (!cookie.matches(head.headers)) return false;
    return true;
  }

  /** The first condition that the request does not meet, as a sentence; null when it meets all. Not for the data path. */
  explain(head: RequestHead, path: string, draw: number, context: MatchContext): string | null {
    const { path: expected, grpc, runtimeFraction } = this.#config;
    if (!this.#matchesForm(head)) {
      return expected.kind === 'connect' ? `method ${head.method} is not CONNECT` : 'a CONNECT request has no path';
    }
    if (!this.path.matches(path)) {
      return `path ${path} does not match ${expected.kind} ${'value' in expected ? expected.value : this.#regexText()}`;
    }
    if (grpc && !isGrpc(head)) return 'content-type is not application/grpc';
    for (const header of this.#headers) {
      if (!header.matchesRequest(head)) return `header matcher ${JSON.stringify(header.config)} does not match`;
    }
    for (const parameter of this.#queryParameters) {
      if (!parameter.matches(head.path)) {
        return `query parameter matcher ${JSON.stringify(parameter.config)} does not match`;
      }
    }
    for (const cookie of this.#cookies ?? []) {
      if (!cookie.matches(head.headers)) return `cookie matcher ${JSON.stringify(cookie.config)} does not match`;
    }
    if (runtimeFraction !== undefined && !isEnabled(runtimeFraction, draw, context)) {
      return `this request is not among the ${runtimeFraction.numerator}/${runtimeFraction.denominator} of runtime_fraction`;
    }
    return null;
  }

  #regexText(): string {
    return this.#config.path.kind === 'regex' ? this.#config.path.regex : '';
  }

  // A CONNECT request has no path: only a connect matcher can take it, and that takes nothing else.
  #matchesForm(head: RequestHead): boolean {
    return this.#config.path.kind === 'connect' ? head.method === 'CONNECT' : head.path !== '';
  }
}

/** `application/grpc`, alone or with a `+suffix`. */
export function isGrpc(head: RequestHead): boolean {
  const row = head.headers.findId(HeaderId.contentType);
  if (row < 0) return false;
  const value = head.headers.value(row);
  return value.startsWith('application/grpc') && (value.length === 16 || value.charCodeAt(16) === 0x2b);
}

/** A runtime number overrides the fraction and is in percent, as in Envoy. */
export function isEnabled(fraction: RuntimeFraction, draw: number, context: MatchContext): boolean {
  const override = fraction.runtimeKey === undefined ? undefined : context.runtime.get(fraction.runtimeKey);
  if (typeof override === 'number') return draw * 100 < override;
  return draw * fraction.denominator < fraction.numerator;
}

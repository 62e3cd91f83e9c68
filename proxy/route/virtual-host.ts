// A virtual host: its routes in order, with an index over those whose path alone decides. It is compiled when its first
// request comes, because of thousands of virtual hosts in a mesh a sidecar sees a few.

import type { RouteConfiguration, VirtualHost } from '../../config/route.ts';
import { HeaderId } from '../http/header-name.ts';
import type { RequestHead } from '../http/message.ts';
import type { CompiledRoute } from './compiled-route.ts';
import { noRoute, PathIndex } from './path-index.ts';
import { pathEnd } from './path-match.ts';
import { forwardedScheme } from './redirect.ts';
import { RequestCookies } from './request-cookies.ts';
import { type CompileContext, compileRoute, compileTlsRedirect, type RouteEntry } from './route-compiler.ts';
import type { MatchContext } from './route-match.ts';

/** Why a route was not taken, or that it was. */
export interface RouteVerdict {
  readonly route: string;
  /** The condition that failed; null for the route that was taken. */
  readonly rejection: string | null;
}

export class CompiledVirtualHost {
  readonly config: VirtualHost;
  readonly routeConfiguration: RouteConfiguration;
  readonly #context: CompileContext;
  #compiled: CompiledRoutes | null = null;

  constructor(config: VirtualHost, routeConfiguration: RouteConfiguration, context: CompileContext) {
    this.config = config;
    this.routeConfiguration = routeConfiguration;
    this.#context = context;
  }

  /** The first route that matches; null when none does. */
  match(head: RequestHead, context: MatchContext): CompiledRoute | null {
    const compiled = this.#routes();
    if (compiled.tlsRedirect !== null && this.#needsTls(head)) return compiled.tlsRedirect;
    const { entries, index, others } = compiled;
    const { path } = head;
    const end = pathEnd(path);
    let found = path === '' ? noRoute : index.find(path, end);
    if (others.length > 0 && others[0]! < found) {
      const bare = end === path.length ? path : path.slice(0, end);
      const draw = compiled.hasFractions ? context.random() : 0;
      for (let at = 0; at < others.length && others[at]! < found; at++) {
        if (entries[others[at]!]!.match.matches(head, bare, draw, context)) found = others[at]!;
      }
      compiled.cookies?.forget();
    }
    if (found === noRoute) return null;
    const entry = entries[found]!;
    return entry.weighted === null ? entry.route : entry.weighted.choose(head, context);
  }

  /** Every route up to the one taken, with the reason against it. For people, not for the data path. */
  explain(head: RequestHead, context: MatchContext): readonly RouteVerdict[] {
    const { entries, tlsRedirect, cookies } = this.#routes();
    if (tlsRedirect !== null && this.#needsTls(head)) return [{ route: 'redirect to https', rejection: null }];
    const path = head.path.slice(0, pathEnd(head.path));
    const draw = context.random();
    const verdicts: RouteVerdict[] = [];
    for (const [number, { match }] of entries.entries()) {
      const rejection = match.explain(head, path, draw, context);
      verdicts.push({ route: this.config.routes[number]!.name || `routes[${number}]`, rejection });
      if (rejection === null) break;
    }
    cookies?.forget();
    return verdicts;
  }

  #needsTls(head: RequestHead): boolean {
    if (forwardedScheme(head) === 'https') return false;
    if (this.config.requireTls === 'all') return true;
    const row = head.headers.findId(HeaderId.xEnvoyInternal);
    return row < 0 || head.headers.value(row) !== 'true';
  }

  #routes(): CompiledRoutes {
    this.#compiled ??= compileRoutes(this, this.#context);
    return this.#compiled;
  }
}

interface CompiledRoutes {
  readonly entries: readonly RouteEntry[];
  /** The routes that an index can hold. */
  readonly index: PathIndex;
  /** Numbers of the other routes, ascending. */
  readonly others: readonly number[];
  /** Null where no route looks at cookies. */
  readonly cookies: RequestCookies | null;
  readonly hasFractions: boolean;
  /** Null when plain requests are welcome. */
  readonly tlsRedirect: CompiledRoute | null;
}

function compileRoutes(virtualHost: CompiledVirtualHost, context: CompileContext): CompiledRoutes {
  const { routes, requireTls } = virtualHost.config;
  const cookies = new RequestCookies();
  const entries = routes.map((route) => compileRoute(route, virtualHost, context, cookies));
  const index = new PathIndex();
  const others: number[] = [];
  for (const [number, { match }] of entries.entries()) {
    const literal = match.literalPath;
    if (literal === null) others.push(number);
    else index.add(literal.kind, literal.value, number);
  }
  return {
    entries,
    index,
    others,
    cookies: routes.some((route) => route.match.cookies !== undefined) ? cookies : null,
    hasFractions: routes.some((route) => route.match.runtimeFraction !== undefined),
    tlsRedirect: requireTls === 'none' ? null : compileTlsRedirect(virtualHost),
  };
}

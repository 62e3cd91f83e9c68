// From a request to its route: the virtual host by authority, then the first route of it that matches.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/route_matching

import type { RouteConfiguration, VirtualHost } from '../../config/route.ts';
import { portStart } from '../http/authority.ts';
import type { RequestHead } from '../http/message.ts';
import { asciiLowerCase } from './ascii-case.ts';
import type { CompiledRoute } from './compiled-route.ts';
import type { CompileContext } from './route-compiler.ts';
import type { MatchContext } from './route-match.ts';
import { CompiledVirtualHost, type RouteVerdict } from './virtual-host.ts';

/** Why a request takes the route it takes. */
export interface RouteExplanation {
  /** The virtual host's name; null when no domain covers the authority. */
  readonly virtualHost: string | null;
  readonly routes: readonly RouteVerdict[];
}

export function compileRouteTable(config: RouteConfiguration, context: CompileContext): RouteTable {
  return new RouteTable(config, context);
}

export class RouteTable {
  config: RouteConfiguration;
  readonly #exact = new Map<string, CompiledVirtualHost>();
  readonly #suffixes = new WildcardDomains();
  readonly #prefixes = new WildcardDomains();
  #default: CompiledVirtualHost | null = null;
  readonly #context: CompileContext;
  /** What virtual hosts are compiled with: without the others, so that one does not keep all alive. */
  readonly #scope: RouteConfiguration;
  #isIndexed = false;
  // Connections send many requests for one authority; comparing it is cheaper than hashing it.
  #lastAuthority: string | null = null;
  #lastVirtualHost: CompiledVirtualHost | null = null;

  constructor(config: RouteConfiguration, context: CompileContext) {
    this.config = config;
    this.#context = context;
    this.#scope = { ...config, virtualHosts: [] };
  }

  /** The virtual host of an authority (`host` or `host:port`, in any case); null when no domain covers it. */
  findVirtualHost(authority: string): CompiledVirtualHost | null {
    if (authority === this.#lastAuthority) return this.#lastVirtualHost;
    const found = this.#lookUp(authority);
    this.#lastAuthority = authority;
    this.#lastVirtualHost = found;
    return found;
  }

  /** The route of a request; null when there is none. */
  match(head: RequestHead, context: MatchContext): CompiledRoute | null {
    const virtualHost = this.findVirtualHost(head.authority);
    return virtualHost === null ? null : virtualHost.match(head, context);
  }

  /** Takes virtual hosts out and in; `config` is what that comes to, and differs in nothing else. */
  update(config: RouteConfiguration, removed: readonly VirtualHost[], added: readonly VirtualHost[]): void {
    this.config = config;
    if (!this.#isIndexed) return;
    for (const virtualHost of removed) {
      for (const domain of virtualHost.domains) this.#removeDomain(domain.toLowerCase(), virtualHost);
    }
    for (const virtualHost of added) this.#add(virtualHost);
    this.#lastAuthority = null;
    this.#lastVirtualHost = null;
  }

  /** Every decision on the way to the route. For people, not for the data path. */
  explain(head: RequestHead, context: MatchContext): RouteExplanation {
    const virtualHost = this.#lookUp(head.authority);
    if (virtualHost === null) return { virtualHost: null, routes: [] };
    return { virtualHost: virtualHost.config.name, routes: virtualHost.explain(head, context) };
  }

  // Not before the first request: of the tables that a control plane sends again and again, few are asked in between.
  #index(): void {
    this.#isIndexed = true;
    for (const virtualHost of this.config.virtualHosts) this.#add(virtualHost);
  }

  #add(virtualHost: VirtualHost): void {
    const compiled = new CompiledVirtualHost(virtualHost, this.#scope, this.#context);
    for (const domain of virtualHost.domains) this.#addDomain(domain.toLowerCase(), compiled);
  }

  // As in Envoy, of two equal domains the configuration is refused; here the first stays.
  #addDomain(domain: string, virtualHost: CompiledVirtualHost): void {
    if (domain === '*') this.#default ??= virtualHost;
    else if (domain.startsWith('*')) this.#suffixes.add(domain.slice(1), virtualHost);
    else if (domain.endsWith('*')) this.#prefixes.add(domain.slice(0, -1), virtualHost);
    else if (!this.#exact.has(domain)) this.#exact.set(domain, virtualHost);
  }

  #removeDomain(domain: string, virtualHost: VirtualHost): void {
    if (domain === '*') {
      if (this.#default?.config === virtualHost) this.#default = null;
    } else if (domain.startsWith('*')) this.#suffixes.remove(domain.slice(1), virtualHost);
    else if (domain.endsWith('*')) this.#prefixes.remove(domain.slice(0, -1), virtualHost);
    else if (this.#exact.get(domain)?.config === virtualHost) this.#exact.delete(domain);
  }

  #lookUp(authority: string): CompiledVirtualHost | null {
    if (!this.#isIndexed) this.#index();
    if (this.#exact.size === 0 && this.#suffixes.isEmpty && this.#prefixes.isEmpty) return this.#default;
    if (authority === '') return null;
    const port = this.config.ignorePortInHostMatching ? portStart(authority) : -1;
    const named = port < 0 ? authority : authority.slice(0, port);
    // Almost every client sends lower case: what is found as it stands needs no copy.
    const asWritten = this.#exact.get(named);
    if (asWritten !== undefined) return asWritten;
    const host = asciiLowerCase(named);
    return this.#exact.get(host) ?? this.#suffixes.findSuffix(host) ?? this.#prefixes.findPrefix(host) ?? this.#default;
  }
}

/** Domains with a star at one end: the longest that fits wins, and the star stands for at least one character. */
class WildcardDomains {
  readonly #virtualHosts = new Map<string, CompiledVirtualHost>();
  /** The different lengths, longest first. */
  readonly #lengths: number[] = [];

  get isEmpty(): boolean {
    return this.#virtualHosts.size === 0;
  }

  add(text: string, virtualHost: CompiledVirtualHost): void {
    if (this.#virtualHosts.has(text)) return;
    this.#virtualHosts.set(text, virtualHost);
    if (this.#lengths.includes(text.length)) return;
    this.#lengths.push(text.length);
    this.#lengths.sort((one, other) => other - one);
  }

  remove(text: string, virtualHost: VirtualHost): void {
    if (this.#virtualHosts.get(text)?.config !== virtualHost) return;
    this.#virtualHosts.delete(text);
    for (const other of this.#virtualHosts.keys()) if (other.length === text.length) return;
    this.#lengths.splice(this.#lengths.indexOf(text.length), 1);
  }

  findSuffix(host: string): CompiledVirtualHost | undefined {
    for (const length of this.#lengths) {
      if (length >= host.length) continue;
      const found = this.#virtualHosts.get(host.slice(host.length - length));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  findPrefix(host: string): CompiledVirtualHost | undefined {
    for (const length of this.#lengths) {
      if (length >= host.length) continue;
      const found = this.#virtualHosts.get(host.slice(0, length));
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

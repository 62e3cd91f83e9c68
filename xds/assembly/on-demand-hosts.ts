// Virtual hosts that requests asked for (VHDS). A host is asked for as `ROUTE_CONFIGURATION/HOST`; a virtual host that is its
// answer comes under a name of its own, with that among its aliases.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/vhds

import type { RouteConfiguration, VirtualHost } from '../../config/route.ts';
import type { OnDemandAnswers } from '../resource/resource-set.ts';
import { OnDemandNames, type OnDemandNamesOptions } from './on-demand-names.ts';

export interface OnDemandHostsOptions extends Pick<OnDemandNamesOptions, 'refuse' | 'clock'> {
  /** The accepted state of a route configuration whose virtual hosts arrive apart. */
  readonly routesNamed: (name: string) => RouteConfiguration | undefined;
  /** Of the source of that route configuration. */
  readonly subscribe: (routeName: string, alias: string) => void;
  readonly unsubscribe: (routeName: string, alias: string) => void;
  /** The accepted state of a resource. */
  readonly hostNamed: (resource: string) => VirtualHost | undefined;
  /** Takes a resource out. */
  readonly remove: (routeName: string, resource: string) => void;
  /** That a resource was refused needs not be known any more. */
  readonly forgetRefused: (routeName: string, resource: string) => void;
}

export class OnDemandHostNames implements OnDemandAnswers {
  readonly names: OnDemandNames;
  readonly #options: OnDemandHostsOptions;
  /** What each alias was answered by. */
  readonly #answers = new Map<string, string>();
  /** … and the other way round. */
  readonly #aliases = new Map<string, Set<string>>();
  /** What was refused as the answer to an alias. */
  readonly #refused = new Map<string, string>();
  /** … and to how many. */
  readonly #refusals = new Map<string, number>();

  constructor(options: OnDemandHostsOptions) {
    const { subscribe, unsubscribe, refuse, clock } = options;
    this.#options = options;
    this.names = new OnDemandNames({
      subscribe: (alias) => subscribe(routeNameOf(alias), alias),
      unsubscribe: (alias) => unsubscribe(routeNameOf(alias), alias),
      forget: (alias) => this.#forget(alias),
      refuse,
      clock,
    });
  }

  ask(routeName: string, host: string, worker: number): void {
    const alias = `${routeName}/${host}`;
    if (this.#options.routesNamed(routeName)?.virtualHostSource === undefined) {
      this.#options.refuse(alias, [worker], 'absent');
      return;
    }
    const resource = this.#answers.get(alias);
    const answer = resource === undefined ? undefined : this.#options.hostNamed(resource);
    // A later state of it has other domains.
    if (resource !== undefined && (answer === undefined || !this.#covers(answer, alias))) this.#onAliasGone(alias);
    this.names.ask(alias, worker);
  }

  leave(routeName: string, host: string, worker: number): void {
    this.names.leave(`${routeName}/${host}`, worker);
  }

  /** Its virtual hosts come from nowhere, or from elsewhere. */
  drop(routeName: string): void {
    this.names.drop((alias) => routeNameOf(alias) === routeName);
  }

  onCame(resource: string, aliases: readonly string[], isHeld: boolean): void {
    const host = isHeld ? this.#options.hostNamed(resource) : undefined;
    for (const alias of new Set([resource, ...aliases])) {
      if (!this.names.has(alias)) continue;
      this.#forgetRefused(alias, resource);
      if (!isHeld) this.#noteRefused(alias, resource);
      if (host !== undefined && this.#covers(host, alias)) {
        this.#note(alias, resource);
        this.names.onCame(alias);
      } else this.#onAliasGone(alias);
    }
  }

  isAsked(resource: string): boolean {
    return this.#aliases.has(resource);
  }

  onGone(name: string): void {
    this.#onAliasGone(name);
    for (const alias of [...(this.#aliases.get(name) ?? [])]) this.#onAliasGone(alias);
  }

  #onAliasGone(alias: string): void {
    this.#unlink(alias);
    this.names.onGone(alias);
  }

  /** Without it a request would wait for a host that is not to come. */
  #covers({ domains }: VirtualHost, alias: string): boolean {
    const ignoresPort = this.#options.routesNamed(routeNameOf(alias))?.ignorePortInHostMatching === true;
    const host = alias.slice(alias.lastIndexOf('/') + 1);
    const named = ignoresPort ? host.replace(/:\d*$/, '') : host;
    return domains.some((domain) => covers(domain, named));
  }

  #note(alias: string, resource: string): void {
    this.#unlink(alias);
    this.#answers.set(alias, resource);
    const aliases = this.#aliases.get(resource) ?? new Set();
    this.#aliases.set(resource, aliases.add(alias));
  }

  /** The virtual host goes with the last name that was answered by it. */
  #forget(alias: string): void {
    this.#forgetRefused(alias);
    const resource = this.#unlink(alias);
    if (resource !== undefined && !this.#aliases.has(resource)) this.#options.remove(routeNameOf(alias), resource);
  }

  #noteRefused(alias: string, resource: string): void {
    this.#refused.set(alias, resource);
    this.#refusals.set(resource, (this.#refusals.get(resource) ?? 0) + 1);
  }

  /** Unless it is the answer to others, too, or the one that came now: the set knows then what became of it. */
  #forgetRefused(alias: string, answer?: string): void {
    const refused = this.#refused.get(alias);
    if (refused === undefined) return;
    this.#refused.delete(alias);
    const others = this.#refusals.get(refused)! - 1;
    if (others > 0) this.#refusals.set(refused, others);
    else this.#refusals.delete(refused);
    if (others === 0 && refused !== answer) this.#options.forgetRefused(routeNameOf(alias), refused);
  }

  /** What it was answered by. */
  #unlink(alias: string): string | undefined {
    const resource = this.#answers.get(alias);
    if (resource === undefined) return undefined;
    this.#answers.delete(alias);
    const aliases = this.#aliases.get(resource)!;
    aliases.delete(alias);
    if (aliases.size === 0) this.#aliases.delete(resource);
    return resource;
  }
}

function routeNameOf(alias: string): string {
  return alias.slice(0, alias.lastIndexOf('/'));
}

function covers(domain: string, host: string): boolean {
  if (domain === '*' || domain === host) return true;
  if (domain.startsWith('*')) return host.length >= domain.length && host.endsWith(domain.slice(1));
  return domain.endsWith('*') && host.length >= domain.length && host.startsWith(domain.slice(0, -1));
}

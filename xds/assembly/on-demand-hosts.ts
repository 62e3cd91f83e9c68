// Virtual hosts that requests asked for (VHDS). A host is asked for as `ROUTE_CONFIGURATION/HOST`; a virtual host that is its
// answer comes under a name of its own, with that among its aliases.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/vhds

import type { RouteConfiguration, VirtualHost } from '../../config/route.ts';
import type { DiscoveryLog } from '../client/discovery.ts';
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
  readonly log: DiscoveryLog;
}

/** Virtual hosts that came for one alias: what came before these goes. */
const maxAnswers = 8;
/** Hosts that had to make room and are remembered: as many as are subscribed to. */
const maxLetGo = 4096;
/** Requests choose the names: they are not to fill the log. */
const strayLogIntervalMs = 10_000;

export class OnDemandHostNames implements OnDemandAnswers {
  readonly names: OnDemandNames;
  readonly #options: OnDemandHostsOptions;
  /** What came for each alias, whether it has the host or not: the newest last. It goes with the alias. */
  readonly #answers = new Map<string, Set<string>>();
  /** … and the other way round. */
  readonly #aliases = new Map<string, Set<string>>();
  /** What nobody had asked for when it came: it is for the control plane to remove. */
  readonly #pushed = new Set<string>();
  /** Aliases that had to make room, the latest last: an answer that was under way then is nothing that was pushed. */
  readonly #lastLetGo = new Set<string>();
  /** What was refused as the answer to an alias. */
  readonly #refused = new Map<string, string>();
  /** … and to how many. */
  readonly #refusals = new Map<string, number>();
  #strayLoggedMs = Number.NEGATIVE_INFINITY;
  #unloggedStrays = 0;

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
    // A later state of its answer has other domains, or is gone.
    this.#checkAnswers(alias);
    this.names.ask(alias, worker);
    if (this.names.has(alias)) this.#lastLetGo.delete(alias);
  }

  leave(routeName: string, host: string, worker: number): void {
    this.names.leave(`${routeName}/${host}`, worker);
  }

  /** Its virtual hosts come from nowhere, or from elsewhere. */
  drop(routeName: string): void {
    this.names.drop((alias) => routeNameOf(alias) === routeName);
    for (const alias of this.#lastLetGo) if (routeNameOf(alias) === routeName) this.#lastLetGo.delete(alias);
  }

  onCame(resource: string, aliases: readonly string[], isHeld: boolean): void {
    const named = [...new Set([resource, ...aliases])];
    const asked = named.filter((alias) => this.names.has(alias));
    if (asked.length === 0 && !this.#aliases.has(resource)) this.#onUnasked(resource, named, isHeld);
    for (const alias of asked) {
      this.#forgetRefused(alias, resource);
      if (isHeld) this.#link(alias, resource);
      else this.#noteRefused(alias, resource);
      if (this.#isAnswered(alias)) this.names.onCame(alias);
      else {
        this.names.onGone(alias);
        if (isHeld) this.#logStray(alias, resource);
      }
    }
  }

  /** Who asked before is to ask again; who asked since, because the name had to make room, has another answer to come. */
  onBegin(): (aliases: readonly string[]) => void {
    const { subscriptions } = this.names;
    return (aliases) => {
      for (const alias of aliases) {
        if (!this.names.isAskedSince(alias, subscriptions) && !this.#isAnswered(alias)) this.names.onGone(alias);
      }
    };
  }

  /** Of what nobody asks for any more the control plane may never say that it goes, as it was told of that. */
  #onUnasked(resource: string, named: readonly string[], isHeld: boolean): void {
    if (this.#pushed.has(resource)) return;
    const late = named.find((alias) => this.#lastLetGo.has(alias));
    if (late === undefined) {
      if (isHeld) this.#pushed.add(resource);
    } else if (isHeld) this.#options.remove(routeNameOf(late), resource);
    else if (!this.#refusals.has(resource)) this.#options.forgetRefused(routeNameOf(late), resource);
  }

  isAsked(resource: string): boolean {
    return this.#aliases.has(resource) && !this.#pushed.has(resource);
  }

  /** A virtual host is gone, or a host is said not to be there; what came for that one before stays until it has to go. */
  onGone(name: string): void {
    this.#pushed.delete(name);
    this.names.onGone(name);
    for (const alias of [...(this.#aliases.get(name) ?? [])]) {
      this.#unlink(alias, name);
      this.#checkAnswers(alias);
    }
  }

  /** Who waits for another answer waits on. */
  #checkAnswers(alias: string): void {
    if (this.names.isPresent(alias) && !this.#isAnswered(alias)) this.names.onGone(alias);
  }

  #isAnswered(alias: string): boolean {
    for (const resource of this.#answers.get(alias) ?? []) if (this.#covers(resource, alias)) return true;
    return false;
  }

  /** Without it a request would wait for a host that is not to come. */
  #covers(resource: string, alias: string): boolean {
    const { domains = [] } = this.#options.hostNamed(resource) ?? {};
    const ignoresPort = this.#options.routesNamed(routeNameOf(alias))?.ignorePortInHostMatching === true;
    const host = alias.slice(alias.lastIndexOf('/') + 1);
    const named = ignoresPort ? host.replace(/:\d*$/, '') : host;
    return domains.some((domain) => covers(domain, named));
  }

  #logStray(alias: string, resource: string): void {
    const nowMs = this.#options.clock();
    if (nowMs - this.#strayLoggedMs < strayLogIntervalMs) {
      this.#unloggedStrays++;
      return;
    }
    const facts = { asked: alias, virtualHost: resource, othersSinceLast: this.#unloggedStrays };
    this.#strayLoggedMs = nowMs;
    this.#unloggedStrays = 0;
    this.#options.log('warning', strayText, facts);
  }

  #link(alias: string, resource: string): void {
    const answers = this.#answers.get(alias) ?? new Set();
    answers.delete(resource);
    this.#answers.set(alias, answers.add(resource));
    const aliases = this.#aliases.get(resource) ?? new Set();
    this.#aliases.set(resource, aliases.add(alias));
    const [oldest] = answers;
    if (answers.size > maxAnswers) this.#letGo(alias, oldest!);
  }

  #forget(alias: string): void {
    this.#forgetRefused(alias);
    for (const resource of [...(this.#answers.get(alias) ?? [])]) this.#letGo(alias, resource);
    this.#lastLetGo.delete(alias);
    this.#lastLetGo.add(alias);
    const [oldest] = this.#lastLetGo;
    if (this.#lastLetGo.size > maxLetGo) this.#lastLetGo.delete(oldest!);
  }

  /** The virtual host goes with the last name that it came for. */
  #letGo(alias: string, resource: string): void {
    this.#unlink(alias, resource);
    if (this.#aliases.has(resource) || this.#pushed.has(resource)) return;
    this.#options.remove(routeNameOf(alias), resource);
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

  #unlink(alias: string, resource: string): void {
    const answers = this.#answers.get(alias)!;
    answers.delete(resource);
    if (answers.size === 0) this.#answers.delete(alias);
    const aliases = this.#aliases.get(resource)!;
    aliases.delete(alias);
    if (aliases.size === 0) this.#aliases.delete(resource);
  }
}

const strayText =
  'a virtual host came as the answer to a host that none of its domains has; requests for that host are answered 404';

function routeNameOf(alias: string): string {
  return alias.slice(0, alias.lastIndexOf('/'));
}

function covers(domain: string, host: string): boolean {
  if (domain === '*' || domain === host) return true;
  if (domain.startsWith('*')) return host.length >= domain.length && host.endsWith(domain.slice(1));
  return domain.endsWith('*') && host.length >= domain.length && host.startsWith(domain.slice(0, -1));
}

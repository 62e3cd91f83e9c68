// Virtual hosts that arrive apart from their route configuration (VHDS), as `ROUTE_CONFIGURATION/NAME`. As Envoy does, all
// there are of a source are asked for, as long as a route configuration takes its virtual hosts from it; which are its own is
// said by their names. https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/vhds

import type { ResourceStatus } from '../../config/dynamic-state.ts';
import type { Problems } from '../../config/problems.ts';
import type { RouteConfiguration, VirtualHost } from '../../config/route.ts';
import { type ResourceSubscriptions, type ResourceType, wildcard } from '../client/discovery.ts';
import { ResourceSet, type ResourceUser } from '../resource/resource-set.ts';
import { virtualHostDecoder } from '../resource/virtual-host-resource.ts';
import type { AssemblyContext } from './assembly-context.ts';
import { OnDemandHostNames } from './on-demand-hosts.ts';
import type { OnDemandNamesOptions } from './on-demand-names.ts';

export interface VirtualHostAssemblyOptions {
  /** The aggregated stream tells changes only; virtual hosts come in no other way. */
  readonly isAdsDelta: boolean;
  /** The accepted state of a route configuration, without what arrives here. */
  readonly routesNamed: (name: string) => RouteConfiguration | undefined;
  /** Of requests that asked for a host. */
  readonly refuse: OnDemandNamesOptions['refuse'];
  /** There is something else to be served under this name. */
  readonly onChange: (routeName: string) => void;
}

export class VirtualHostAssembly {
  /** Hosts that requests asked for. */
  readonly onDemand: OnDemandHostNames;
  readonly #context: AssemblyContext;
  readonly #options: VirtualHostAssemblyOptions;
  readonly #bySource = new Map<string, HostSource>();
  /** Names of virtual hosts by domain: those that are written in a route configuration. */
  readonly #written = new WeakMap<RouteConfiguration, ReadonlyMap<string, string>>();

  constructor(context: AssemblyContext, options: VirtualHostAssemblyOptions) {
    this.#context = context;
    this.#options = options;
    const { routesNamed, refuse } = options;
    const sourceOf = (routeName: string) => this.#using(routeName);
    this.onDemand = new OnDemandHostNames({
      routesNamed,
      refuse,
      clock: context.clock,
      log: context.log,
      subscribe: (routeName, alias) => sourceOf(routeName)?.subscriptions?.subscribe(this.type.typeUrl, alias, 0),
      unsubscribe: (routeName, alias) => sourceOf(routeName)?.subscriptions?.unsubscribe(this.type.typeUrl, alias),
      hostNamed: (resource) => sourceOf(routeNameOf(resource))?.hosts.get(routeNameOf(resource))?.host(resource),
      remove: (routeName, resource) =>
        sourceOf(routeName)?.set.onUpdate({ version: '', resources: [], removed: [resource] }),
      forgetRefused: (routeName, resource) => sourceOf(routeName)?.set.forgetRefused(resource),
    });
  }

  get type(): ResourceType {
    return virtualHostDecoder.type;
  }

  setOf(sourceName: string): ResourceSet<VirtualHost> {
    return this.#sourceOf(sourceName).set;
  }

  statuses(): readonly ResourceStatus[] {
    return [...this.#bySource.values()].flatMap(({ set }) => set.statuses());
  }

  /** Whether its virtual hosts can come, and go with those that did. */
  check(routes: RouteConfiguration, problems: Problems): void {
    const { virtualHostSource: source } = routes;
    if (source === undefined) return;
    const problem = this.#context.sources.problemWith(source);
    const place = problems.at('vhds').at('config_source');
    if (problem !== undefined) place.add(problem);
    else if (source.kind === 'ads' && !this.#options.isAdsDelta) {
      place.unsupported('VHDS by the state of the world', 'write DELTA_GRPC');
    }
    if (!problems.isEmpty) return;
    const apart = this.#tableOf(routes);
    for (const [index, { domains }] of routes.virtualHosts.entries()) {
      const own = problems.at('virtual_hosts').item(index);
      checkDomains(domains, (domain) => apart?.ownerOf(domain)?.name, own);
    }
  }

  /** Asks for them as long as it is used; a route configuration that is used already may have another source now. */
  use(routes: RouteConfiguration): void {
    const { name, virtualHostSource: source } = routes;
    const own = source && this.#sourceOf(this.#context.sources.nameOf(source, this.type));
    for (const each of this.#bySource.values()) if (each !== own) this.#leave(each, name);
    if (own === undefined || source === undefined) return;
    own.users.add(name);
    if (own.subscriptions !== undefined) return;
    own.subscriptions = this.#context.sources.subscriptions(source, this.type);
    own.subscriptions.subscribe(this.type.typeUrl, wildcard, source.initialFetchTimeoutMs);
  }

  release(routeName: string): void {
    for (const each of this.#bySource.values()) this.#leave(each, routeName);
  }

  /** Hosts are let go where they were asked for. */
  #leave(source: HostSource, routeName: string): void {
    if (!source.users.has(routeName)) return;
    this.onDemand.drop(routeName);
    source.users.delete(routeName);
  }

  #using(routeName: string): HostSource | undefined {
    for (const each of this.#bySource.values()) if (each.users.has(routeName)) return each;
    return undefined;
  }

  /** At the end of a turn, so that what is used again within one stays. */
  letGoUnused(): void {
    for (const each of this.#bySource.values()) {
      if (each.subscriptions === undefined || each.users.size > 0) continue;
      each.subscriptions.unsubscribe(this.type.typeUrl, wildcard);
      for (const { name } of each.set.statuses()) {
        each.set.forget(name);
        this.onDemand.onGone(name);
      }
      each.subscriptions = undefined;
      each.isAnswered = false;
      each.hosts.clear();
    }
  }

  /** Whether they came, or are known not to come. */
  isSettled({ virtualHostSource: source }: RouteConfiguration): boolean {
    return source === undefined || this.#sourceOf(this.#context.sources.nameOf(source, this.type)).isAnswered;
  }

  /** With all virtual hosts that are there. */
  merged(routes: RouteConfiguration): RouteConfiguration {
    const { virtualHostSource: source, ...own } = routes;
    if (source === undefined) return routes;
    return {
      ...own,
      hasVirtualHostSource: true,
      virtualHosts: [...own.virtualHosts, ...(this.#tableOf(routes)?.hosts() ?? [])],
    };
  }

  #tableOf({ name, virtualHostSource: source }: RouteConfiguration): HostTable | undefined {
    const own = source && this.#bySource.get(this.#context.sources.nameOf(source, this.type));
    return own?.hosts.get(name);
  }

  #sourceOf(sourceName: string): HostSource {
    let found = this.#bySource.get(sourceName);
    if (found === undefined) {
      const hosts: HostSource['hosts'] = new Map();
      const users = new Set<string>();
      const user = this.#makeUser(sourceName, hosts);
      const set = new ResourceSet({ decoder: virtualHostDecoder, clock: this.#context.clock, user });
      found = { set, hosts, users, subscriptions: undefined, isAnswered: false };
      this.#bySource.set(sourceName, found);
    }
    return found;
  }

  #writtenDomains(routeName: string): ReadonlyMap<string, string> {
    const routes = this.#options.routesNamed(routeName);
    if (routes === undefined) return nothing;
    let written = this.#written.get(routes);
    if (written === undefined) {
      const entries = routes.virtualHosts.flatMap(({ name, domains }) =>
        domains.map((domain) => [domain, name] as const),
      );
      written = new Map(entries);
      this.#written.set(routes, written);
    }
    return written;
  }

  #makeUser(sourceName: string, hosts: HostSource['hosts']): ResourceUser<VirtualHost> {
    const { onDue, observer } = this.#context;
    const onChange = (name: string): void => {
      observer.onReload?.(this.type.typeUrl, name);
      this.#options.onChange(routeNameOf(name));
    };
    return {
      isExclusive: true,
      onDemand: this.onDemand,
      set: ({ name, value }, problems) => {
        const routeName = routeNameOf(name);
        if (routeName === '') problems.at('name').add('must be ROUTE_CONFIGURATION/NAME, to say where it belongs');
        const written = this.#writtenDomains(routeName);
        const table = hosts.get(routeName) ?? new HostTable();
        checkDomains(value.domains, (domain) => written.get(domain) ?? table.ownerOf(domain, name)?.name, problems);
        if (!problems.isEmpty) return;
        hosts.set(routeName, table);
        table.set(name, value);
        onChange(name);
      },
      remove: (name) => {
        hosts.get(routeNameOf(name))?.delete(name);
        onChange(name);
        return 'gone';
      },
      onAnswer: () => {
        this.#sourceOf(sourceName).isAnswered = true;
        onDue();
      },
      stateOf: () => 'active',
    };
  }
}

/** The virtual hosts of one route configuration: thousands may come in a response, so that each domain is looked up. */
class HostTable {
  readonly #hosts = new Map<string, VirtualHost>();
  /** Resources by domain. */
  readonly #owners = new Map<string, string>();

  hosts(): Iterable<VirtualHost> {
    return this.#hosts.values();
  }

  host(resource: string): VirtualHost | undefined {
    return this.#hosts.get(resource);
  }

  /** Of another resource than `asking`. */
  ownerOf(domain: string, asking?: string): VirtualHost | undefined {
    const owner = this.#owners.get(domain);
    return owner === undefined || owner === asking ? undefined : this.#hosts.get(owner);
  }

  set(resource: string, host: VirtualHost): void {
    this.#forgetDomains(resource);
    this.#hosts.set(resource, host);
    for (const domain of host.domains) this.#owners.set(domain, resource);
  }

  delete(resource: string): void {
    this.#forgetDomains(resource);
    this.#hosts.delete(resource);
  }

  #forgetDomains(resource: string): void {
    for (const domain of this.#hosts.get(resource)?.domains ?? []) this.#owners.delete(domain);
  }
}

/** What came from one source. */
interface HostSource {
  readonly set: ResourceSet<VirtualHost>;
  /** By route configuration. */
  readonly hosts: Map<string, HostTable>;
  /** Names of route configurations. */
  readonly users: Set<string>;
  /** Undefined while nobody uses it. */
  subscriptions: ResourceSubscriptions | undefined;
  /** Something was said, or its time is over. */
  isAnswered: boolean;
}

/** Envoy's namespace of a resource: all ahead of its last slash. */
function routeNameOf(resource: string): string {
  return resource.slice(0, Math.max(0, resource.lastIndexOf('/')));
}

const nothing: ReadonlyMap<string, string> = new Map();

/** A domain is of one virtual host only; `ownerOf` names the other that has it. */
function checkDomains(
  domains: readonly string[],
  ownerOf: (domain: string) => string | undefined,
  problems: Problems,
): void {
  for (const [index, domain] of domains.entries()) {
    const owner = ownerOf(domain);
    if (owner === undefined) continue;
    const text = `domain ${JSON.stringify(domain)} exists already, in virtual host ${JSON.stringify(owner)}`;
    problems.at('domains').item(index).add(text);
  }
}

// Which name of a table is meant by the one that was asked for, as Istio's agent has it: a service of Kubernetes has shorter
// names, `*.example.com` stands for what is below it, and a resolver asks for `www.example.com` with its first search domain
// behind it before it asks for the name alone.
// https://istio.io/latest/docs/ops/configuration/traffic-management/dns-proxy/

import type { NamedHost, NameTable } from '../../config/name-table.ts';

export interface NameLookupOptions {
  /** Of the pod. */
  readonly namespace: string;
  /** Of the proxy, `shop.svc.cluster.local`. */
  readonly domain: string;
  /** Of resolv.conf; only the first counts. */
  readonly searchDomains: readonly string[];
}

export interface FoundName {
  readonly host: NamedHost;
  /** How much of the name that was asked for is a search domain, with the dot before it; what stands before was meant. */
  readonly searchLength: number;
}

export class NameLookup {
  readonly #options: NameLookupOptions;
  /** `.svc.cluster.local`, which the names of this cluster end in. */
  readonly #clusterSuffix: string;
  /** `.svc`, its first part. */
  readonly #shortSuffix: string;
  readonly #searchSuffix: string | undefined;
  #table: NameTable | undefined;
  /** Other names of services of this cluster. */
  #aliases: ReadonlyMap<string, NamedHost> = new Map();

  constructor(options: NameLookupOptions) {
    const { namespace, domain, searchDomains } = options;
    this.#options = options;
    const ownPrefix = `${namespace}.`;
    this.#clusterSuffix = `.${domain.startsWith(ownPrefix) ? domain.slice(ownPrefix.length) : domain}`.toLowerCase();
    this.#shortSuffix = `.${this.#clusterSuffix.split('.', 2)[1]}`;
    const [search] = searchDomains;
    this.#searchSuffix = search === undefined ? undefined : `.${search.toLowerCase().replace(/\.$/, '')}`;
  }

  /** False before the first table: then nobody knows which names are ours. */
  get isReady(): boolean {
    return this.#table !== undefined;
  }

  /** How many names were told; services have shorter ones beside them. */
  get size(): number {
    return this.#table?.size ?? 0;
  }

  /** Shorter names are no entries of their own: those of 100,000 services would take half a second, and as much memory again. */
  use(table: NameTable): void {
    const aliases = new Map<string, NamedHost>();
    for (const [name, host] of table) {
      if (host.aliases.length === 0 || !this.#isOfCluster(name, host)) continue;
      for (const alias of host.aliases) if (!aliases.has(alias)) aliases.set(alias, host);
    }
    this.#table = table;
    this.#aliases = aliases;
  }

  /** By a name in lower case without a dot at its end. */
  find(name: string): FoundName | undefined {
    let found = this.#findExactly(name);
    let dot = name.indexOf('.');
    while (found === undefined && dot >= 0) {
      found = this.#findExactly(`*${name.slice(dot)}`);
      dot = name.indexOf('.', dot + 1);
    }
    if (found === undefined) return undefined;
    return { host: found.host, searchLength: found.isSearched ? this.#searchSuffix!.length : 0 };
  }

  #findExactly(name: string): { readonly host: NamedHost; readonly isSearched: boolean } | undefined {
    const host = this.#hostOf(name);
    if (host !== undefined) return { host, isSearched: false };
    const short = this.#withoutSearch(name);
    const searched = short === undefined ? undefined : this.#hostOf(short);
    // Nobody has the search domain behind a name that ends in it already.
    if (searched === undefined || short!.endsWith(this.#searchSuffix!)) return undefined;
    return { host: searched, isSearched: true };
  }

  #withoutSearch(name: string): string | undefined {
    const suffix = this.#searchSuffix;
    return suffix !== undefined && name.endsWith(suffix) ? name.slice(0, -suffix.length) : undefined;
  }

  /** What is written out goes before what it is short for: a name of a `ServiceEntry` may look like one of a service. */
  #hostOf(name: string): NamedHost | undefined {
    return this.#table?.get(name) ?? this.#serviceOf(name) ?? this.#aliases.get(name);
  }

  /** By a shorter name of a service: `cart` in its own namespace, `cart.shop`, `cart.shop.svc`. */
  #serviceOf(name: string): NamedHost | undefined {
    if (name.startsWith('*')) return undefined;
    const found = this.#serviceAt(`${name}.${this.#options.namespace}`) ?? this.#serviceAt(name);
    if (found !== undefined || !name.endsWith(this.#shortSuffix)) return found;
    return this.#serviceAt(name.slice(0, -this.#shortSuffix.length));
  }

  /** By its name and its namespace. */
  #serviceAt(inNamespace: string): NamedHost | undefined {
    const name = `${inNamespace}${this.#clusterSuffix}`;
    const host = this.#table?.get(name);
    return host !== undefined && this.#isOfCluster(name, host) ? host : undefined;
  }

  /** In another cluster the same short name may be another service. */
  #isOfCluster(name: string, { service }: NamedHost): boolean {
    return service !== undefined && name === `${service.name}.${service.namespace}${this.#clusterSuffix}`;
  }
}

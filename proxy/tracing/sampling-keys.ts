// Which key a request counts for: (destination service, route, method), found by one array read at its route.
//
// Keys live at the compiled route, for the cluster that it led to last; another cluster (`cluster_header`) is a look-up.

import { KeyTable, type SamplingKey, type SlottedKey } from '../../sampler/key-table.ts';
import { type HeaderRule, headerRuleOf, type RuleTable } from '../../sampler/rules.ts';
import { always, never } from '../../sampler/threshold.ts';
import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import { type HeaderName, headerName } from '../http/header-name.ts';
import type { HeaderTable } from '../http/header-table.ts';
import type { RequestHead } from '../http/message.ts';
import type { CompiledRoute } from '../route/compiled-route.ts';
import type { CompiledRecording } from './recording-settings.ts';
import type { SamplingMemory } from './sampling-memory.ts';
import type { TracingMessage } from './tracing-message.ts';

/** What is kept at a compiled route, for all connection managers that use it. */
export interface RouteKeys {
  /** Rules that it was made by. */
  readonly rules: RuleTable;
  cluster: ClusterRuntime | null;
  methods: (MethodKeys | null)[];
  /** Of clusters that are not the last. */
  readonly byCluster: WeakMap<ClusterRuntime, (MethodKeys | null)[]>;
}

interface MethodKeys {
  readonly plain: SlottedKey;
  readonly headerRules: readonly HeaderRule[];
  readonly byRule: Map<number, SlottedKey>;
}

/** How a route is named where paths would be too many: its name, else the text of its path matcher. */
export function routeTemplate(route: CompiledRoute): string {
  return route.name === '' ? pathTemplate(route) : route.name;
}

/** The text of the path matcher of a route. */
export function pathTemplate({ config }: CompiledRoute): string {
  const { path } = config.match;
  switch (path.kind) {
    case 'connect':
      return 'CONNECT';
    case 'regex':
      return path.regex;
    default:
      return path.value;
  }
}

export class SamplingKeys {
  settings: CompiledRecording;
  readonly #table: KeyTable;
  readonly #replies: RouteKeys;
  /** Names of rules, prepared for look-ups. */
  readonly #names = new Map<string, HeaderName>();
  #headers: HeaderTable | null = null;
  readonly #valueOf = (name: string): string | undefined => this.#headers!.get(this.#nameOf(name));

  constructor(settings: CompiledRecording, memory: SamplingMemory, publish: (message: TracingMessage) => void) {
    this.settings = settings;
    this.#replies = newKeys(settings.rules);
    this.#table = new KeyTable({
      onOwner: (slot, key) => {
        memory.restart(slot, key === null || this.settings.mayKeep(key) ? always : never);
        publish({ kind: 'sampling-key', slot, key: key === null ? null : plainKey(key) });
      },
    });
  }

  /** The slot of a request; counts it as one of its key's. Without a route it is a reply of our own. */
  slotFor(head: RequestHead, route: CompiledRoute | null, cluster: ClusterRuntime | null): number {
    const methods = this.#methodsOf(route, cluster);
    const index = methodIndex(head.method);
    const known = methods[index] ?? this.#make(methods, index, { route, cluster });
    return this.#table.slotFor(known.headerRules.length === 0 ? known.plain : this.#chosenBy(known, head.headers));
  }

  /** Which owner of the slot this is: another number with each. */
  epochAt(slot: number): number {
    return this.#table.epochAt(slot);
  }

  /** To be called about once a second. */
  age(nowMs: number): void {
    this.#table.age(nowMs);
  }

  #methodsOf(route: CompiledRoute | null, cluster: ClusterRuntime | null): (MethodKeys | null)[] {
    const keys = route === null ? this.#replies : route.samplingKeys;
    if (keys !== null && keys.cluster === cluster && keys.rules === this.settings.rules) return keys.methods;
    if (route === null) return this.#replies.methods;
    return this.#leadTo(route, cluster);
  }

  #leadTo(route: CompiledRoute, cluster: ClusterRuntime | null): (MethodKeys | null)[] {
    if (route.samplingKeys === null || route.samplingKeys.rules !== this.settings.rules) {
      route.samplingKeys = newKeys(this.settings.rules);
      route.samplingKeys.cluster = cluster;
      return route.samplingKeys.methods;
    }
    const keys = route.samplingKeys;
    if (keys.cluster !== null) keys.byCluster.set(keys.cluster, keys.methods);
    keys.methods = (cluster !== null && keys.byCluster.get(cluster)) || noMethods();
    keys.cluster = cluster;
    return keys.methods;
  }

  #make(
    methods: (MethodKeys | null)[],
    index: number,
    { route, cluster }: { readonly route: CompiledRoute | null; readonly cluster: ClusterRuntime | null },
  ): MethodKeys {
    const service = cluster === null ? '' : cluster.serviceName;
    const template = route === null ? '' : routeTemplate(route);
    const method = methodNames[index]!;
    const made: MethodKeys = {
      plain: this.#table.keyFor({ service, route: template, method, headerRule: -1 }),
      headerRules: this.settings.rules.headerRulesFor(service, template, method),
      byRule: new Map(),
    };
    methods[index] = made;
    return made;
  }

  #chosenBy({ plain, headerRules, byRule }: MethodKeys, headers: HeaderTable): SlottedKey {
    this.#headers = headers;
    const headerRule = headerRuleOf(headerRules, this.#valueOf);
    this.#headers = null;
    if (headerRule < 0) return plain;
    let key = byRule.get(headerRule);
    if (key === undefined) {
      const { service, route, method } = plain;
      key = this.#table.keyFor({ service, route, method, headerRule });
      byRule.set(headerRule, key);
    }
    return key;
  }

  #nameOf(name: string): HeaderName {
    let prepared = this.#names.get(name);
    if (prepared === undefined) {
      prepared = headerName(name);
      this.#names.set(name, prepared);
    }
    return prepared;
  }
}

/** What of a key is plain data for another thread. */
function plainKey({ service, route, method, headerRule }: SamplingKey): SamplingKey {
  return { service, route, method, headerRule };
}

function newKeys(rules: RuleTable): RouteKeys {
  return { rules, cluster: null, methods: noMethods(), byCluster: new WeakMap() };
}

function noMethods(): (MethodKeys | null)[] {
  return new Array<MethodKeys | null>(methodNames.length).fill(null);
}

/** Methods with keys of their own; all others share one, whose name is that of the semantic conventions. */
const methodNames = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'CONNECT', '_OTHER'] as const;

// A method is an interned string (method-name.ts): each case compares pointers.
function methodIndex(method: string): number {
  switch (method) {
    case 'GET':
      return 0;
    case 'POST':
      return 1;
    case 'PUT':
      return 2;
    case 'DELETE':
      return 3;
    case 'HEAD':
      return 4;
    case 'OPTIONS':
      return 5;
    case 'PATCH':
      return 6;
    case 'CONNECT':
      return 7;
    default:
      return 8;
  }
}

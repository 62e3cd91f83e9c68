// Random pushes, whole and by halves, right and wrong, in any order: what is served is consistent after each change, and
// in the end it is what the control plane sent last. Wherever slices of a turn end, what comes between them changes nothing of that.

import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { namedRoutesOf } from '../../../config/references.ts';
import type { ReceivedResource } from '../../../xds/client/discovery.ts';
import {
  AssemblyBench,
  alpnConfig,
  assignment,
  discoveringListener,
  edsCluster,
  extensionConfig,
  portsOf,
  rdsListener,
  receivedOf,
  routeTable,
  staticCluster,
  tcpListener,
} from '../../support/assembly-bench.ts';

const drainTimeMs = 20_000;
const names = (prefix: string) => fc.constantFrom(...[1, 2, 3].map((index) => `${prefix}${index}`));
const clusterName = names('c');
const serviceName = names('s');
const routeName = names('r');
const listenerName = names('l');
const filterName = names('f');
const hostName = fc.tuple(routeName, names('h')).map((parts) => parts.join('/'));

type Type = 'cds' | 'eds' | 'lds' | 'rds' | 'ecds' | 'vhds';

/** `yaml` of one resource; null is its removal. */
type Step =
  | { readonly kind: 'push'; readonly type: Type; readonly name: string; readonly yaml: string | null }
  | { readonly kind: 'broken'; readonly type: Type; readonly name: string }
  | { readonly kind: 'absent'; readonly type: 'eds' | 'rds' | 'ecds'; readonly name: string }
  | { readonly kind: 'answer' }
  | { readonly kind: 'turn' }
  | { readonly kind: 'slice' }
  | { readonly kind: 'time'; readonly delayMs: number };

const cluster = clusterName.chain((name) =>
  fc
    .oneof(
      fc.constant(null),
      fc.nat(2).map((port) => staticCluster(name, port + 1)),
      fc
        .tuple(serviceName, fc.integer({ min: 1, max: 3 }))
        .map(([service, timeout]) => edsCluster(name, { service, fields: `, connect_timeout: ${timeout}s` })),
    )
    .map((yaml): Step => ({ kind: 'push', type: 'cds', name, yaml })),
);
const members = fc
  .tuple(serviceName, fc.integer({ min: 1, max: 9 }))
  .map(([name, port]): Step => ({ kind: 'push', type: 'eds', name, yaml: assignment(name, port) }));
const routes = fc
  .tuple(routeName, fc.uniqueArray(clusterName), fc.constantFrom('', ', vhds: {config_source: {ads: {}}}'))
  .map(([name, clusters, vhds]): Step => {
    const yaml = routeTable(name, ...clusters).replace(/\}$/, `${vhds}}`);
    return { kind: 'push', type: 'rds', name, yaml };
  });
const hosts = fc.tuple(hostName, fc.option(clusterName)).map(([name, to]): Step => {
  const own = `[{match: {prefix: /}, route: {cluster: ${to}}}]`;
  const yaml = to === null ? null : `{name: ${name}, domains: [${name}], routes: ${own}}`;
  return { kind: 'push', type: 'vhds', name, yaml };
});
const listener = listenerName.chain((name) =>
  fc
    .oneof(
      fc.constant(null),
      fc
        .uniqueArray(routeName, { minLength: 1, maxLength: 2 })
        .map((used) => rdsListener(name, portFor(name), ...used)),
      clusterName.map((used) => tcpListener(name, portFor(name), used)),
      fc
        .tuple(filterName, fc.constantFrom('', `default_config: ${alpnConfig('default')}`))
        .map(([filter, fields]) => discoveringListener(name, portFor(name), { [filter]: fields })),
    )
    .map((yaml): Step => ({ kind: 'push', type: 'lds', name, yaml })),
);
const filters = fc.tuple(filterName, fc.constantFrom(null, 'a', 'b')).map(([name, protocol]): Step => {
  const yaml = protocol === null ? null : extensionConfig(name, alpnConfig(protocol));
  return { kind: 'push', type: 'ecds', name, yaml };
});
const trouble = fc.oneof(
  fc.tuple(fc.constant<Type>('cds'), clusterName),
  fc.tuple(fc.constant<Type>('eds'), serviceName),
  fc.tuple(fc.constant<Type>('rds'), routeName),
  fc.tuple(fc.constant<Type>('lds'), listenerName),
  fc.tuple(fc.constant<Type>('ecds'), filterName),
  fc.tuple(fc.constant<Type>('vhds'), hostName),
);
const step = fc.oneof(
  { weight: 4, arbitrary: cluster },
  { weight: 4, arbitrary: members },
  { weight: 3, arbitrary: routes },
  { weight: 3, arbitrary: listener },
  { weight: 2, arbitrary: filters },
  { weight: 2, arbitrary: hosts },
  { weight: 1, arbitrary: trouble.map(([type, name]): Step => ({ kind: 'broken', type, name })) },
  { weight: 1, arbitrary: serviceName.map((name): Step => ({ kind: 'absent', type: 'eds', name })) },
  { weight: 1, arbitrary: routeName.map((name): Step => ({ kind: 'absent', type: 'rds', name })) },
  { weight: 1, arbitrary: filterName.map((name): Step => ({ kind: 'absent', type: 'ecds', name })) },
  { weight: 4, arbitrary: fc.constant<Step>({ kind: 'answer' }) },
  { weight: 4, arbitrary: fc.constant<Step>({ kind: 'turn' }) },
  { weight: 4, arbitrary: fc.constant<Step>({ kind: 'slice' }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(100, 5_000, 10_000, drainTimeMs).map((delayMs): Step => ({ kind: 'time', delayMs })),
  },
);

/** A slice of 3 ms has any number of steps, down to one. */
const stepsMs = fc.array(fc.constantFrom(0, 0, 2, 5), { minLength: 1, maxLength: 8 });

/** Knows what it has sent; answers subscriptions when it is told to, or later. */
class Server {
  readonly #bench = new AssemblyBench({ drainTimeMs });
  readonly #state = {
    cds: new Map(),
    eds: new Map(),
    lds: new Map(),
    rds: new Map(),
    ecds: new Map(),
    vhds: new Map(),
  } as {
    readonly [type in Type]: Map<string, string>;
  };
  #seenChanges = 0;

  /** How far the clock goes on each time that it is read, in turns. */
  constructor(stepsMs: readonly number[]) {
    let readings = 0;
    let passedMs = 0;
    this.#bench.clock = () => {
      passedMs += stepsMs[readings++ % stepsMs.length]!;
      return this.#bench.nowMs + passedMs;
    };
    this.#bench.assembler.start();
    this.#bench.turn();
  }

  run(each: Step): void {
    switch (each.kind) {
      case 'push':
        if (each.yaml === null) this.#state[each.type].delete(each.name);
        else this.#state[each.type].set(each.name, each.yaml);
        this.#send(each.type, each.name);
        break;
      case 'broken':
        this.#update(each.type, [{ ...received(each.type, each.name, '{}'), message: Uint8Array.of(0xff, 0xff) }], []);
        break;
      case 'absent':
        this.#bench.consumer(each.type).onAbsent(each.name);
        break;
      case 'answer':
        this.#answer();
        break;
      case 'turn':
        this.#bench.turn();
        break;
      case 'slice':
        this.#bench.slice();
        break;
      case 'time':
        this.#bench.turn();
        this.#bench.pass(each.delayMs);
    }
    this.#check();
  }

  /** All that is missing is sent, time goes by: nothing is left of what was before. */
  finish(): void {
    const bench = this.#bench;
    for (let round = 0; round < 4; round++) {
      this.#sendAll('cds');
      this.#sendAll('lds');
      bench.turn();
      this.#answer();
      bench.turn();
      bench.pass(drainTimeMs);
    }
    this.#check();
    this.#checkEnd();
  }

  #send(type: Type, name: string): void {
    const yaml = this.#state[type].get(name);
    this.#update(type, yaml === undefined ? [] : [received(type, name, yaml)], yaml === undefined ? [name] : []);
  }

  #sendAll(type: Type): void {
    const gone = this.#bench.held(type).filter((name) => !this.#state[type].has(name));
    const all = [...this.#state[type]].map(([name, yaml]) => received(type, name, yaml));
    this.#update(type, all, gone);
  }

  /** What is subscribed to. What it does not have is said not to exist. */
  #answer(): void {
    for (const subscription of [...this.#bench.subscriptions]) {
      const [type, name] = subscription.split(' ') as [Type, string];
      if (type === 'vhds') this.#sendAll(type);
      else if (name !== '*') this.#send(type, name);
    }
  }

  #update(type: Type, resources: readonly ReceivedResource[], removed: readonly string[]): void {
    // A client passes over what it never asked for.
    if (type === 'vhds' && !this.#bench.subscriptions.has('vhds *')) return;
    this.#bench.consumer(type).onUpdate({ version: '', resources, removed });
  }

  #check(): void {
    const { changes, snapshot, assembler } = this.#bench;
    const warming = (type: Type) => this.#bench.states(type).filter((state) => state.endsWith(' warming')).length;
    deepStrictEqual(assembler.warming, { clusters: warming('cds'), listeners: warming('lds') });
    if (changes.length === this.#seenChanges) return;
    this.#seenChanges = changes.length;
    const isAbsent = (type: Type, name: string) =>
      this.#bench.states(type).some((state) => state === `${name} absent` || state === `${name} refused`);
    for (const [name, each] of snapshot.listeners) {
      for (const { name: used } of namedRoutesOf(each)) {
        ok(snapshot.routes.has(used) || isAbsent('rds', used), `listener ${name} has its routes ${used}`);
      }
    }
    const held = this.#bench.held('eds');
    for (const [name, { discovery }] of snapshot.clusters) {
      ok(snapshot.assignments.has(name), `cluster ${name} has its members`);
      if (discovery.kind !== 'eds') continue;
      const { serviceName } = discovery;
      ok(held.includes(serviceName) || isAbsent('eds', serviceName), `members of ${name} are those of ${serviceName}`);
    }
    for (const name of snapshot.assignments.keys()) ok(snapshot.clusters.has(name), `members ${name} have a cluster`);
  }

  #checkEnd(): void {
    const { snapshot, assembler, subscriptions } = this.#bench;
    const { listeners, clusters, assignments, routes, secrets } = snapshot;
    deepStrictEqual({ listeners, clusters, assignments, routes, secrets }, assembler.served);
    deepStrictEqual([...clusters.keys()].sort(), [...this.#state.cds.keys()].sort());
    deepStrictEqual([...listeners.keys()].sort(), [...this.#state.lds.keys()].sort());
    const used = new Set([...listeners.values()].flatMap((each) => namedRoutesOf(each).map(({ name }) => name)));
    const known = [...used].filter((name) => this.#state.rds.has(name));
    deepStrictEqual([...routes.keys()].sort(), known.sort());
    for (const name of known) this.#checkHosts(name);
    const services = new Set<string>();
    for (const [name, { discovery }] of clusters) {
      if (discovery.kind !== 'eds') continue;
      services.add(discovery.serviceName);
      const yaml = this.#state.eds.get(discovery.serviceName);
      const expected = yaml === undefined ? [] : [Number(/port_value: (\d+)/.exec(yaml)![1])];
      deepStrictEqual(portsOf(snapshot, name), expected, `members of ${name}`);
    }
    const discovered = [...this.#state.lds].flatMap(([name, yaml]) => this.#checkDiscovered(name, yaml));
    const wanted = [
      'cds *',
      'lds *',
      ...[...services].map((name) => `eds ${name}`),
      ...[...used].map((name) => `rds ${name}`),
      ...new Set(discovered.map((name) => `ecds ${name}`)),
      ...(known.some((name) => this.#takesHosts(name)) ? ['vhds *'] : []),
    ];
    deepStrictEqual([...subscriptions].sort(), wanted.sort());
  }

  #takesHosts(routes: string): boolean {
    return this.#state.rds.get(routes)!.includes('vhds');
  }

  /** Virtual hosts of the route configuration, and those that were sent apart from it last. */
  #checkHosts(routes: string): void {
    const own = [...this.#state.rds.get(routes)!.matchAll(/domains: \[(.*?)\]/g)].map(([, domain]) => domain!);
    const apart = [...this.#state.vhds.keys()].filter(
      (name) => this.#takesHosts(routes) && name.startsWith(`${routes}/`),
    );
    const served = this.#bench.snapshot.routes.get(routes)!.virtualHosts.flatMap(({ domains }) => domains);
    deepStrictEqual([...served].sort(), [...own, ...apart].sort(), `virtual hosts of ${routes}`);
  }

  /** What the listener discovers, which is what was sent last, or else its default, or else an answer of 500. */
  #checkDiscovered(name: string, yaml: string): readonly string[] {
    const filter = /name: (f\d)/.exec(yaml)?.[1];
    if (filter === undefined) return [];
    const protocolIn = (text: string) => /alpn_override: \[(\w+)\]/.exec(text)?.[1];
    const expected = protocolIn(this.#state.ecds.get(filter) ?? yaml);
    const config = this.#bench.snapshot.listeners.get(name)!.filterChains[0]!.filters[0]!.config;
    ok('httpFilters' in config && config.routes.kind === 'inline');
    deepStrictEqual(config.alpnOverride?.http11, expected === undefined ? undefined : [expected], `filter of ${name}`);
    strictEqual(config.routes.routes.virtualHosts.length, expected === undefined ? 1 : 0, `${name} answers itself`);
    return [filter];
  }
}

const encoded = new Map<string, ReceivedResource>();

/** Reading YAML takes longer than all else here. */
function received(type: Type, name: string, yaml: string): ReceivedResource {
  const key = `${type} ${name} ${yaml}`;
  let found = encoded.get(key);
  if (found === undefined) {
    found = receivedOf(type, name, { yaml, version: '' });
    encoded.set(key, found);
  }
  return found;
}

function portFor(listenerName: string): number {
  return 1000 + Number(listenerName.slice(1));
}

t.test('whatever is pushed, what is served is consistent, and in the end it is what was sent last', async () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 80, size: 'max' }), stepsMs, (steps, passing) => {
      const server = new Server(passing);
      for (const each of steps) server.run(each);
      server.finish();
    }),
    { numRuns: 300, endOnFailure: false },
  );
});

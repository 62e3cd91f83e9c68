// From resources that arrive one by one, in any order, to a configuration that is consistent at every step.
//
// Resource sets decode what changed and hand it to the parts here: clusters with their members, route configurations,
// listeners, and the secrets of both. Each keeps the state that serves and a newer one that waits for what it needs; the rules are in their files.
// What arrives in one turn of the event loop is one change. Static resources take part as if a control plane had sent
// them once.

import type { Bootstrap } from '../../config/bootstrap.ts';
import type { ResourceStatus } from '../../config/dynamic-state.ts';
import type { NameTable } from '../../config/name-table.ts';
import type { OnDemandName, OnDemandRefusal, OnDemandStatus } from '../../config/on-demand.ts';
import { Problems } from '../../config/problems.ts';
import type { Snapshot, SnapshotChange } from '../../config/snapshot.ts';
import { isDoneInSlice } from '../../config/time-slice.ts';
import type { DiscoveryLog, RefusedResource, ResourceType, Schedule } from '../client/discovery.ts';
import type { LongTurns } from '../client/long-turns.ts';
import type { RuntimeValues } from '../decode/runtime.ts';
import type { ResourceSet } from '../resource/resource-set.ts';
import type { AssemblyContext } from './assembly-context.ts';
import type { AssemblyObserver } from './assembly-observer.ts';
import { ClusterAssembly } from './cluster-assembly.ts';
import { ExtensionAssembly } from './extension-assembly.ts';
import { InitialFetch } from './initial-fetch.ts';
import { ListenerAssembly, type ListenerSockets } from './listener-assembly.ts';
import { NameTableAssembly } from './name-table-assembly.ts';
import { OnDemandClusterNames } from './on-demand-clusters.ts';
import { ReferenceCounts } from './reference-counts.ts';
import { RouteAssembly } from './route-assembly.ts';
import { RuntimeLayers } from './runtime-layers.ts';
import { SecretAssembly } from './secret-assembly.ts';
import { SnapshotChanges } from './snapshot-changes.ts';
import type { ResourceSources, SubscribedType } from './subscribed-type.ts';

export interface AssemblerOptions {
  readonly bootstrap: BootstrapResources;
  readonly sources: ResourceSources;
  readonly sockets: ListenerSockets;
  /** How long connections of a listener that was replaced or removed may still need its routes. */
  readonly drainTimeMs: number;
  readonly schedule: Schedule;
  /** Of all who bring resources. */
  readonly turns: LongTurns;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly log: DiscoveryLog;
  readonly observer?: AssemblyObserver;
  /** All runtime values of now. */
  readonly runtime: () => RuntimeValues;
  readonly onRuntimeLayer: (layer: string, values: RuntimeValues) => void;
  readonly onChange: (change: SnapshotChange) => void;
  /** Requests of these workers wait in vain. Nothing is asked for without it. */
  readonly onRefusedDemand?: (name: OnDemandName, workers: Iterable<number>, why: OnDemandRefusal) => void;
  /** Names of the mesh, for who answers DNS; they are not asked for without it. */
  readonly onNames?: (names: NameTable) => void;
  /** What is served first is complete: every change until here makes it. Once. */
  readonly onReady: () => void;
}

export type BootstrapResources = Pick<
  Bootstrap,
  | 'clusters'
  | 'grpcClusters'
  | 'secrets'
  | 'listeners'
  | 'runtimeLayers'
  | 'dynamicResources'
  | 'defaultBindAddress'
  | 'traceProvider'
  | 'offersUws'
>;

export class Assembler {
  readonly #options: AssemblerOptions;
  readonly #context: AssemblyContext;
  readonly #changes = new SnapshotChanges();
  readonly #layers: RuntimeLayers;
  readonly #secrets: SecretAssembly;
  readonly #demandedClusters: OnDemandClusterNames;
  readonly #clusters: ClusterAssembly;
  readonly #routes: RouteAssembly;
  readonly #extensions: ExtensionAssembly;
  readonly #listeners: ListenerAssembly;
  readonly #initialFetch: InitialFetch;
  readonly #names: NameTableAssembly | undefined;
  readonly #types: readonly TypeAssembly[];
  #isStarted = false;
  #isFlushDue = false;
  #isReady = false;

  constructor(options: AssemblerOptions) {
    this.#options = options;
    const { bootstrap, sources, schedule, clock, log, observer = {} } = options;
    const onDue = (): void => this.#flushLater();
    const references = new ReferenceCounts();
    this.#context = { sources, changes: this.#changes, references, schedule, observer, log, clock, onDue };
    this.#layers = new RuntimeLayers(this.#context, options.onRuntimeLayer);
    this.#secrets = new SecretAssembly(this.#context, { statics: bootstrap.secrets, log: options.log });
    this.#demandedClusters = this.#makeDemandedClusters();
    this.#clusters = this.#makeClusters();
    this.#routes = new RouteAssembly(this.#context, {
      unserved: this.#clusters.unserved,
      ads: bootstrap.dynamicResources.ads,
      refuse: (alias, workers, why) => {
        const slash = alias.lastIndexOf('/');
        const name = { routeConfiguration: alias.slice(0, slash), host: alias.slice(slash + 1) };
        options.onRefusedDemand?.({ kind: 'virtual-host', ...name }, workers, why);
      },
    });
    this.#extensions = new ExtensionAssembly(this.#context);
    this.#listeners = this.#makeListeners();
    const { clusters, listeners } = bootstrap.dynamicResources;
    this.#initialFetch = new InitialFetch({
      clusters: { type: this.#clusters.resources.type, source: clusters },
      listeners: { type: this.#listeners.resources.type, source: listeners },
      sources,
      schedule,
      onDue,
    });
    this.#names = options.onNames && new NameTableAssembly(this.#context, options.onNames);
    this.#types = this.#makeTypes();
  }

  /** Types that have a consumer, in the order in which they are best asked for. */
  get types(): readonly ResourceType[] {
    return this.#types.map(({ type }) => type);
  }

  /** What takes the resources of a type from a source. Throws for a type that has none. */
  consumer(type: ResourceType, sourceName: string): ResourceSet<unknown> {
    return this.#typeOf(type.typeUrl).setOf(sourceName);
  }

  /** For `DynamicState.resources`: of all sources. */
  resources(typeUrl: string): readonly ResourceStatus[] {
    return this.#types.find(({ type }) => type.typeUrl === typeUrl)?.statuses() ?? [];
  }

  /** For `DynamicState.warming`. */
  get warming(): { readonly clusters: number; readonly listeners: number } {
    return { clusters: this.#clusters.warmingCount, listeners: this.#listeners.warmingCount };
  }

  /** What is served now, as the changes told it; without the members that DNS finds. */
  get served(): Omit<Snapshot, 'generation' | 'runtime'> {
    const { listeners, clusters, assignments, routes, secrets } = this.#changes;
    return {
      listeners: listeners.served,
      clusters: clusters.served,
      assignments: assignments.served,
      routes: routes.served,
      secrets: secrets.served,
    };
  }

  /** A request of a worker waits for something. It comes as a change, or `onRefusedDemand` follows. */
  demand(asked: OnDemandName, worker: number): void {
    const { onDemand: hosts } = this.#routes.virtualHosts;
    if (asked.kind === 'cluster') this.#demandedClusters.ask(asked.name, worker);
    else hosts.ask(asked.routeConfiguration, asked.host, worker);
  }

  /** None of that worker waits for it any more. */
  endDemand(asked: OnDemandName, worker: number): void {
    const { onDemand: hosts } = this.#routes.virtualHosts;
    if (asked.kind === 'cluster') this.#demandedClusters.names.leave(asked.name, worker);
    else hosts.leave(asked.routeConfiguration, asked.host, worker);
  }

  /** For `DynamicState.onDemand`. */
  get demanded(): readonly OnDemandStatus[] {
    const { onDemand: hosts } = this.#routes.virtualHosts;
    return [...this.#demandedClusters.names.statuses('cluster'), ...hosts.names.statuses('virtual-host')];
  }

  /** Begins with the static resources. Once. Returns those that cannot be, with which nothing should go on. */
  start(): readonly RefusedResource[] {
    const { clusters, listeners, runtimeLayers } = this.#options.bootstrap;
    const refused: RefusedResource[] = [];
    for (const cluster of clusters) {
      const problems = new Problems();
      this.#clusters.checkSource(cluster, problems);
      if (problems.isEmpty) this.#clusters.put(cluster);
      else refused.push({ name: cluster.name, problems: problems.list });
    }
    for (const listener of listeners) {
      const problems = new Problems();
      this.#listeners.checkSources(listener, problems);
      if (problems.isEmpty) this.#listeners.put(listener);
      else refused.push({ name: listener.name, problems: problems.list });
    }
    this.#layers.subscribe(runtimeLayers);
    this.#names?.subscribe();
    this.#isStarted = true;
    this.#flushLater();
    return refused;
  }

  /** Files of secrets are not followed any more. */
  stop(): void {
    this.#secrets.stop();
  }

  #flushLater(): void {
    if (this.#isFlushDue || !this.#isStarted) return;
    this.#isFlushDue = true;
    this.#options.turns.defer(() => {
      this.#isFlushDue = false;
      const steps = this.#flush();
      if (!isDoneInSlice(steps, this.#options.clock)) this.#flushOn(steps);
    });
  }

  /** The rest in turns that are one for all who wait for the end of one: what comes in between is of the next change. */
  #flushOn(steps: Iterator<unknown>): void {
    const { turns, clock } = this.#options;
    turns.begin();
    const goOn = (): void => {
      if (isDoneInSlice(steps, clock)) turns.end();
      else turns.later(goOn);
    };
    turns.later(goOn);
  }

  /**
   * Routes before the listeners that wait for them; what is let go before the clusters that it named. In steps, of which only
   * the last tells what changed: 10,000 clusters that leave with their members are 50 ms of CPU.
   */
  *#flush(): Generator<unknown, void> {
    this.#routes.settle();
    this.#listeners.settle();
    this.#extensions.resources.letGoUnused();
    this.#routes.resources.letGoUnused();
    this.#routes.virtualHosts.letGoUnused();
    yield* this.#clusters.dropUnused();
    yield* this.#clusters.members.letGoUnusedInSteps();
    this.#secrets.letGoUnused();
    const stage = this.#initialFetch.advance({
      hasRuntime: this.#layers.areKnown,
      hasClusters: this.#clusters.unserved.size === 0,
      hasListeners: this.#listeners.warmingCount === 0,
    });
    if (stage === 'runtime' || stage === 'clusters') return;
    const change = this.#changes.take();
    if (change !== undefined) this.#options.onChange(change);
    if (stage === 'complete' && !this.#isReady) {
      this.#isReady = true;
      this.#options.onReady();
    }
  }

  #makeDemandedClusters(): OnDemandClusterNames {
    const { bootstrap, onRefusedDemand } = this.#options;
    const { ads, clusters } = bootstrap.dynamicResources;
    return new OnDemandClusterNames(this.#context, {
      ads,
      isWildcard: clusters?.kind === 'ads',
      resources: () => this.#clusters.resources,
      refuse: (name, workers, why) => onRefusedDemand?.({ kind: 'cluster', name }, workers, why),
    });
  }

  #makeClusters(): ClusterAssembly {
    const { bootstrap } = this.#options;
    const names = bootstrap.clusters.map(({ name }) => name);
    return new ClusterAssembly(this.#context, {
      secrets: this.#secrets,
      reservedNames: new Set([...names, ...bootstrap.grpcClusters.keys()]),
      defaultBind: bootstrap.defaultBindAddress,
      onDemand: this.#demandedClusters,
      onAnswer: () => this.#initialFetch.clusters.onAnswer(),
    });
  }

  #makeListeners(): ListenerAssembly {
    const { bootstrap, sockets, drainTimeMs, runtime } = this.#options;
    return new ListenerAssembly(this.#context, {
      routes: this.#routes,
      secrets: this.#secrets,
      extensions: this.#extensions,
      onDemandProblem: () => this.#demandedClusters.problem,
      sockets,
      reservedNames: new Set(bootstrap.listeners.map(({ name }) => name)),
      unserved: this.#clusters.unserved,
      drainTimeMs,
      runtime,
      traceProvider: bootstrap.traceProvider,
      offersUws: bootstrap.offersUws ?? false,
      onAnswer: () => this.#initialFetch.listeners.onAnswer(),
    });
  }

  #makeTypes(): readonly TypeAssembly[] {
    const { virtualHosts } = this.#routes;
    return [
      namedType(this.#layers.resources),
      wholeType(this.#clusters.resources),
      namedType(this.#clusters.members),
      wholeType(this.#listeners.resources),
      namedType(this.#routes.resources),
      { ...namedType(this.#secrets.resources), statuses: () => this.#secrets.statuses() },
      ...(this.#names === undefined ? [] : [wholeType(this.#names.resources)]),
      namedType(this.#extensions.resources),
      { type: virtualHosts.type, setOf: (name) => virtualHosts.setOf(name), statuses: () => virtualHosts.statuses() },
    ];
  }

  #typeOf(typeUrl: string): TypeAssembly {
    const found = this.#types.find(({ type }) => type.typeUrl === typeUrl);
    if (found === undefined) throw new Error(`nothing takes resources of ${typeUrl}`);
    return found;
  }
}

interface TypeAssembly {
  readonly type: ResourceType;
  readonly setOf: (sourceName: string) => ResourceSet<unknown>;
  readonly statuses: () => readonly ResourceStatus[];
}

function wholeType(set: ResourceSet<unknown>): TypeAssembly {
  return { type: set.type, setOf: () => set, statuses: () => set.statuses() };
}

function namedType<T, User>(resources: SubscribedType<T, User>): TypeAssembly {
  return {
    type: resources.type,
    setOf: (sourceName) => resources.resourceSet(sourceName),
    statuses: () => resources.statuses(),
  };
}

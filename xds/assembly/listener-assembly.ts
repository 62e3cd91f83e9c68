// Listeners: which state of each serves, and which newer one waits for its routes and secrets.
//
// A listener serves when the state of each of its route configurations and secrets is known or known not to come, and no cluster that
// it names itself is warming. Until then its older state does. Its sockets are opened when it arrives, so that an address
// that cannot be had is a refusal.
//
// One that discovers configurations of its filters waits for them first; with each that changes it is made anew. https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/lds

import type { Listener } from '../../config/listener.ts';
import { Problems } from '../../config/problems.ts';
import { asksForClusters, clustersOfListener, collectorsOfListener, namedRoutesOf } from '../../config/references.ts';
import { secretsOfListener } from '../../config/secret-references.ts';
import type { TraceProvider } from '../../config/tracing.ts';
import type { RuntimeValues } from '../decode/runtime.ts';
import type { WrittenListener } from '../decode/written-listener.ts';
import { listenerDecoder } from '../resource/listener-resource.ts';
import { type Removal, ResourceSet, type ResourceUser } from '../resource/resource-set.ts';
import type { AssemblyContext } from './assembly-context.ts';
import { ClusterWait } from './cluster-wait.ts';
import type { DiscoveringListener, ExtensionAssembly } from './extension-assembly.ts';
import { ListenerAddresses } from './listener-addresses.ts';
import type { RouteAssembly, Routes } from './route-assembly.ts';
import type { SecretAssembly, UsedSecrets } from './secret-assembly.ts';

/** One state of a listener. It uses its routes as long as it serves or is to serve. */
interface ListenerVersion {
  readonly listener: Listener;
  readonly routes: readonly Routes[];
  /** Only new connections need them. */
  readonly secrets: UsedSecrets;
  /** Clusters that it names itself, those of its telemetry included. */
  readonly references: ReadonlySet<string>;
  readonly wait: ClusterWait;
}

/** Sockets and log files on the main thread. */
export interface ListenerSockets {
  /**
   * Opens those that are not open; the reason when one cannot be. Closes what an earlier state was prepared for. `older` is
   * the state that serves. Nobody else has one of the addresses, but workers may still be told so.
   */
  prepare(listener: Listener, older: Listener | undefined): string | undefined;
  /** Closes those that were prepared for a listener of this name and do not serve. */
  discard(name: string): void;
  /** Opens the log files that are not open; a sentence when one cannot be. */
  openLogs(listener: Listener): string | undefined;
}

export interface ListenerAssemblyOptions {
  readonly routes: RouteAssembly;
  readonly secrets: SecretAssembly;
  readonly extensions: ExtensionAssembly;
  /** Why clusters cannot be asked for on demand. */
  readonly onDemandProblem: () => string | undefined;
  readonly sockets: ListenerSockets;
  /** Names that a control plane may not take: those of static listeners. */
  readonly reservedNames: ReadonlySet<string>;
  /** Clusters that are warming and have no older state that serves. */
  readonly unserved: ReadonlySet<string>;
  /** How long connections of a state that was replaced or removed may still need its routes. */
  readonly drainTimeMs: number;
  /** Values of now. */
  readonly runtime: () => RuntimeValues;
  /** Of connection managers that trace and name none. */
  readonly traceProvider: TraceProvider | undefined;
  /** Listeners may ask for uWebSockets.js. */
  readonly offersUws: boolean;
  /** The end of a response. */
  readonly onAnswer: () => void;
}

export class ListenerAssembly implements ResourceUser<WrittenListener> {
  readonly resources: ResourceSet<WrittenListener>;
  readonly #context: AssemblyContext;
  readonly #options: ListenerAssemblyOptions;
  readonly #entries = new Map<string, ListenerEntry>();
  readonly #warming = new Set<ListenerEntry>();
  /** Those whose filters found something, or wait for it. */
  readonly #unfilled = new Set<ListenerEntry>();
  readonly #addresses = new ListenerAddresses();

  constructor(context: AssemblyContext, options: ListenerAssemblyOptions) {
    this.#context = context;
    this.#options = options;
    this.resources = new ResourceSet({
      decoder: listenerDecoder(options.runtime, options),
      user: this,
      clock: context.clock,
    });
  }

  /** How many have a newer state that waits. */
  get warmingCount(): number {
    let count = this.#warming.size;
    for (const entry of this.#unfilled) if (entry.awaited !== undefined && entry.warming === undefined) count++;
    return count;
  }

  set({ name, value }: { readonly name: string; readonly value: WrittenListener }, problems: Problems): void {
    const { extensions, reservedNames, sockets } = this.#options;
    const { listener } = value;
    if (reservedNames.has(name))
      problems.at('name').add('is the name of a static listener, which a control plane may not change');
    const taken = this.#addresses.problemWith(listener);
    if (taken !== undefined) problems.at('address').add(taken);
    this.checkSources(listener, problems);
    extensions.checkSources(value, problems.at('filter_chains'));
    if (!problems.isEmpty) return;
    const discovering = value.discovered.length === 0 ? undefined : this.#discover(value, problems);
    const older = this.#entries.get(name)?.active?.listener;
    const unbound = problems.isEmpty ? sockets.prepare(listener, older) : undefined;
    if (unbound !== undefined) problems.at('address').add(unbound);
    if (!problems.isEmpty) discovering?.stop();
    else if (discovering === undefined) this.put(listener);
    else this.#await(listener, discovering);
  }

  /** With problems when what is there already does not go with the listener. */
  #discover(value: WrittenListener, problems: Problems): DiscoveringListener {
    const { name } = value.listener;
    const discovering = this.#options.extensions.use(value, {
      check: (listener, found) => this.checkSources(listener, found),
      onChange: () => {
        const entry = this.#entries.get(name);
        if (entry?.discovering !== discovering) return;
        this.#unfilled.add(entry);
        this.#context.onDue();
      },
    });
    const listener = discovering.fill('awaited', problems);
    if (listener !== undefined && problems.isEmpty) this.checkSources(listener, problems);
    return discovering;
  }

  /** Whether routes and secrets can come from where they are said to, and logs can go to where they are to go. */
  checkSources(listener: Listener, problems: Problems): void {
    const { sources } = this.#context;
    const unopened = this.#options.sockets.openLogs(listener);
    if (unopened !== undefined) problems.add(unopened);
    const place = problems.at('filter_chains');
    this.#options.secrets.checkSources(secretsOfListener(listener), place);
    const demand = asksForClusters(listener) ? this.#options.onDemandProblem() : undefined;
    if (demand !== undefined) place.add(`clusters on demand: ${demand}`);
    for (const { name, source } of namedRoutesOf(listener)) {
      const problem = sources.problemWith(source);
      if (problem !== undefined) place.add(`route configuration ${JSON.stringify(name)}: ${problem}`);
      const other = this.#options.routes.resources.otherSourceOf(source, name);
      if (other !== undefined) {
        place.add(`route configuration ${JSON.stringify(name)} comes from ${other} already, for another listener`);
      }
    }
  }

  /** A new listener, or a new state of a known one. */
  put(listener: Listener): void {
    const entry = this.#entryOf(listener.name);
    this.#stopDiscovering(entry);
    this.#warm(entry, listener);
  }

  /** An older state serves on as it is. */
  #await(listener: Listener, discovering: DiscoveringListener): void {
    const entry = this.#entryOf(listener.name);
    this.#addresses.take(listener);
    this.#stopDiscovering(entry);
    entry.discovering = discovering;
    entry.awaited = listener;
    this.#unfilled.add(entry);
    this.#context.onDue();
  }

  #stopDiscovering(entry: ListenerEntry): void {
    const { awaited, discovering } = entry;
    discovering?.stop();
    entry.discovering = undefined;
    entry.awaited = undefined;
    this.#unfilled.delete(entry);
    if (awaited !== undefined) this.#giveBackAddresses(entry, awaited);
  }

  /** With what came, once all of it did. What does not go together leaves the listener as it is. */
  #fill(entry: ListenerEntry): void {
    const discovering = entry.discovering!;
    if (entry.awaited !== undefined && !discovering.isSettled(entry.active !== undefined)) return;
    this.#unfilled.delete(entry);
    const problems = new Problems();
    const listener = discovering.fill('missing', problems);
    if (listener === undefined || !problems.isEmpty) return;
    entry.awaited = undefined;
    // A manager that lacks a filter answers by itself, but its routes are subscribed to as before, as in Envoy.
    const routed = discovering.lacksFilter ? discovering.fill('awaited', problems) : listener;
    this.#warm(entry, listener, routed);
  }

  /** `routed` names the routes that it uses. */
  #warm(entry: ListenerEntry, listener: Listener, routed = listener): void {
    const version = this.#makeVersion(listener, routed);
    this.#addresses.take(listener);
    const { warming } = entry;
    entry.warming = version;
    this.#warming.add(entry);
    // After the new state uses its routes: the same ones are not let go in between.
    if (warming !== undefined) this.#discard(entry, warming);
    this.#context.onDue();
  }

  #entryOf(name: string): ListenerEntry {
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      entry = { name, active: undefined, warming: undefined, discovering: undefined, awaited: undefined };
      this.#entries.set(name, entry);
    }
    return entry;
  }

  remove(name: string): Removal {
    const { changes, onDue } = this.#context;
    const entry = this.#entries.get(name)!;
    const { warming, active, awaited } = entry;
    this.#entries.delete(name);
    this.#warming.delete(entry);
    entry.warming = undefined;
    entry.active = undefined;
    this.#stopDiscovering(entry);
    onDue();
    if (warming !== undefined) this.#discard(entry, warming);
    if (warming !== undefined || awaited !== undefined) this.#options.sockets.discard(name);
    if (active === undefined) return 'gone';
    changes.listeners.remove(name);
    this.#retire(entry, active);
    this.#drain(active, () => this.resources.onDrained(name));
    return 'draining';
  }

  onAnswer(): void {
    this.#options.onAnswer();
  }

  stateOf(name: string): 'active' | 'warming' {
    const entry = this.#entries.get(name);
    return entry?.warming === undefined && entry?.awaited === undefined ? 'active' : 'warming';
  }

  /** Serves what misses nothing any more. At the end of a turn, after the routes. */
  settle(): void {
    for (const entry of this.#unfilled) this.#fill(entry);
    for (const entry of this.#warming) {
      const version = entry.warming!;
      if (this.#isComplete(version, entry.active !== undefined)) this.#serve(entry, version);
    }
  }

  #isComplete({ routes, secrets, wait, references }: ListenerVersion, hasOlder: boolean): boolean {
    const { routes: known } = this.#options;
    if (!this.#options.secrets.areSettled(secrets, hasOlder)) return false;
    for (const each of routes) if (!known.isSettled(each, hasOlder)) return false;
    return wait.isOver(references);
  }

  #serve(entry: ListenerEntry, version: ListenerVersion): void {
    const { changes, references } = this.#context;
    const { active } = entry;
    version.wait.stop();
    this.#warming.delete(entry);
    entry.warming = undefined;
    entry.active = version;
    changes.listeners.set(entry.name, version.listener);
    references.add(version.references);
    if (active === undefined) return;
    this.#retire(entry, active);
    if (active.routes.every((routes) => version.routes.includes(routes))) this.#releaseRoutes(active);
    else this.#drain(active, () => undefined);
  }

  /** It does not serve new connections any more. */
  #retire(entry: ListenerEntry, version: ListenerVersion): void {
    this.#context.references.remove(version.references);
    this.#options.secrets.release(version.secrets);
    this.#giveBackAddresses(entry, version.listener);
  }

  /** Connections that are drained still find their routes. */
  #drain(version: ListenerVersion, onOver: () => void): void {
    const { schedule, onDue } = this.#context;
    schedule(this.#options.drainTimeMs, () => {
      this.#releaseRoutes(version);
      onOver();
      onDue();
    });
  }

  /** It never served. */
  #discard(entry: ListenerEntry, version: ListenerVersion): void {
    version.wait.stop();
    this.#releaseRoutes(version);
    this.#options.secrets.release(version.secrets);
    this.#giveBackAddresses(entry, version.listener);
  }

  #releaseRoutes(version: ListenerVersion): void {
    for (const routes of version.routes) this.#options.routes.resources.release(routes, version);
  }

  #giveBackAddresses({ active, warming, awaited }: ListenerEntry, listener: Listener): void {
    const others = [active?.listener, warming?.listener, awaited].filter((each) => each !== undefined);
    this.#addresses.release(listener, others);
  }

  #makeVersion(listener: Listener, routed: Listener): ListenerVersion {
    const { routes, unserved } = this.#options;
    const { schedule, onDue } = this.#context;
    const used: Routes[] = [];
    const wait = new ClusterWait({ unserved, schedule, onOver: onDue });
    const references = new Set([...clustersOfListener(listener), ...collectorsOfListener(listener)]);
    const secrets = this.#options.secrets.use(secretsOfListener(listener), onDue);
    const version = { listener, routes: used, secrets, references, wait };
    for (const { name, source } of namedRoutesOf(routed)) used.push(routes.resources.use(source, name, version));
    return version;
  }
}

interface ListenerEntry {
  readonly name: string;
  active: ListenerVersion | undefined;
  warming: ListenerVersion | undefined;
  /** What makes its newest state, where that discovers configurations of filters. */
  discovering: DiscoveringListener | undefined;
  /** Until that state has what it waits for: without it. */
  awaited: Listener | undefined;
}

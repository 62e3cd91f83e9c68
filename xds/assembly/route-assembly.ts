// Route configurations that listeners have by name: which state of each serves. A new one waits for the clusters that it
// names and that are warming, so that no request is sent to a cluster that is about to exist, and for its virtual hosts where
// they arrive apart from it.

import type { GrpcApi } from '../../config/config-source.ts';
import { clustersOfRoutes } from '../../config/references.ts';
import type { RouteConfiguration } from '../../config/route.ts';
import { routeConfigurationDecoder } from '../resource/route-configuration-resource.ts';
import type { AssemblyContext } from './assembly-context.ts';
import { ClusterWait } from './cluster-wait.ts';
import type { OnDemandNamesOptions } from './on-demand-names.ts';
import { isSettled, type SubscribedResource, SubscribedType } from './subscribed-type.ts';
import { VirtualHostAssembly } from './virtual-host-assembly.ts';

/** Used by states of listeners. */
export type Routes = SubscribedResource<RouteConfiguration, object>;

export class RouteAssembly {
  readonly resources: SubscribedType<RouteConfiguration, object>;
  readonly virtualHosts: VirtualHostAssembly;
  readonly #context: AssemblyContext;
  readonly #unserved: ReadonlySet<string>;
  /** The accepted state of each name that is used, as it was sent. */
  readonly #accepted = new Map<string, RouteConfiguration>();
  /** Virtual hosts of these changed in this turn. */
  readonly #changed = new Set<string>();
  /** Accepted states that do not serve yet, by name. */
  readonly #pending = new Map<string, PendingRoutes>();
  /** Clusters that the served state of a name refers to: found once for each state. */
  readonly #references = new Map<string, ReadonlySet<string>>();

  constructor(context: AssemblyContext, { unserved, ads, refuse }: RouteAssemblyOptions) {
    const { sources, clock, observer } = context;
    this.#context = context;
    this.#unserved = unserved;
    this.resources = new SubscribedType<RouteConfiguration, object>({
      decoder: routeConfigurationDecoder,
      sources,
      clock,
      removal: 'ignored',
      observer,
      check: (_routes, value, problems) => this.virtualHosts.check(value, problems),
      onChange: (routes, wasMissing) => this.#onRoutes(routes, wasMissing),
      onLetGo: (routes) => this.#onLetGo(routes),
      stateOf: (name) => (this.#pending.has(name) ? 'warming' : 'active'),
    });
    this.virtualHosts = new VirtualHostAssembly(context, {
      isAdsDelta: ads?.protocol !== 'state-of-the-world',
      routesNamed: (name) => this.#accepted.get(name),
      refuse,
      onChange: (name) => {
        this.#changed.add(name);
        context.onDue();
      },
    });
  }

  /** Whether a listener has what it may wait for. `hasOlder`: an older state of the listener serves. */
  isSettled(routes: Routes, hasOlder: boolean): boolean {
    return this.#references.has(routes.name) || (routes.value === undefined && isSettled(routes, hasOlder));
  }

  /** Serves what has waited enough. At the end of a turn. */
  settle(): void {
    for (const name of this.#changed) {
      const accepted = this.#accepted.get(name);
      if (accepted?.virtualHostSource !== undefined) this.#wait(name, accepted);
    }
    this.#changed.clear();
    for (const [name, pending] of this.#pending) {
      if (this.virtualHosts.isSettled(this.#accepted.get(name)!) && pending.wait.isOver(pending.references)) {
        this.#serve(name, pending);
      }
    }
  }

  #onRoutes({ name, value }: Routes, wasMissing: boolean): void {
    this.#context.onDue();
    if (value === undefined) return;
    this.#accepted.set(name, value);
    this.virtualHosts.use(value);
    const pending = this.#wait(name, value);
    // A listener that serves without them answers 404: whatever they can route to is better.
    if (wasMissing) this.#serve(name, pending);
  }

  #wait(name: string, accepted: RouteConfiguration): PendingRoutes {
    const { schedule, onDue } = this.#context;
    const older = this.#pending.get(name);
    // Of several states that wait, the last one serves when the time of the first is over.
    const wait = older?.wait ?? new ClusterWait({ unserved: this.#unserved, schedule, onOver: onDue });
    const routes = this.virtualHosts.merged(accepted);
    const pending = { routes, references: clustersOfRoutes(routes), wait };
    this.#pending.set(name, pending);
    return pending;
  }

  #onLetGo({ name }: Routes): void {
    const { changes, references } = this.#context;
    this.#accepted.delete(name);
    this.virtualHosts.release(name);
    this.#pending.get(name)?.wait.stop();
    this.#pending.delete(name);
    changes.routes.remove(name);
    references.remove(this.#references.get(name) ?? none);
    this.#references.delete(name);
  }

  #serve(name: string, { routes, references: names, wait }: PendingRoutes): void {
    const { changes, references } = this.#context;
    wait.stop();
    this.#pending.delete(name);
    changes.routes.set(name, routes);
    references.add(names);
    references.remove(this.#references.get(name) ?? none);
    this.#references.set(name, names);
  }
}

export interface RouteAssemblyOptions {
  /** Clusters that are warming and have no older state that serves. */
  readonly unserved: ReadonlySet<string>;
  /** The aggregated stream, if there is one. */
  readonly ads: GrpcApi | undefined;
  /** Of requests that asked for a host. */
  readonly refuse: OnDemandNamesOptions['refuse'];
}

interface PendingRoutes {
  readonly routes: RouteConfiguration;
  readonly references: ReadonlySet<string>;
  readonly wait: ClusterWait;
}

const none: ReadonlySet<string> = new Set();

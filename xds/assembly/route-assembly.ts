// Route configurations that listeners have by name: which state of each serves. A new one waits for the clusters that it
// names and that are warming, so that no request is sent to a cluster that is about to exist.

import { clustersOfRoutes } from '../../config/references.ts';
import type { RouteConfiguration } from '../../config/route.ts';
import { routeConfigurationDecoder } from '../resource/route-configuration-resource.ts';
import type { AssemblyContext } from './assembly-context.ts';
import { ClusterWait } from './cluster-wait.ts';
import { isSettled, type SubscribedResource, SubscribedType } from './subscribed-type.ts';

/** Used by states of listeners. */
export type Routes = SubscribedResource<RouteConfiguration, object>;

export class RouteAssembly {
  readonly resources: SubscribedType<RouteConfiguration, object>;
  readonly #context: AssemblyContext;
  readonly #unserved: ReadonlySet<string>;
  /** Accepted states that do not serve yet, by name. */
  readonly #pending = new Map<string, PendingRoutes>();
  /** Clusters that the served state of a name refers to: found once for each state. */
  readonly #references = new Map<string, ReadonlySet<string>>();

  /** `unserved` are the clusters that are warming and have no older state that serves. */
  constructor(context: AssemblyContext, unserved: ReadonlySet<string>) {
    const { sources, clock } = context;
    this.#context = context;
    this.#unserved = unserved;
    this.resources = new SubscribedType<RouteConfiguration, object>({
      decoder: routeConfigurationDecoder,
      sources,
      clock,
      removal: 'ignored',
      onChange: (routes, wasMissing) => this.#onRoutes(routes, wasMissing),
      onLetGo: (routes) => this.#onLetGo(routes),
      stateOf: (name) => (this.#pending.has(name) ? 'warming' : 'active'),
    });
  }

  /** Whether a listener has what it may wait for. `hasOlder`: an older state of the listener serves. */
  isSettled(routes: Routes, hasOlder: boolean): boolean {
    return this.#references.has(routes.name) || (routes.value === undefined && isSettled(routes, hasOlder));
  }

  /** Serves what has waited enough. At the end of a turn. */
  settle(): void {
    for (const [name, pending] of this.#pending)
      if (pending.wait.isOver(pending.references)) this.#serve(name, pending);
  }

  #onRoutes({ name, value }: Routes, wasMissing: boolean): void {
    const { schedule, onDue } = this.#context;
    onDue();
    if (value === undefined) return;
    const older = this.#pending.get(name);
    // Of several states that wait, the last one serves when the time of the first is over.
    const wait = older?.wait ?? new ClusterWait({ unserved: this.#unserved, schedule, onOver: onDue });
    const pending = { routes: value, references: clustersOfRoutes(value), wait };
    // A listener that serves without them answers 404: whatever they can route to is better.
    if (wasMissing) this.#serve(name, pending);
    else this.#pending.set(name, pending);
  }

  #onLetGo({ name }: Routes): void {
    const { changes, references } = this.#context;
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

interface PendingRoutes {
  readonly routes: RouteConfiguration;
  readonly references: ReadonlySet<string>;
  readonly wait: ClusterWait;
}

const none: ReadonlySet<string> = new Set();

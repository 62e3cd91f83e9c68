// Clusters that requests asked for by name (ODCDS), over the aggregated stream.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/on_demand_updates_filter

import type { Cluster } from '../../config/cluster.ts';
import type { GrpcApi } from '../../config/config-source.ts';
import { wildcard } from '../client/discovery.ts';
import type { OnDemandAnswers, ResourceSet } from '../resource/resource-set.ts';
import type { AssemblyContext } from './assembly-context.ts';
import { OnDemandNames, type OnDemandNamesOptions } from './on-demand-names.ts';
import type { ResourceSources } from './subscribed-type.ts';

export interface OnDemandClustersOptions extends Pick<OnDemandNamesOptions, 'refuse'> {
  /** The aggregated stream, if there is one. */
  readonly ads: GrpcApi | undefined;
  /** Everything is subscribed to as well: the control plane says what of it goes. */
  readonly isWildcard: boolean;
  readonly resources: () => ResourceSet<Cluster>;
}

// A request has a time of its own.
const source = { kind: 'ads', initialFetchTimeoutMs: 0 } as const;

export class OnDemandClusterNames implements OnDemandAnswers {
  readonly names: OnDemandNames;
  readonly #context: Pick<AssemblyContext, 'sources'>;
  readonly #options: OnDemandClustersOptions;

  constructor(context: Pick<AssemblyContext, 'sources' | 'clock'>, options: OnDemandClustersOptions) {
    const { resources, isWildcard, refuse } = options;
    this.#context = context;
    this.#options = options;
    this.names = new OnDemandNames({
      subscribe: (name) => this.#subscriptions.subscribe(resources().type.typeUrl, name, 0),
      unsubscribe: (name) => this.#subscriptions.unsubscribe(resources().type.typeUrl, name),
      forget: (name) => {
        if (isWildcard) resources().forgetRefused(name);
        else resources().onUpdate({ version: '', resources: [], removed: [name] });
      },
      refuse,
      clock: context.clock,
    });
  }

  /** Why none can come; undefined when they can. */
  get problem(): string | undefined {
    const problem = this.#context.sources.problemWith(source);
    const isDelta = this.#options.ads?.protocol !== 'state-of-the-world';
    return problem ?? (isDelta ? undefined : 'ads_config must be DELTA_GRPC for that');
  }

  /** Requests choose names: the one that stands for all clusters would subscribe to all, and end that when it made room. */
  ask(name: string, worker: number): void {
    if (this.problem === undefined && name !== wildcard) this.names.ask(name, worker);
    else this.#options.refuse(name, [worker], 'absent');
  }

  /** Clusters are asked for by their own names: with one that came by an alias alone no name would go that takes it along. */
  onCame(name: string, aliases: readonly string[], isHeld: boolean): void {
    if (!isHeld) this.names.onGone(name);
    else if (this.names.has(name)) this.names.onCame(name);
    else if (!this.#options.isWildcard && aliases.some((alias) => this.names.has(alias))) {
      this.#options.resources().onUpdate({ version: '', resources: [], removed: [name] });
    }
  }

  onGone(name: string): void {
    this.names.onGone(name);
  }

  /** Without the subscription to all, what was kept is given to who asks for it, and subscribed to with that. */
  isAsked(name: string): boolean {
    return this.#options.isWildcard && this.names.has(name);
  }

  get #subscriptions(): ReturnType<ResourceSources['subscriptions']> {
    return this.#context.sources.subscriptions(source, this.#options.resources().type);
  }
}

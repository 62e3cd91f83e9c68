// The start, in Envoy's order: runtime values, then clusters with their members, then listeners with their routes. Each
// is waited for no longer than the `initial_fetch_timeout` of its source.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/operations/init

import type { ConfigSource } from '../../config/config-source.ts';
import { type ResourceType, type Schedule, wildcard } from '../client/discovery.ts';
import type { ResourceSources } from './subscribed-type.ts';

/** Of a type that is subscribed to as a whole. */
export interface WholeType {
  readonly type: ResourceType;
  /** Undefined when the bootstrap names none. */
  readonly source: ConfigSource | undefined;
}

export interface InitialFetchOptions {
  readonly clusters: WholeType;
  readonly listeners: WholeType;
  readonly sources: ResourceSources;
  readonly schedule: Schedule;
  readonly onDue: () => void;
}

/** What is missing now. */
export interface Progress {
  readonly hasRuntime: boolean;
  /** No cluster is warming that does not serve in an older state. */
  readonly hasClusters: boolean;
  /** No listener is warming. */
  readonly hasListeners: boolean;
}

export type Stage = 'runtime' | 'clusters' | 'listeners' | 'complete';

export class InitialFetch {
  readonly clusters: FirstAnswer;
  readonly listeners: FirstAnswer;
  #stage: Stage = 'runtime';

  constructor(options: InitialFetchOptions) {
    this.clusters = new FirstAnswer(options.clusters, options);
    this.listeners = new FirstAnswer(options.listeners, options);
  }

  /** As far as it goes. Listeners are asked for when the clusters are known, though these may still be warming. */
  advance({ hasRuntime, hasClusters, hasListeners }: Progress): Stage {
    if (this.#stage === 'runtime' && hasRuntime) {
      this.clusters.ask();
      this.#stage = 'clusters';
    }
    if (this.#stage === 'clusters' && this.clusters.isKnown) {
      this.listeners.ask();
      if (hasClusters) this.#stage = 'listeners';
    }
    if (this.#stage === 'listeners' && this.listeners.isKnown && hasListeners) this.#stage = 'complete';
    return this.#stage;
  }
}

/** The first answer to a subscription to everything. */
class FirstAnswer {
  readonly #whole: WholeType;
  readonly #options: InitialFetchOptions;
  #isAsked = false;
  #isAnswered = false;
  #stopWaiting: () => void = () => undefined;

  constructor(whole: WholeType, options: InitialFetchOptions) {
    this.#whole = whole;
    this.#options = options;
  }

  /** It came, or its time is over. What was kept from an earlier run is an answer, too. */
  get isKnown(): boolean {
    return this.#isAsked && this.#isAnswered;
  }

  ask(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    const { type, source } = this.#whole;
    if (source === undefined) {
      this.#isAnswered = true;
      return;
    }
    const { sources, schedule } = this.#options;
    const { initialFetchTimeoutMs } = source;
    if (!this.#isAnswered && initialFetchTimeoutMs > 0) {
      this.#stopWaiting = schedule(initialFetchTimeoutMs, () => this.onAnswer());
    }
    sources.subscriptions(source, type).subscribe(type.typeUrl, wildcard, initialFetchTimeoutMs);
  }

  onAnswer(): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#stopWaiting();
    this.#options.onDue();
  }
}

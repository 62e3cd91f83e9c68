// Everything that a control plane has to do with, behind one door: sources that are followed, the assembler that makes
// one configuration of what they send, and what an operator may ask about both.
//
// Loaded only by a process that has a control plane: gRPC and the wire formats are a third of the program.

import type { Bootstrap } from '../config/bootstrap.ts';
import type { DynamicState, ResourceStatus, SourceStatus } from '../config/dynamic-state.ts';
import type { OnDemandName, OnDemandStatus } from '../config/on-demand.ts';
import { ConfigError } from '../config/problems.ts';
import type { Random } from '../config/random.ts';
import { Assembler, type AssemblerOptions } from './assembly/assembler.ts';
import type { AssemblyObserver } from './assembly/assembly-observer.ts';
import { ConfigSources, type OwnSecrets } from './client/config-sources.ts';
import type { DiscoveryLog } from './client/discovery.ts';
import type { DiscoveryObserver } from './client/discovery-observer.ts';
import { LongTurns } from './client/long-turns.ts';
import { cacheIdentity, openResourceCache, type ResourceCache } from './client/resource-cache.ts';
import { given } from './decode/given.ts';

export interface DynamicConfigurationOptions extends Omit<AssemblerOptions, 'bootstrap' | 'sources' | 'turns'> {
  readonly bootstrap: Bootstrap;
  /** Calls back at the end of this turn of the event loop. */
  readonly defer: (callback: () => void) => void;
  readonly random: Random;
  readonly log: DiscoveryLog;
  readonly observer?: DiscoveryObserver & AssemblyObserver;
  /** Where accepted resources are kept for the next start; undefined keeps none. */
  readonly cacheDirectory?: string;
  /** The identity of this process, when it keeps one itself. */
  readonly ownSecrets?: OwnSecrets;
}

export class DynamicConfiguration implements DynamicState {
  readonly #assembler: Assembler;
  readonly #sources: ConfigSources;
  readonly #cache: ResourceCache | undefined;

  constructor(options: DynamicConfigurationOptions) {
    const { bootstrap, clock, random, schedule, log, observer, cacheDirectory: directory } = options;
    const turns = new LongTurns(options.defer);
    const { defer } = turns;
    this.#cache =
      directory === undefined
        ? undefined
        : openResourceCache({ directory, identity: cacheIdentity(bootstrap), schedule, log });
    this.#sources = new ConfigSources({
      bootstrap,
      types: () => this.#assembler.types,
      makeConsumer: (type, sourceName) => this.#assembler.consumer(type, sourceName),
      clock,
      random,
      schedule,
      defer,
      turns,
      log,
      ...given('observer', observer),
      ...given('cache', this.#cache),
      ...given('ownSecrets', options.ownSecrets),
    });
    this.#assembler = new Assembler({ ...options, turns, sources: this.#sources });
  }

  /** Throws `ConfigError` when static resources need what cannot be had. */
  start(): void {
    const refused = this.#assembler.start();
    if (refused.length > 0) {
      const problems = refused.flatMap(({ name, problems: found }) =>
        found.map(({ path, message }) => ({ path: `${name}: ${path}`, message })),
      );
      throw new ConfigError('static resources', problems);
    }
    this.#sources.start();
  }

  /** A request of a worker waits for something: it comes as a change, or `onRefusedDemand` follows. */
  demand(asked: OnDemandName, worker: number): void {
    this.#assembler.demand(asked, worker);
  }

  /** None of that worker waits for it any more. */
  endDemand(asked: OnDemandName, worker: number): void {
    this.#assembler.endDemand(asked, worker);
  }

  /** Resolves when what was accepted is on the disk. */
  async stop(): Promise<void> {
    this.#sources.stop();
    this.#assembler.stop();
    await this.#cache?.flush();
  }

  sources(): readonly SourceStatus[] {
    return this.#sources.statuses();
  }

  warming(): { readonly clusters: number; readonly listeners: number } {
    return this.#assembler.warming;
  }

  onDemand(): readonly OnDemandStatus[] {
    return this.#assembler.demanded;
  }

  resources(typeUrl: string): readonly ResourceStatus[] {
    return this.#assembler.resources(typeUrl);
  }
}

// All listeners of a worker by name, kept up to date by snapshot deltas. A listener that is removed or replaced, and a
// filter chain that is not there any more, asks its clients to leave over the drain time; then they are closed.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/operations/draining

import type { Address } from '../../config/address.ts';
import type { Listener } from '../../config/listener.ts';
import type { MapDelta } from '../../config/snapshot.ts';
import type { FilterChainRuntime } from '../listener/filter-chain-runtime.ts';
import { ListenerDirectory } from '../listener/listener-directory.ts';
import { type ListenerContext, ListenerRuntime } from '../listener/listener-runtime.ts';
import { Timer, type TimerWheel } from '../reactor/timer-wheel.ts';
import { listenerManagerStats } from '../telemetry/listener-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import { type DrainSequenceOptions, startDrainSequence } from './drain-sequence.ts';
import type { ListenerPlacement } from './messages.ts';

export interface ListenerTableOptions extends Pick<DrainSequenceOptions, 'strategy' | 'drainTimeMs'> {
  readonly context: ListenerContext;
  readonly timers: TimerWheel;
}

/** Clients are asked to leave in the first part of the drain time; what they asked for until then has the rest. */
const askingShare = 0.9;

export class ListenerTable {
  readonly #options: ListenerTableOptions;
  readonly #stats: StatBlock;
  readonly #listeners = new Map<string, ListenerRuntime>();
  readonly #directory = new ListenerDirectory<ListenerRuntime>();
  /** Kept until their last connection is gone. */
  readonly #draining = new Set<ListenerRuntime | FilterChainRuntime>();
  #failsHealthCheck = false;
  /** Which listeners accept nothing any more, those that are still to come too. */
  #stopped: 'none' | 'inbound' | 'all' = 'none';

  constructor(options: ListenerTableOptions) {
    this.#options = options;
    this.#stats = options.context.stats.block(listenerManagerStats);
  }

  /** Applies a delta between two events of the reactor. There is a placement for each listener that it sets. */
  apply(delta: MapDelta<Listener>, placements: ReadonlyMap<string, ListenerPlacement>): void {
    for (const [name, config] of delta.set) this.#set(name, config, placements.get(name)!);
    for (const name of delta.removed) this.#remove(name);
    this.#countDraining();
  }

  /** The listener that is bound to this address. */
  find(address: Address): ListenerRuntime | null {
    return this.#directory.find(address);
  }

  /** Over all listeners, those that are drained too. */
  hasConnections(): boolean {
    for (const listener of this.#listeners.values()) if (listener.openConnections > 0) return true;
    for (const each of this.#draining) if (each.openConnections > 0) return true;
    return false;
  }

  /** Leaves new connections in the kernel's queues, or takes them again. */
  setPaused(isPaused: boolean): void {
    for (const listener of this.#listeners.values()) {
      if (isPaused) listener.pause();
      else listener.resume();
    }
  }

  setFailsHealthCheck(fails: boolean): void {
    this.#failsHealthCheck = fails;
    for (const listener of this.#listeners.values()) listener.setFailsHealthCheck(fails);
  }

  /** Asks clients to leave over the drain time; new ones are accepted. */
  drain(inboundOnly: boolean): void {
    const { timers, strategy, drainTimeMs } = this.#options;
    startDrainSequence({ timers, strategy, drainTimeMs, listeners: this.#concerned(inboundOnly) });
  }

  /** Asks clients to leave now; no new ones are accepted, for good. */
  stop(inboundOnly: boolean): void {
    if (this.#stopped !== 'all') this.#stopped = inboundOnly ? 'inbound' : 'all';
    for (const listener of this.#concerned(inboundOnly)) {
      listener.stopAccepting();
      listener.drain();
    }
    if (!inboundOnly) for (const each of this.#draining) each.drain();
  }

  /** No new connections for good, and every response asks its client to leave. Idle clients stay. */
  handOver(): void {
    this.#stopped = 'all';
    for (const listener of this.#listeners.values()) {
      listener.stopAccepting();
      listener.askToLeave();
    }
  }

  /** Lets go of what is drained; call it every second or so. */
  cleanUp(): void {
    for (const each of this.#draining) {
      if (each.openConnections > 0) continue;
      this.#draining.delete(each);
      each.release();
    }
    this.#countDraining();
  }

  #concerned(inboundOnly: boolean): readonly ListenerRuntime[] {
    const listeners = [...this.#listeners.values()];
    return inboundOnly ? listeners.filter(({ config }) => config.trafficDirection === 'inbound') : listeners;
  }

  #set(name: string, config: Listener, placement: ListenerPlacement): void {
    if (placement.kind === 'filter-chains') {
      for (const chain of this.#listeners.get(name)!.updateFilterChains(config, placement.kept)) this.#retire(chain);
      return;
    }
    const listener = this.#create(config, placement);
    if (this.#failsHealthCheck) listener.setFailsHealthCheck(true);
    this.#remove(name);
    this.#listeners.set(name, listener);
    this.#directory.add(listener);
    const { trafficDirection } = config;
    if (this.#stopped === 'all' || (this.#stopped === 'inbound' && trafficDirection === 'inbound')) {
      listener.stopAccepting();
    }
  }

  #create(config: Listener, placement: Exclude<ListenerPlacement, { kind: 'filter-chains' }>): ListenerRuntime {
    const { context } = this.#options;
    if (placement.kind === 'open') return new ListenerRuntime(config, placement.sockets, context);
    const { limit } = placement;
    const listener = new ListenerRuntime(config, { descriptors: [], ...(limit !== undefined && { limit }) }, context);
    listener.takeSockets(this.#listeners.get(placement.from)!);
    return listener;
  }

  #remove(name: string): void {
    const listener = this.#listeners.get(name);
    if (listener === undefined) return;
    this.#listeners.delete(name);
    this.#directory.remove(listener);
    listener.stopAccepting();
    this.#retire(listener);
  }

  #retire(drained: ListenerRuntime | FilterChainRuntime): void {
    const { timers, strategy, drainTimeMs } = this.#options;
    this.#draining.add(drained);
    startDrainSequence({ timers, strategy, drainTimeMs: drainTimeMs * askingShare, listeners: [drained] });
    timers.schedule(new Timer(() => drained.closeConnections()), drainTimeMs);
  }

  // Every worker states the same fact, more or less: the greatest is shown.
  #countDraining(): void {
    let listeners = 0;
    for (const each of this.#draining) if (each instanceof ListenerRuntime) listeners++;
    this.#stats.set(listenerManagerStats.totalListenersDraining, listeners);
    this.#stats.set(listenerManagerStats.totalFilterChainsDraining, this.#draining.size - listeners);
  }
}

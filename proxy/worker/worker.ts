// A data-plane worker: one reactor, its listeners and clusters, and the snapshot they serve. Everything a request needs
// lives in this thread; the main thread is heard of between two events only.

import type { MessagePort } from 'node:worker_threads';
import { receiveMessageOnPort } from 'node:worker_threads';
import { type Address, formatAddress } from '../../config/address.ts';
import type { Listener } from '../../config/listener.ts';
import type { SnapshotDelta } from '../../config/snapshot.ts';
import { ClusterTable } from '../cluster/cluster-table.ts';
import type { Http1EndpointPools } from '../cluster/endpoint-pools.ts';
import type { StatsSource } from '../cluster/stats-source.ts';
import type { HttpContext } from '../http/connection-manager.ts';
import { HttpDate } from '../http/http-date.ts';
import { OutputBuffer } from '../http/http1/output-buffer.ts';
import { type ListenerContext, ListenerRuntime } from '../listener/listener-runtime.ts';
import { Reactor } from '../reactor/reactor.ts';
import { Timer } from '../reactor/timer-wheel.ts';
import { AccessLogs } from '../telemetry/access-log.ts';
import { callerResponseStats, circuitBreakerStats, clusterStats } from '../telemetry/cluster-stats.ts';
import { endpointStats } from '../telemetry/endpoint-stats.ts';
import { WorkerStats } from '../telemetry/worker-stats.ts';
import type { BoundListener, FromWorker, ListenerFailure, ToWorker, WorkerStart } from './messages.ts';

/** How often idle connections and unused endpoints are looked for. */
const housekeepingMs = 1000;

export interface WorkerOptions {
  readonly start: WorkerStart;
  readonly port: MessagePort;
  /** Monotonic, ms. */
  readonly clock: () => number;
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number;
  readonly random: () => number;
  /** As of the reactor: for a worker that shares its thread with Node's own input and output. */
  readonly maxSleepMs?: number;
}

export class Worker {
  readonly #options: WorkerOptions;
  readonly #reactor: Reactor;
  readonly #clusters: ClusterTable;
  readonly #logs: AccessLogs;
  readonly #context: ListenerContext;
  readonly #date: HttpDate;
  readonly #runtime = new Map<string, string | number | boolean>();
  readonly #listeners = new Map<string, ListenerRuntime>();
  /** Removed or replaced; kept until their last connection is gone. */
  readonly #draining = new Set<ListenerRuntime>();
  readonly #housekeeping = new Timer(() => this.#keepHouse());
  #generation = 0;
  #isDraining = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
    const { start, clock, wallClock, random } = options;
    this.#reactor = new Reactor({
      clock,
      onWakeUp: () => this.#receive(),
      ...(options.maxSleepMs !== undefined && { maxSleepMs: options.maxSleepMs }),
    });
    const stats = new WorkerStats((announcement) => this.#send({ kind: 'stats', announcement }));
    this.#clusters = new ClusterTable({ random, statsSource: statsSource(stats), onClusterRemoved: () => undefined });
    this.#logs = new AccessLogs({
      random,
      runtime: this.#runtime,
      flushSizeBytes: start.logFlushSizeBytes,
      publish: (batch) => this.#send({ kind: 'logs', batch }),
    });
    this.#date = new HttpDate(wallClock);
    const http: HttpContext = {
      reactor: this.#reactor,
      output: new OutputBuffer(),
      clusters: this.#clusters,
      random,
      matchContext: { random, runtime: this.#runtime },
      chooseContext: {
        random,
        excluded: null,
        hostSelectionMaxAttempts: 3,
        originalDestination: '',
        originalDestinationHeader: null,
      },
      wallOffsetMs: wallClock() - clock(),
      localIp: start.localIp,
      dateLine: this.#date,
    };
    this.#context = {
      http,
      stats,
      compileAccessLogs: (logs) => this.#logs.compile(logs),
      findListener: (address) => this.#findListener(address),
      nextConnectionId: start.workerIndex * 2 ** 40 + 1,
    };
  }

  /** Runs until the main thread says stop. */
  run(onStopped: () => void): void {
    this.#reactor.timers.schedule(this.#housekeeping, housekeepingMs);
    this.#reactor.start(onStopped);
    this.#send({ kind: 'started', wakeUpDescriptor: this.#reactor.wakeUpFd });
    this.#reactor.wakeUp();
  }

  #send(message: FromWorker): void {
    this.#options.port.postMessage(message);
  }

  #receive(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#options.port);
      if (received === undefined) return;
      this.#onMessage(received.message as ToWorker);
    }
  }

  #onMessage(message: ToWorker): void {
    switch (message.kind) {
      case 'snapshot':
        this.#apply(message.delta);
        return;
      case 'drain':
        this.#drain(message.inboundOnly, message.stopAccepting);
        return;
      case 'flush-logs':
        this.#logs.flush();
        return;
      case 'stop':
        this.#logs.flush();
        this.#reactor.stop();
    }
  }

  // ---- Snapshot ------------------------------------------------------------------------------------------------

  // Make before break: clusters are there before the listeners whose routes name them.
  #apply(delta: SnapshotDelta): void {
    if (delta.runtime !== undefined) {
      this.#runtime.clear();
      for (const [key, value] of delta.runtime) this.#runtime.set(key, value);
    }
    this.#clusters.apply({ clusters: { set: delta.clusters.set, removed: [] }, assignments: delta.assignments });
    const listeners: BoundListener[] = [];
    const failures: ListenerFailure[] = [];
    for (const [name, config] of delta.listeners.set) this.#setListener(name, config, { listeners, failures });
    for (const name of delta.listeners.removed) this.#removeListener(name);
    this.#clusters.apply({ clusters: { set: [], removed: delta.clusters.removed }, assignments: noAssignments });
    this.#generation = delta.generation;
    this.#send({ kind: 'applied', generation: this.#generation, listeners, failures });
  }

  #setListener(
    name: string,
    config: Listener,
    result: { listeners: BoundListener[]; failures: ListenerFailure[] },
  ): void {
    const listener = new ListenerRuntime(config, this.#context);
    const { bound, failure } = listener.open();
    if (failure !== null) {
      listener.stopAccepting();
      result.failures.push({ name, address: formatAddress(config.address), reason: failure });
      return;
    }
    this.#removeListener(name);
    this.#listeners.set(name, listener);
    for (const address of bound) result.listeners.push({ name, address });
  }

  #removeListener(name: string): void {
    const listener = this.#listeners.get(name);
    if (listener === undefined) return;
    this.#listeners.delete(name);
    listener.stopAccepting();
    listener.drain();
    if (listener.openConnections > 0) this.#draining.add(listener);
  }

  // As Envoy: the exact address first, then the wildcard address with the same port.
  #findListener(address: Address): ListenerRuntime | null {
    if (address.kind !== 'ip') return null;
    let wildcard: ListenerRuntime | null = null;
    for (const listener of this.#listeners.values()) {
      const own = listener.config.address;
      if (own.kind !== 'ip' || own.port !== address.port) continue;
      if (own.ip === address.ip) return listener;
      if (own.ip === '0.0.0.0' || own.ip === '::') wildcard = listener;
    }
    return wildcard;
  }

  // ---- Drain and housekeeping ------------------------------------------------------------------------------------

  #drain(inboundOnly: boolean, stopAccepting: boolean): void {
    this.#isDraining = true;
    for (const listener of this.#listeners.values()) {
      if (inboundOnly && listener.config.trafficDirection !== 'inbound') continue;
      if (stopAccepting) listener.stopAccepting();
      listener.drain();
    }
    this.#reportDrained();
  }

  #reportDrained(): void {
    if (!this.#isDraining) return;
    for (const listener of this.#listeners.values()) if (listener.openConnections > 0) return;
    for (const listener of this.#draining) if (listener.openConnections > 0) return;
    this.#isDraining = false;
    this.#send({ kind: 'drained' });
  }

  #keepHouse(): void {
    this.#date.update();
    this.#clusters.cleanUp(this.#reactor.nowMs);
    for (const cluster of this.#clusters.inUse()) {
      for (const endpoint of cluster.eachEndpoint()) (endpoint.pools as Http1EndpointPools | null)?.retireIdle();
    }
    for (const listener of this.#draining) if (listener.openConnections === 0) this.#draining.delete(listener);
    this.#logs.flush();
    this.#reportDrained();
    this.#reactor.timers.schedule(this.#housekeeping, this.#isDraining ? 50 : housekeepingMs);
  }
}

const noAssignments = { set: [], removed: [] };

function statsSource(stats: WorkerStats): StatsSource {
  return {
    clusterBlock: (name) => stats.block(clusterStats, name),
    responseBlock: (name, caller) => stats.block(callerResponseStats[caller], name),
    breakerBlock: (name, priority) => stats.block(circuitBreakerStats[priority], name),
    endpointBlock: (name, address) => stats.block(endpointStats, name, address),
    release: (block) => stats.release(block),
  };
}

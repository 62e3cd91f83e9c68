// How the snapshot of now reaches the workers: whole when it can serve, then each change as a delta.
//
// As in Envoy, listeners begin when every DNS cluster was asked for its members once; a request that came before would
// find a cluster without endpoints. A failed attempt counts, and a name server that stays silent delays the start by a
// bounded time only. https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/operations/init

import type { LoadAssignment } from '../../config/endpoint.ts';
import type { Snapshot, SnapshotDelta } from '../../config/snapshot.ts';

export interface SnapshotPublisherOptions {
  /** Hands a delta to every worker. */
  readonly publish: (delta: SnapshotDelta) => void;
  /** The snapshot of now, from the moment it is known. */
  readonly onSnapshot: (snapshot: Snapshot) => void;
  /** Serving begins though these clusters have no members yet. */
  readonly onLate: (clusters: readonly string[]) => void;
  /** Longest wait for the first members of DNS clusters. */
  readonly maxWaitMs: number;
  /** Calls back once after a delay; returns what prevents it. */
  readonly schedule: (delayMs: number, callback: () => void) => () => void;
  /** Calls back in a later turn of the event loop: what many clusters learn in one turn is one delta. */
  readonly defer: (callback: () => void) => void;
}

type State =
  | { readonly kind: 'empty' }
  /** For the first members of these clusters. */
  | { readonly kind: 'waiting'; readonly clusters: Set<string>; readonly stopWaiting: () => void }
  | { readonly kind: 'published' };

export class SnapshotPublisher {
  readonly #options: SnapshotPublisherOptions;
  #state: State = { kind: 'empty' };
  #snapshot: Snapshot | null = null;
  /** Assignments that no delta has carried yet. */
  readonly #pending = new Map<string, LoadAssignment>();

  constructor(options: SnapshotPublisherOptions) {
    this.#options = options;
  }

  /** The first snapshot. Once. */
  start(snapshot: Snapshot): void {
    this.#setSnapshot(snapshot);
    const { schedule, maxWaitMs, onLate } = this.#options;
    const clusters = new Set(unresolved(snapshot));
    if (clusters.size === 0) {
      this.#publishWhole();
      return;
    }
    const stopWaiting = schedule(maxWaitMs, () => {
      onLate([...clusters]);
      this.#publishWhole();
    });
    this.#state = { kind: 'waiting', clusters, stopWaiting };
  }

  /** The members of a cluster are known for the first time, or changed. */
  setAssignment(cluster: string, assignment: LoadAssignment): void {
    const isFirst = this.#pending.size === 0;
    this.#pending.set(cluster, assignment);
    switch (this.#state.kind) {
      case 'empty':
        throw new Error(`members of ${cluster} before the first snapshot`);
      case 'waiting': {
        const { clusters, stopWaiting } = this.#state;
        clusters.delete(cluster);
        if (clusters.size > 0) return;
        stopWaiting();
        this.#publishWhole();
        return;
      }
      case 'published':
        if (isFirst) this.#options.defer(() => this.#publishAssignments());
    }
  }

  #setSnapshot(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#options.onSnapshot(snapshot);
  }

  #publishWhole(): void {
    this.#state = { kind: 'published' };
    this.#takePending(this.#snapshot!.generation);
    this.#options.publish(wholeSnapshot(this.#snapshot!));
  }

  #publishAssignments(): void {
    const generation = this.#snapshot!.generation + 1;
    const set = this.#takePending(generation);
    this.#options.publish({
      generation,
      listeners: nothing,
      clusters: nothing,
      assignments: { set, removed: [] },
      routes: nothing,
    });
  }

  #takePending(generation: number): readonly (readonly [string, LoadAssignment])[] {
    const snapshot = this.#snapshot!;
    const set = [...this.#pending];
    this.#pending.clear();
    this.#setSnapshot({ ...snapshot, generation, assignments: new Map([...snapshot.assignments, ...set]) });
    return set;
  }
}

const nothing = { set: [], removed: [] };

function unresolved({ clusters, assignments }: Snapshot): string[] {
  const names: string[] = [];
  for (const { name, discovery } of clusters.values()) {
    const isResolved = discovery.kind === 'strict-dns' || discovery.kind === 'logical-dns';
    if (isResolved && !assignments.has(name)) names.push(name);
  }
  return names;
}

/** The whole of a snapshot as a delta from nothing. */
function wholeSnapshot(snapshot: Snapshot): SnapshotDelta {
  return {
    generation: snapshot.generation,
    listeners: { set: [...snapshot.listeners], removed: [] },
    clusters: { set: [...snapshot.clusters], removed: [] },
    assignments: { set: [...snapshot.assignments], removed: [] },
    routes: { set: [...snapshot.routes], removed: [] },
    runtime: snapshot.runtime,
  };
}

// Changes of a snapshot that are gathered until they go out as one delta: for each name the last word counts.

import type { Cluster } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import type { Listener } from '../../config/listener.ts';
import type { RouteConfiguration } from '../../config/route.ts';
import type { Secret } from '../../config/secret.ts';
import type { MapDelta, Snapshot, SnapshotChange, SnapshotDelta } from '../../config/snapshot.ts';
import { LayeredMap } from './layered-map.ts';

export class PendingChange {
  readonly listeners = new PendingMap<Listener>();
  readonly clusters = new PendingMap<Cluster>();
  readonly assignments = new PendingMap<LoadAssignment>();
  readonly routes = new PendingMap<RouteConfiguration>();
  readonly secrets = new PendingMap<Secret>();
  runtime: Snapshot['runtime'] | undefined;

  get isEmpty(): boolean {
    const { listeners, clusters, assignments, routes, secrets, runtime } = this;
    return [listeners, clusters, assignments, routes, secrets].every((map) => map.isEmpty) && runtime === undefined;
  }

  /** Members leave with their cluster. A name is either set or removed. */
  add(change: SnapshotChange): void {
    for (const name of change.clusters.removed) this.assignments.remove(name);
    this.listeners.add(change.listeners);
    this.clusters.add(change.clusters);
    this.assignments.add(change.assignments);
    this.routes.add(change.routes);
    this.secrets.add(change.secrets);
    this.runtime = change.runtime ?? this.runtime;
  }

  toDelta(generation: number): SnapshotDelta {
    return { generation, ...this.toChange() };
  }

  toChange(): SnapshotChange {
    const { runtime } = this;
    return {
      listeners: this.listeners.toDelta(),
      clusters: this.clusters.toDelta(),
      assignments: this.assignments.toDelta(),
      routes: this.routes.toDelta(),
      secrets: this.secrets.toDelta(),
      ...(runtime !== undefined && { runtime }),
    };
  }

  /** The snapshot after the change; maps that do not change are the same objects. */
  applyTo(snapshot: Snapshot, generation: number): Snapshot {
    return {
      generation,
      listeners: this.listeners.applyTo(snapshot.listeners),
      clusters: this.clusters.applyTo(snapshot.clusters),
      assignments: this.assignments.applyTo(snapshot.assignments),
      routes: this.routes.applyTo(snapshot.routes),
      secrets: this.secrets.applyTo(snapshot.secrets),
      runtime: this.runtime ?? snapshot.runtime,
    };
  }
}

export class PendingMap<T extends object> {
  /** Null is removed. */
  readonly #changes = new Map<string, T | null>();

  get isEmpty(): boolean {
    return this.#changes.size === 0;
  }

  /** What is to become of this name: null is its removal, undefined nothing. */
  get(name: string): T | null | undefined {
    return this.#changes.get(name);
  }

  set(name: string, value: T): void {
    this.#changes.set(name, value);
  }

  remove(name: string): void {
    this.#changes.set(name, null);
  }

  /** What was said of this name does not count. */
  forget(name: string): void {
    this.#changes.delete(name);
  }

  add({ set, removed }: MapDelta<T>): void {
    for (const name of removed) this.#changes.set(name, null);
    for (const [name, value] of set) this.#changes.set(name, value);
  }

  toDelta(): MapDelta<T> {
    const set: [string, T][] = [];
    const removed: string[] = [];
    for (const [name, value] of this.#changes) {
      if (value === null) removed.push(name);
      else set.push([name, value]);
    }
    return { set, removed };
  }

  applyTo(map: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
    return this.isEmpty ? map : LayeredMap.change(map, this.#changes);
  }
}

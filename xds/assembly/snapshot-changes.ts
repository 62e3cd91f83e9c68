// What is served now, and what of it changed since this was last told.

import type { Cluster } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import type { Listener } from '../../config/listener.ts';
import type { RouteConfiguration } from '../../config/route.ts';
import type { Secret } from '../../config/secret.ts';
import type { MapDelta, SnapshotChange } from '../../config/snapshot.ts';

export class SnapshotChanges {
  readonly listeners = new ChangingMap<Listener>();
  readonly clusters = new ChangingMap<Cluster>();
  readonly assignments = new ChangingMap<LoadAssignment>();
  readonly routes = new ChangingMap<RouteConfiguration>();
  /** By `SecretReference.key`. */
  readonly secrets = new ChangingMap<Secret>();

  /** What changed since the last call; undefined when nothing did. */
  take(): SnapshotChange | undefined {
    const { listeners, clusters, assignments, routes, secrets } = this;
    const maps = [listeners, clusters, assignments, routes, secrets];
    if (maps.every((map) => map.isSettled)) return undefined;
    return {
      listeners: listeners.take(),
      clusters: clusters.take(),
      assignments: assignments.take(),
      routes: routes.take(),
      secrets: secrets.take(),
    };
  }
}

export class ChangingMap<T extends object> {
  readonly #served = new Map<string, T>();
  /** By name; null was removed. */
  readonly #changed = new Map<string, T | null>();

  get served(): ReadonlyMap<string, T> {
    return this.#served;
  }

  get isSettled(): boolean {
    return this.#changed.size === 0;
  }

  set(name: string, value: T): void {
    if (this.#served.get(name) === value) return;
    this.#served.set(name, value);
    this.#changed.set(name, value);
  }

  remove(name: string): void {
    if (this.#served.delete(name)) this.#changed.set(name, null);
  }

  /** From now on somebody else says what is served under this name, beginning with what it was. */
  handOver(name: string): void {
    this.#served.delete(name);
    this.#changed.delete(name);
  }

  take(): MapDelta<T> {
    const set: [string, T][] = [];
    const removed: string[] = [];
    for (const [name, value] of this.#changed) {
      if (value === null) removed.push(name);
      else set.push([name, value]);
    }
    this.#changed.clear();
    return { set, removed };
  }
}

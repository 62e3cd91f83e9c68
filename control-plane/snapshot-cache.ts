// The snapshot of each node group as it is served now, and who wants to know when it changes.

import { groupOf } from './node-group.ts';
import { makeSnapshot, type ServedResource, type ServedSnapshot } from './served-snapshot.ts';
import type { VersionVector } from './version-vector.ts';

export interface GroupResources {
  readonly resources: readonly ServedResource[];
  /** As in `ServedResources`, by type URL. */
  readonly seen?: (typeUrl: string) => VersionVector;
  readonly hops?: (typeUrl: string) => VersionVector;
  readonly origin?: string;
}

/** Key of the snapshot for nodes that no group is for. */
export const everyNode = '';

export class SnapshotCache {
  #snapshots: ReadonlyMap<string, ServedSnapshot> = new Map();
  readonly #followers = new Set<() => void>();

  /** By glob of node ids; `everyNode` is for all others. What did not change stays the same object. */
  update(groups: ReadonlyMap<string, GroupResources>): void {
    const snapshots = new Map<string, ServedSnapshot>();
    for (const [group, { resources, ...context }] of groups) {
      snapshots.set(group, makeSnapshot(resources, { previous: this.#snapshots.get(group), ...context }));
    }
    this.#snapshots = snapshots;
    for (const follower of this.#followers) follower();
  }

  /** Undefined until there is one: then a client waits, because an empty answer would take away what it has. */
  snapshotFor(nodeId: string): ServedSnapshot | undefined {
    return this.#snapshots.get(this.groupFor(nodeId));
  }

  groupFor(nodeId: string): string {
    const globs = [...this.#snapshots.keys()].filter((group) => group !== everyNode);
    return groupOf(nodeId, globs) ?? everyNode;
  }

  get snapshots(): ReadonlyMap<string, ServedSnapshot> {
    return this.#snapshots;
  }

  /** Calls back after each update, until the returned function is called. */
  follow(follower: () => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }
}

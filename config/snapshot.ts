// One complete, consistent state of the configuration. Requests see one snapshot from start to end, never a mix.

import type { Cluster } from './cluster.ts';
import type { LoadAssignment } from './endpoint.ts';
import type { Listener } from './listener.ts';
import type { RouteConfiguration } from './route.ts';
import type { Secret } from './secret.ts';

export interface Snapshot {
  /** Grows by one with every published snapshot; 0 is the empty one before the first. */
  readonly generation: number;
  readonly listeners: ReadonlyMap<string, Listener>;
  readonly clusters: ReadonlyMap<string, Cluster>;
  /** Resolved members by cluster name. Original-dst clusters have none; a DNS cluster appears when it was resolved. */
  readonly assignments: ReadonlyMap<string, LoadAssignment>;
  /** Route configurations that listeners refer to by name; those written in place are part of their listener. */
  readonly routes: ReadonlyMap<string, RouteConfiguration>;
  /** By `SecretReference.key`. One that is named and is not here has not come, or never will. */
  readonly secrets: ReadonlyMap<string, Secret>;
  readonly runtime: ReadonlyMap<string, string | number | boolean>;
}

/** What changed between two snapshots: plain data that travels to the workers. */
export interface SnapshotDelta {
  readonly generation: number;
  readonly listeners: MapDelta<Listener>;
  readonly clusters: MapDelta<Cluster>;
  readonly assignments: MapDelta<LoadAssignment>;
  readonly routes: MapDelta<RouteConfiguration>;
  /** What uses a secret is not told again when the secret changes. */
  readonly secrets: MapDelta<Secret>;
  /** Present only when it changed. */
  readonly runtime?: ReadonlyMap<string, string | number | boolean>;
}

/** What is to change, before it has a generation. */
export type SnapshotChange = Omit<SnapshotDelta, 'generation'>;

export interface MapDelta<T> {
  readonly set: readonly (readonly [string, T])[];
  readonly removed: readonly string[];
}

export const emptySnapshot: Snapshot = {
  generation: 0,
  listeners: new Map(),
  clusters: new Map(),
  assignments: new Map(),
  routes: new Map(),
  secrets: new Map(),
  runtime: new Map(),
};

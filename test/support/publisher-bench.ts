// A snapshot publisher whose clock, event loop and steps the test turns.

import { equal, ok } from 'node:assert/strict';
import type { Cluster } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import type { Listener } from '../../config/listener.ts';
import type { RouteConfiguration } from '../../config/route.ts';
import type { Secret } from '../../config/secret.ts';
import type { MapDelta, Snapshot, SnapshotChange, SnapshotDelta } from '../../config/snapshot.ts';
import { SnapshotPublisher } from '../../proxy/worker/snapshot-publisher.ts';
import { makeAssignment, makeCluster, makeEndpoint, makeLocality } from './cluster-fixtures.ts';
import { answering } from './listener-fixtures.ts';
import { routeConfiguration } from './route-fixtures.ts';

export const assignmentOf = (ip: string): LoadAssignment => makeAssignment([makeLocality([makeEndpoint(ip)])]);

export function dnsCluster(name: string): Cluster {
  const dns = {
    family: 'auto',
    refreshRateMs: 5000,
    respectTtl: false,
    failureRefreshBaseMs: 5000,
    failureRefreshMaxMs: 5000,
    jitterMs: 0,
    resolvers: [],
  } as const;
  return makeCluster({ name, discovery: { kind: 'strict-dns', assignment: makeAssignment([]), dns } });
}

export const plainCluster = (name: string): Cluster => makeCluster({ name });

interface Parts {
  readonly clusters?: readonly Cluster[];
  readonly listeners?: readonly string[];
  readonly routes?: readonly string[];
  readonly assignments?: readonly (readonly [string, LoadAssignment])[];
  readonly removedClusters?: readonly string[];
  readonly removedListeners?: readonly string[];
  readonly secrets?: readonly string[];
  readonly removedSecrets?: readonly string[];
}

export function changeOf(parts: Parts): SnapshotChange {
  const { clusters = [], listeners = [], routes = [], assignments = [] } = parts;
  return {
    clusters: { set: clusters.map((each) => [each.name, each]), removed: parts.removedClusters ?? [] },
    listeners: {
      set: listeners.map((name): [string, Listener] => [name, answering(name, 'x')]),
      removed: parts.removedListeners ?? [],
    },
    routes: {
      set: routes.map((name): [string, RouteConfiguration] => [name, routeConfiguration({ name })]),
      removed: [],
    },
    assignments: { set: assignments, removed: [] },
    secrets: {
      set: (parts.secrets ?? []).map((name) => [name, secretOf(name)]),
      removed: parts.removedSecrets ?? [],
    },
  };
}

function secretOf(name: string): Secret {
  return { kind: 'generic', name, value: new Uint8Array(1) };
}

/** A publisher whose clock and event loop the test turns. Handing out each delta takes steps of so many milliseconds. */
export function makePublisher(stepsMs: readonly number[] = []) {
  const deltas: SnapshotDelta[] = [];
  /** Of deltas that are being handed out. */
  const begun: string[] = [];
  let nowMs = 0;
  const snapshots: Snapshot[] = [];
  const resolving: string[][] = [];
  const late: string[][] = [];
  const deferred: (() => void)[] = [];
  const waits: { delayMs: number; callback: () => void }[] = [];
  const publisher = new SnapshotPublisher({
    *publish(delta, before) {
      equal(begun.push(namesOf(delta)), 1, 'one is handed out at a time');
      equal(delta.generation, before.generation + 1);
      for (const stepMs of stepsMs) {
        nowMs += stepMs;
        yield;
      }
      begun.pop();
      deltas.push(delta);
    },
    clock: () => nowMs,
    onSnapshot: (snapshot) => {
      equal(snapshot.generation, deltas.at(-1)?.generation ?? 0, 'a snapshot is told when its delta was handed out');
      snapshots.push(snapshot);
    },
    onDnsClusters: (clusters) => resolving.push([...clusters.keys()]),
    onLate: (clusters) => late.push([...clusters]),
    maxWaitMs: 15_000,
    schedule: (delayMs, callback) => {
      const wait = { delayMs, callback };
      waits.push(wait);
      return () => {
        waits.splice(waits.indexOf(wait), 1);
      };
    },
    defer: (callback) => deferred.push(callback),
  });
  const nextTurn = () => {
    for (const callback of deferred.splice(0)) callback();
  };
  /** Until nothing is handed out any more. */
  const settle = () => {
    for (let turn = 0; deferred.length > 0; turn++) {
      ok(turn < 100);
      nextTurn();
    }
  };
  /** What the deltas from here on carry. */
  const published = (from = 0) => deltas.slice(from).map(namesOf);
  return { publisher, deltas, begun, snapshots, resolving, late, nextTurn, settle, waits, published };
}

/** Names of what a delta sets, a removed one with a minus: clusters and members first, as workers take them. */
export function namesOf({ clusters, assignments, routes, listeners, secrets }: SnapshotDelta): string {
  const names = (kind: string, { set, removed }: MapDelta<unknown>) => [
    ...set.map(([name]) => `${kind}${name}`),
    ...removed.map((name) => `-${kind}${name}`),
  ];
  return [
    ...names('secret ', secrets),
    ...names('cluster ', clusters),
    ...names('members ', assignments),
    ...names('routes ', routes),
    ...names('listener ', listeners),
  ].join(', ');
}

/** Serves a cluster `plain` as generation 1. */
export function servingPublisher(stepsMs?: readonly number[]) {
  const made = makePublisher(stepsMs);
  made.publisher.update(changeOf({ clusters: [plainCluster('plain')] }));
  made.publisher.ready();
  made.settle();
  made.deltas.length = 0;
  return made;
}

// Statistics of discovery, in Envoy's names, from what discovery clients tell.

import { formatAddress } from '../../config/address.ts';
import type { DynamicState, SourceStatus } from '../../config/dynamic-state.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import type { Listener } from '../../config/listener.ts';
import { filterChainsOf } from '../../config/references.ts';
import type { Snapshot, SnapshotDelta } from '../../config/snapshot.ts';
import type { DiscoveryObserver, ObservedResponse } from '../../xds/client/discovery-client.ts';
import type { DiscoveryStats, Subscription, SubscriptionEvent } from '../telemetry/discovery-stats.ts';
import type { SnapshotStats } from '../telemetry/snapshot-stats.ts';

export interface DiscoveryObservationOptions {
  readonly stats: DiscoveryStats;
  readonly snapshotStats: SnapshotStats;
  /** The snapshot that is served; null before the first. */
  readonly snapshot: () => Snapshot | null;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Is told of every response. */
  readonly onRead: (bytes: number) => void;
  /** Calls back once after a delay. */
  readonly schedule: (delayMs: number, callback: () => void) => void;
}

/** What is warming ends its warming without telling. */
const countIntervalMs = 1000;

const prefix = 'type.googleapis.com/envoy.config.';
const clusterType = `${prefix}cluster.v3.Cluster`;
const listenerType = `${prefix}listener.v3.Listener`;
const assignmentType = `${prefix}endpoint.v3.ClusterLoadAssignment`;
const routeType = `${prefix}route.v3.RouteConfiguration`;
const secretType = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';

export class DiscoveryObservation implements DiscoveryObserver {
  readonly #options: DiscoveryObservationOptions;
  #state: DynamicState | null = null;
  #isCountDue = false;
  /** Types that were asked for: a stream that failed before is no failure of theirs. */
  readonly #asked = new Set<'cds' | 'lds'>();
  /** Of route configurations whose listeners do not serve yet: whose they are is not known before. */
  #early: EarlyEvent[] = [];
  /** Who had a route configuration, by its name and theirs: by the time it leaves, no listener names it any more. */
  readonly #routeUsers = new Map<string, Map<string, Subscription>>();
  /** By name: those that are counted. */
  readonly #secrets = new Set<string>();

  constructor(options: DiscoveryObservationOptions) {
    this.#options = options;
  }

  /** Whose state is counted from now on. */
  follow(state: DynamicState): void {
    this.#state = state;
  }

  onConnection(connection: SourceStatus['connection']): void {
    const open = (this.#state?.sources() ?? []).filter((source) => source.connection.kind === 'connected');
    const identifier = connection.kind === 'connected' ? connection.controlPlane : '';
    this.#options.stats.setControlPlane(open.length, identifier);
    if (connection.kind !== 'waiting') return;
    for (const kind of this.#asked) this.#options.stats.record({ kind }, { kind: 'failure' });
  }

  onRequest(typeUrl: string): void {
    const whole = wholeSubscription(typeUrl);
    if (whole === undefined) return;
    this.#asked.add(whole.kind);
    this.#options.stats.record(whole, { kind: 'attempt' });
  }

  /** In a later turn: requests wait for what it changed, and nobody for its statistics. */
  onResponse(response: ObservedResponse): void {
    this.#options.schedule(0, () => this.#count(response));
  }

  #count({ typeUrl, version, names, refused, bytes, applyMs }: ObservedResponse): void {
    this.#options.onRead(bytes);
    const atMs = this.#options.clock();
    const success: SubscriptionEvent = { kind: 'success', version, atMs, durationMs: applyMs };
    const whole = wholeSubscription(typeUrl);
    if (whole !== undefined) {
      this.#options.stats.record(whole, refused.length === 0 ? success : { kind: 'rejected' });
    } else {
      const bad = new Set(refused.map(({ name }) => name));
      for (const name of names) {
        this.#record(typeUrl, name, bad.has(name) ? { kind: 'rejected' } : success);
        if (typeUrl === routeType && !bad.has(name)) this.#record(typeUrl, name, { kind: 'reload', atMs });
      }
    }
    this.#countSoon();
  }

  onFetchTimeout(typeUrl: string, name: string): void {
    const whole = wholeSubscription(typeUrl);
    if (whole !== undefined) this.#options.stats.record(whole, { kind: 'init-fetch-timeout' });
    else this.#record(typeUrl, name, { kind: 'init-fetch-timeout' });
  }

  /** A delta goes to the workers; `before` is the snapshot that it changes. What leaves is not counted any more. */
  onPublished(delta: SnapshotDelta, before: Snapshot): void {
    this.#options.snapshotStats.onPublished(delta, before);
    const { stats } = this.#options;
    if (this.#asked.has('cds') && delta.clusters.set.length + delta.clusters.removed.length > 0) {
      stats.record({ kind: 'cds' }, { kind: 'reload', atMs: this.#options.clock() });
    }
    for (const [name, assignment] of delta.assignments.set) {
      const cluster = before.clusters.get(name);
      // Members that DNS finds are counted where they are found.
      if (cluster?.discovery.kind !== 'eds') continue;
      const subscription = { kind: 'eds', cluster: cluster.statName } as const;
      if (!stats.counts(subscription) || hasSameMembers(before.assignments.get(name), assignment)) continue;
      stats.record(subscription, { kind: 'membership-change' });
    }
    for (const name of delta.clusters.removed) {
      for (const subscription of subscriptionsOf(assignmentType, name, before)) stats.release(subscription);
    }
    for (const name of delta.routes.removed) {
      for (const subscription of this.#routeUsers.get(name)?.values() ?? []) stats.release(subscription);
      this.#routeUsers.delete(name);
    }
    if (delta.secrets.removed.length > 0) this.#countSoon();
  }

  /** Workers were told of so many listeners that only their filter chains changed. */
  onUpdatedInPlace(listeners: number): void {
    this.#options.snapshotStats.countUpdatedInPlace(listeners);
  }

  /** A listener of a control plane could not be opened. */
  onListenFailure(): void {
    this.#options.snapshotStats.countListenFailure();
  }

  #record(typeUrl: string, name: string, event: SubscriptionEvent): void {
    const { stats, snapshot } = this.#options;
    let isEarly = typeUrl === routeType;
    for (const subscription of subscriptionsOf(typeUrl, name, snapshot())) {
      stats.record(subscription, event);
      if (subscription.kind === 'rds') this.#noteRouteUser(subscription);
      if (subscription.kind === 'sds') this.#secrets.add(name);
      isEarly = false;
    }
    if (isEarly) this.#early.push({ name, event });
  }

  #noteRouteUser(subscription: Subscription & { readonly kind: 'rds' }): void {
    const { routeConfiguration, statPrefix } = subscription;
    const users = this.#routeUsers.get(routeConfiguration) ?? new Map<string, Subscription>();
    users.set(statPrefix, subscription);
    this.#routeUsers.set(routeConfiguration, users);
  }

  #recordEarly(): void {
    const early = this.#early;
    this.#early = [];
    if (early.length === 0) return;
    const names = new Set(this.#state?.resources(routeType).map(({ name }) => name));
    for (const { name, event } of early) if (names.has(name)) this.#record(routeType, name, event);
    if (this.#early.length > 0) this.#countSoon();
  }

  #countSoon(): void {
    if (this.#isCountDue) return;
    this.#isCountDue = true;
    this.#options.schedule(countIntervalMs, () => {
      this.#isCountDue = false;
      this.#countWarming();
      this.#recordEarly();
      this.#releaseSecrets();
    });
  }

  /** Of those that nobody asks for: users are gone, with what they waited for too, or the control plane sent more than was asked. */
  #releaseSecrets(): void {
    if (this.#state === null || this.#secrets.size === 0) return;
    const asked = new Set(this.#state.resources(secretType).map(({ name }) => name));
    for (const secret of this.#secrets) {
      if (asked.has(secret)) continue;
      this.#options.stats.release({ kind: 'sds', secret });
      this.#secrets.delete(secret);
    }
  }

  #countWarming(): void {
    const warming = this.#state?.warming() ?? { clusters: 0, listeners: 0 };
    this.#options.snapshotStats.setWarming(warming);
    // What waits may end its waiting without another response.
    if (warming.clusters + warming.listeners > 0) this.#countSoon();
  }
}

/** By address: what else is said of a member changes no membership. */
function hasSameMembers(before: LoadAssignment | undefined, after: LoadAssignment): boolean {
  const known = addressesOf(before);
  const now = addressesOf(after);
  return known.size === now.size && [...known].every((address) => now.has(address));
}

function addressesOf(assignment: LoadAssignment | undefined): ReadonlySet<string> {
  const localities = assignment?.localities ?? [];
  return new Set(localities.flatMap(({ endpoints }) => endpoints.map(({ address }) => formatAddress(address))));
}

interface EarlyEvent {
  readonly name: string;
  readonly event: SubscriptionEvent;
}

function wholeSubscription(typeUrl: string): { readonly kind: 'cds' | 'lds' } | undefined {
  if (typeUrl === clusterType) return { kind: 'cds' };
  return typeUrl === listenerType ? { kind: 'lds' } : undefined;
}

/** Who subscribed to a resource: clusters by their name in statistics, connection managers by their prefix, secrets by themselves. */
function* subscriptionsOf(typeUrl: string, name: string, snapshot: Snapshot | null): Generator<Subscription> {
  if (typeUrl === assignmentType) {
    const cluster = snapshot?.clusters.get(name);
    if (cluster !== undefined) yield { kind: 'eds', cluster: cluster.statName };
  }
  // Its user may wait for it, and is not in the snapshot then.
  if (typeUrl === secretType) yield { kind: 'sds', secret: name };
  if (typeUrl !== routeType || snapshot === null) return;
  const prefixes = new Set<string>();
  for (const listener of snapshot.listeners.values()) for (const each of prefixesOf(listener, name)) prefixes.add(each);
  for (const statPrefix of prefixes) yield { kind: 'rds', statPrefix, routeConfiguration: name };
}

function* prefixesOf(listener: Listener, routes: string): Generator<string> {
  for (const { filters } of filterChainsOf(listener)) {
    for (const filter of filters) {
      if (filter.kind !== 'http-connection-manager') continue;
      const { routes: source, statPrefix } = filter.config;
      if (source.kind === 'rds' && source.name === routes) yield statPrefix;
    }
  }
}

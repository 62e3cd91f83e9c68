// Statistics of discovery, in Envoy's names, from what discovery clients tell.

import { formatAddress } from '../../config/address.ts';
import type { DynamicState, SourceStatus, TypeStatus } from '../../config/dynamic-state.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import type { Snapshot, SnapshotDelta } from '../../config/snapshot.ts';
import type { AssemblyObserver } from '../../xds/assembly/assembly-observer.ts';
import type { DiscoveryObserver, ObservedResponse } from '../../xds/client/discovery-observer.ts';
import type { FilterPlace } from '../../xds/decode/discovered-filter.ts';
import type { DiscoveryStats, SubscriptionEvent } from '../telemetry/discovery-stats.ts';
import type { SnapshotStats } from '../telemetry/snapshot-stats.ts';
import {
  clusterType,
  DiscoverySubscriptions,
  everything,
  filterType,
  routeType,
  secretType,
  virtualHostType,
} from './discovery-subscriptions.ts';

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

/** Events of route configurations whose listeners do not serve yet: of more nothing is counted. */
const maxEarly = 10_000;

export class DiscoveryObservation implements DiscoveryObserver, AssemblyObserver {
  readonly #options: DiscoveryObservationOptions;
  readonly #subscriptions: DiscoverySubscriptions;
  #state: DynamicState | null = null;
  #isCountDue = false;
  /** Clusters of the bootstrap alone are no reload. */
  #hasClusters = false;
  /** Of route configurations whose listeners do not serve yet: whose they are is not known before. */
  #early: EarlyEvent[] = [];
  /** What changed in this turn, by type: what is counted of many at once is counted once. */
  readonly #reloaded = new Map<string, Set<string>>();

  constructor(options: DiscoveryObservationOptions) {
    this.#options = options;
    this.#subscriptions = new DiscoverySubscriptions(options.snapshot);
  }

  /** Whose state is counted from now on. */
  follow(state: DynamicState): void {
    this.#state = state;
  }

  onConnection(connection: SourceStatus['connection']): void {
    const open = (this.#state?.sources() ?? []).filter(isOpenStream);
    const identifier = connection.kind === 'connected' ? connection.controlPlane : '';
    this.#options.stats.setControlPlane(open.length, identifier);
  }

  /** A failure of all that is subscribed to there. */
  onFailure(source: string): void {
    this.#options.schedule(0, () => {
      const status = this.#state?.sources().find(({ name }) => name === source);
      for (const type of status?.types ?? []) this.#countFailure(type);
    });
  }

  onSubscribe(typeUrl: string, name: string): void {
    this.#subscriptions.add(typeUrl, name);
    if (typeUrl === clusterType && name === everything) this.#hasClusters = true;
    // Of filters where they are used; of virtual hosts with what comes first.
    if (typeUrl !== filterType && !(typeUrl === virtualHostType && name === everything)) {
      this.#record(typeUrl, countedName(typeUrl, name), { kind: 'attempt' });
    }
  }

  onUnsubscribe(typeUrl: string, name: string): void {
    const { stats } = this.#options;
    if (typeUrl === secretType || typeUrl === filterType) {
      for (const subscription of this.#subscriptions.of(typeUrl, name)) stats.release(subscription);
    }
    this.#subscriptions.delete(typeUrl, name);
    if (typeUrl !== routeType) return;
    // By now no listener may name it any more.
    for (const each of stats.counted('rds', 'vhds')) {
      if ('routeConfiguration' in each && each.routeConfiguration === name) stats.release(each);
    }
  }

  onDiscoveredFilter(place: FilterPlace, name: string): void {
    if (this.#subscriptions.addFilter(place, name))
      this.#options.stats.record({ kind: place, name }, { kind: 'attempt' });
  }

  onFilterConflict(place: FilterPlace, name: string): void {
    this.#options.stats.record({ kind: place, name }, { kind: 'conflict' });
  }

  onKeyRotationFailed(secret: string): void {
    this.#options.stats.record({ kind: 'sds', secret }, { kind: 'key-rotation-failed' });
  }

  onReload(typeUrl: string, name: string): void {
    const isFirst = this.#reloaded.size === 0;
    const names = this.#reloaded.get(typeUrl) ?? new Set();
    this.#reloaded.set(typeUrl, names.add(countedName(typeUrl, name)));
    if (isFirst) this.#options.schedule(0, () => this.#countReloads());
  }

  #countReloads(): void {
    const atMs = this.#options.clock();
    const reloaded = [...this.#reloaded];
    this.#reloaded.clear();
    for (const [typeUrl, names] of reloaded) {
      for (const name of names) this.#record(typeUrl, name, { kind: 'reload', atMs });
    }
    this.#countSoon();
  }

  /** In a later turn: requests wait for what it changed, and nobody for its statistics. */
  onResponse(response: ObservedResponse): void {
    this.#options.schedule(0, () => this.#count(response));
  }

  #count(response: ObservedResponse): void {
    const { typeUrl, version, refused, bytes, applyMs: durationMs } = response;
    this.#options.onRead(bytes);
    const atMs = this.#options.clock();
    const success: SubscriptionEvent = { kind: 'success', version, atMs, durationMs };
    for (const [name, isGood] of outcomes(response)) {
      this.#record(typeUrl, name, isGood ? success : { kind: 'rejected' });
    }
    // What a CDS response says of clusters that requests asked for is an update of theirs, too.
    if (typeUrl === clusterType && response.hasNamed) {
      this.#options.stats.record({ kind: 'odcds' }, refused.length === 0 ? success : { kind: 'rejected' });
    }
    this.#countSoon();
  }

  onFetchTimeout(typeUrl: string, name: string): void {
    this.#record(typeUrl, name, { kind: 'init-fetch-timeout' });
  }

  #countFailure({ typeUrl, isWildcard, subscribed }: TypeStatus): void {
    const failure = { kind: 'failure' } as const;
    if (isWildcard) this.#record(typeUrl, everything, failure);
    if (typeUrl === virtualHostType) return;
    const names = typeUrl === clusterType ? subscribed.slice(0, 1) : subscribed;
    for (const name of names) this.#record(typeUrl, name, failure);
  }

  /** A delta goes to the workers; `before` is the snapshot that it changes. What leaves is not counted any more. */
  onPublished(delta: SnapshotDelta, before: Snapshot): void {
    this.#options.snapshotStats.onPublished(delta, before);
    const { stats } = this.#options;
    stats.secretUpdates.onPublished(delta, before);
    if (this.#hasClusters && delta.clusters.set.length + delta.clusters.removed.length > 0) {
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
      const cluster = before.clusters.get(name);
      if (cluster !== undefined) stats.release({ kind: 'eds', cluster: cluster.statName });
    }
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
    const { stats } = this.#options;
    let isCounted = false;
    for (const subscription of this.#subscriptions.of(typeUrl, name)) {
      isCounted = true;
      if (subscription.kind === 'vhds' && !stats.isCounted(subscription))
        stats.record(subscription, { kind: 'attempt' });
      stats.record(subscription, event);
    }
    if (isCounted || !this.#subscriptions.isAwaited(typeUrl, name) || this.#early.length >= maxEarly) return;
    this.#early.push({ typeUrl, name, event });
    this.#countSoon();
  }

  #recordEarly(): void {
    const early = this.#early;
    this.#early = [];
    for (const { typeUrl, name, event } of early) this.#record(typeUrl, name, event);
  }

  #countSoon(): void {
    if (this.#isCountDue) return;
    this.#isCountDue = true;
    this.#options.schedule(countIntervalMs, () => {
      this.#isCountDue = false;
      this.#countWarming();
      this.#recordEarly();
    });
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
  readonly typeUrl: string;
  readonly name: string;
  readonly event: SubscriptionEvent;
}

/** What is not read from a file, nor made here. */
function isOpenStream({ protocol, connection }: SourceStatus): boolean {
  return connection.kind === 'connected' && (protocol === 'delta' || protocol === 'state-of-the-world');
}

/** Virtual hosts are counted by route configuration, which is all ahead of the last slash of their name. */
function countedName(typeUrl: string, name: string): string {
  if (typeUrl !== virtualHostType || name === everything) return name;
  return name.slice(0, Math.max(0, name.lastIndexOf('/')));
}

/** By the name that is counted: whether all that a response says of it was accepted. */
function outcomes({
  typeUrl,
  names,
  removed,
  isWhole,
  refused,
}: ObservedResponse): Iterable<readonly [string, boolean]> {
  if (isWhole && typeUrl !== virtualHostType) return [[everything, refused.length === 0]];
  // Of clusters that requests asked for all together, see above.
  if (typeUrl === clusterType) return [];
  const bad = new Set(refused.map(({ name }) => name));
  const found = new Map<string, boolean>();
  for (const each of [names, removed]) {
    for (const name of each) {
      const counted = countedName(typeUrl, name);
      found.set(counted, found.get(counted) !== false && !bad.has(name));
    }
  }
  return found;
}

// What is counted of resources that come from a control plane, by subscription as in Envoy, and of the control plane.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/overview/mgmt_server#xds-subscription-statistics

import { createHash } from 'node:crypto';
import { clusterStats } from './cluster-stats.ts';
import { SecretUpdateStats } from './secret-update-stats.ts';
import { scopePrefix } from './stat-scope.ts';
import { counter, defineStats, gauge, histogram, type StatBlock } from './stats.ts';
import type { StatsStore, TextPlace } from './stats-store.ts';
import type { WorkerStats } from './worker-stats.ts';

const subscriptionStats = {
  initFetchTimeout: counter('init_fetch_timeout'),
  updateAttempt: counter('update_attempt'),
  updateSuccess: counter('update_success'),
  updateFailure: counter('update_failure'),
  updateRejected: counter('update_rejected'),
  /** Milliseconds since 1970. */
  updateTime: gauge('update_time'),
  updateDuration: histogram('update_duration', 'ms'),
  /** A number that is the same wherever the version is. */
  version: gauge('version'),
};

const reloadStats = {
  /** What came was another configuration than before, and when (ms since 1970). */
  configReload: counter('config_reload'),
  configReloadTimeMs: gauge('config_reload_time_ms'),
};

/** Stays 0, as in Envoy over a stream: nothing of what was asked for is no update of it. */
const updateEmpty = counter('update_empty');

export const cdsStats = defineStats('cluster_manager.cds', { ...subscriptionStats, ...reloadStats });
export const ldsStats = defineStats('listener_manager.lds', subscriptionStats);
export const edsStats = defineStats('cluster.{envoy_cluster_name}', {
  ...subscriptionStats,
  updateEmpty,
  membershipChange: counter('membership_change'),
});
export const rdsStats = defineStats('http.{envoy_http_conn_manager_prefix}.rds.{envoy_rds_route_config}', {
  ...subscriptionStats,
  ...reloadStats,
  updateEmpty,
});
/** Clusters that requests asked for. */
export const odcdsStats = defineStats('cluster_manager.odcds', subscriptionStats);

export const sdsStats = defineStats('sds.{envoy_xds_resource_name}', {
  ...subscriptionStats,
  /** Files of a secret changed, and cannot be used. */
  keyRotationFailed: counter('key_rotation_failed'),
});
/** All layers together, beside what is counted of the runtime itself. */
export const rtdsStats = defineStats('runtime', subscriptionStats);

const extensionStats = {
  ...subscriptionStats,
  configReload: reloadStats.configReload,
  /** It was refused, or did not come in time. */
  configFail: counter('config_fail'),
  /** What was there was of no type that one more listener allows. */
  configConflict: counter('config_conflict'),
};
const httpFilterStats = defineStats('extension_config_discovery.http_filter.{envoy_xds_resource_name}', extensionStats);
const networkFilterStats = defineStats(
  'extension_config_discovery.network_filter.{envoy_xds_resource_name}',
  extensionStats,
);

const setOf = {
  cds: cdsStats,
  lds: ldsStats,
  eds: edsStats,
  rds: rdsStats,
  /** In Envoy they are those of a route configuration that is called `vhds.NAME`, to Prometheus as well. */
  vhds: rdsStats,
  odcds: odcdsStats,
  sds: sdsStats,
  rtds: rtdsStats,
  'http-filter': httpFilterStats,
  'network-filter': networkFilterStats,
} as const;

export const controlPlaneStats = defineStats('control_plane', {
  connectedState: gauge('connected_state'),
  pendingRequests: gauge('pending_requests'),
  rateLimitEnforced: counter('rate_limit_enforced'),
});

/** What is subscribed to. `cluster` is the cluster's name in statistics, `statPrefix` the connection manager's. */
export type Subscription =
  | { readonly kind: 'cds' | 'lds' | 'odcds' | 'rtds' }
  | { readonly kind: 'eds'; readonly cluster: string }
  | { readonly kind: 'rds' | 'vhds'; readonly statPrefix: string; readonly routeConfiguration: string }
  | { readonly kind: 'sds'; readonly secret: string }
  /** Where filters stand that are discovered under this name. */
  | { readonly kind: 'http-filter' | 'network-filter'; readonly name: string };

export type SubscriptionEvent =
  /** Something was asked for. */
  | { readonly kind: 'attempt' }
  /** Resources were accepted: when (ms since 1970), and how long that took. */
  | { readonly kind: 'success'; readonly version: string; readonly atMs: number; readonly durationMs: number }
  /** Something was refused. */
  | { readonly kind: 'rejected' }
  /** What was accepted is another configuration. */
  | { readonly kind: 'reload'; readonly atMs: number }
  /** What is there does not go with one more who uses it. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'key-rotation-failed' }
  /** Members of a cluster came or went. */
  | { readonly kind: 'membership-change' }
  /** The stream ended or could not be opened. */
  | { readonly kind: 'failure' }
  | { readonly kind: 'init-fetch-timeout' };

export class DiscoveryStats {
  readonly secretUpdates: SecretUpdateStats;
  readonly #stats: WorkerStats;
  readonly #store: StatsStore;
  /** Null before there is one: of a proxy without, nobody is to hear that it is not connected. */
  #controlPlane: StatBlock | null = null;
  /** By the name of the text with its version. */
  readonly #counted = new Map<string, Counted>();
  /** Those of EDS, by cluster: making that name for each question was 2 % of the main thread's CPU of a change. */
  readonly #ofClusters = new Map<string, Counted>();

  /** Announcements of `stats` go to `store`. */
  constructor(stats: WorkerStats, store: StatsStore) {
    this.#stats = stats;
    this.#store = store;
    this.secretUpdates = new SecretUpdateStats(stats, store);
  }

  #ofControlPlane(): StatBlock {
    this.#controlPlane ??= this.#stats.block(controlPlaneStats);
    return this.#controlPlane;
  }

  /** Whether what is recorded of it is counted. */
  counts(subscription: Subscription): boolean {
    return this.#open(subscription) !== null;
  }

  /** Of EDS only what concerns clusters in use: counters of 10,000 that nobody asks for would be 10 MB. */
  record(subscription: Subscription, event: SubscriptionEvent): void {
    const counted = this.#open(subscription);
    if (counted === null) return;
    const { block } = counted;
    const set: CountedSet = setOf[subscription.kind];
    // As in Envoy: what comes of an attempt is the next one, to hear of the next state.
    if (isOutcome(event)) block.inc(set.updateAttempt);
    switch (event.kind) {
      case 'attempt':
        block.inc(set.updateAttempt);
        return;
      case 'success':
        block.inc(set.updateSuccess);
        block.set(set.updateTime, event.atMs);
        block.record(set.updateDuration, event.durationMs);
        block.set(set.version, versionNumber(event.version));
        this.#store.setText(counted.versionText, event.version, counted.place);
        return;
      case 'reload':
        count(block, set.configReload);
        if (set.configReloadTimeMs !== undefined) block.set(set.configReloadTimeMs, event.atMs);
        return;
      case 'conflict':
        count(block, set.configConflict);
        return;
      case 'key-rotation-failed':
        count(block, set.keyRotationFailed);
        return;
      case 'membership-change':
        count(block, set.membershipChange);
        return;
      case 'rejected':
        block.inc(set.updateRejected);
        count(block, set.configFail);
        return;
      case 'failure':
        block.inc(set.updateFailure);
        return;
      case 'init-fetch-timeout':
        block.inc(set.initFetchTimeout);
        count(block, set.configFail);
    }
  }

  /** Those of these kinds of which something was counted. */
  counted(...kinds: readonly Subscription['kind'][]): readonly Subscription[] {
    const all = [...this.#counted.values()].map(({ subscription }) => subscription);
    return all.filter(({ kind }) => kinds.includes(kind));
  }

  isCounted(subscription: Subscription): boolean {
    return this.#counted.has(versionTextOf(subscription));
  }

  /** Nobody subscribes to it any more. */
  release(subscription: Subscription): void {
    const known = this.#counted.get(versionTextOf(subscription));
    if (known === undefined) return;
    this.#counted.delete(known.versionText);
    if (known.subscription.kind === 'eds') this.#ofClusters.delete(known.subscription.cluster);
    this.#stats.release(known.block);
    this.#store.removeText(known.versionText);
  }

  /** How many streams are open now, and who answered last (empty when nobody did). */
  setControlPlane(openStreams: number, identifier: string): void {
    this.#ofControlPlane().set(controlPlaneStats.connectedState, openStreams > 0 ? 1 : 0);
    this.#store.setText('control_plane.identifier', identifier, {
      scope: controlPlaneStats.scope,
      names: [],
      name: 'identifier',
    });
  }

  /** Requests that wait to be sent. */
  setPendingRequests(pending: number): void {
    this.#ofControlPlane().set(controlPlaneStats.pendingRequests, pending);
  }

  /** A request had to wait for the limit of their rate. */
  countRateLimit(): void {
    this.#ofControlPlane().inc(controlPlaneStats.rateLimitEnforced);
  }

  /** Null where nothing is counted. */
  #open(subscription: Subscription): Counted | null {
    const ofCluster = subscription.kind === 'eds' ? this.#ofClusters.get(subscription.cluster) : undefined;
    if (ofCluster !== undefined) return ofCluster;
    if (subscription.kind === 'eds' && this.#store.get(clusterStats, subscription.cluster) === undefined) return null;
    const versionText = versionTextOf(subscription);
    const known = this.#counted.get(versionText);
    if (known !== undefined) return known;
    const block = this.#stats.block(setOf[subscription.kind], ...namesOf(subscription));
    const counted = { subscription, block, versionText, place: placeOf(subscription) };
    this.#counted.set(versionText, counted);
    if (subscription.kind === 'eds') this.#ofClusters.set(subscription.cluster, counted);
    this.#store.setText(versionText, '', counted.place);
    return counted;
  }
}

/** A subscription of which something was counted. */
interface Counted {
  readonly subscription: Subscription;
  readonly block: StatBlock;
  /** The name of the text. */
  readonly versionText: string;
  readonly place: TextPlace;
}

/** The numbers of a set; some have only some of them. */
interface CountedSet extends Readonly<Record<keyof typeof subscriptionStats, number>> {
  readonly configReload?: number;
  readonly configReloadTimeMs?: number;
  readonly configFail?: number;
  readonly configConflict?: number;
  readonly keyRotationFailed?: number;
  readonly membershipChange?: number;
}

function count(block: StatBlock, stat: number | undefined): void {
  if (stat !== undefined) block.inc(stat);
}

function isOutcome({ kind }: SubscriptionEvent): boolean {
  return kind === 'success' || kind === 'rejected' || kind === 'failure' || kind === 'init-fetch-timeout';
}

function namesOf(subscription: Subscription): readonly string[] {
  switch (subscription.kind) {
    case 'eds':
      return [subscription.cluster];
    case 'rds':
      return [subscription.statPrefix, subscription.routeConfiguration];
    case 'vhds':
      return [subscription.statPrefix, `vhds.${subscription.routeConfiguration}`];
    case 'http-filter':
    case 'network-filter':
      return [subscription.name];
    case 'sds':
      return [subscription.secret];
    default:
      return [];
  }
}

function placeOf(subscription: Subscription): TextPlace {
  return { scope: setOf[subscription.kind].scope, names: namesOf(subscription), name: 'version_text' };
}

/** The name of the text with its version, which is that of no other subscription. */
function versionTextOf(subscription: Subscription): string {
  return `${scopePrefix(setOf[subscription.kind].scope, namesOf(subscription))}version_text`;
}

// Envoy shows the 64 bits of an xxHash, more than our numbers hold. Only whether two are equal says something.
function versionNumber(version: string): number {
  return version === '' ? 0 : createHash('sha1').update(version).digest().readUIntBE(0, 6);
}

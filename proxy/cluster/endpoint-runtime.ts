// One endpoint of a cluster as a worker knows it: what the assignment says of it now, and what outlives assignments
// (requests in flight, connections, counters). An endpoint that stays in its cluster stays the same object, so pools
// and least-request counts survive every update.

import { type Address, formatAddress } from '../../config/address.ts';
import type { Endpoint, HealthStatus, Locality, Metadata } from '../../config/endpoint.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import type { StatsSource } from './stats-source.ts';
import type { UpstreamTransport } from './upstream-transport.ts';

/** What the owner of upstream connections keeps at an endpoint. */
export interface EndpointPools {
  /**
   * Finish what is in flight, close what is idle, open nothing new. The endpoint has let go of the pools: a request
   * that chooses it afterwards makes new ones.
   */
  drain(): void;
}

export const Availability = { healthy: 0, degraded: 1, unavailable: 2 } as const;
export type Availability = (typeof Availability)[keyof typeof Availability];

/** An endpoint after discovery: its address is literal. */
export interface ResolvedEndpoint extends Endpoint {
  readonly address: Address;
}

/** Where in the assignment an endpoint stands. */
export interface EndpointPlace {
  readonly locality: Locality;
  /** 0 is the highest. */
  readonly priority: number;
}

/** What all endpoints of a cluster share. */
export interface EndpointOwner {
  readonly statName: string;
  /** Counters of the cluster. */
  readonly stats: StatBlock;
  readonly statsSource: StatsSource;
  /** How connections to an endpoint with this metadata are protected; null: not at all. */
  transportFor(metadata: Metadata): UpstreamTransport | null;
}

export class EndpointRuntime {
  /** Carries the endpoint over from one assignment to the next: `ip:port`, a path, or `name:port` in logical DNS. */
  readonly key: string;
  /** Where connections are opened to. It changes in logical DNS clusters only. */
  address: Address;
  /** `address` as text. */
  addressText: string;
  hostname: string;
  weight: number;
  health: HealthStatus;
  locality: Locality;
  priority: number;
  metadata: Metadata;
  /** Null: connections are plain. */
  transport: UpstreamTransport | null;

  /** Kept up by whoever sends requests; least-request balancing reads it. */
  activeRequests = 0;
  /** Kept up by the pools: established and connecting. */
  activeConnections = 0;
  /** Owned by whoever opens connections; null until the first. */
  pools: EndpointPools | null = null;
  /** When it joined its cluster or, if that was later, was first told to be healthy; noted for slow start, -Infinity without. */
  healthySinceMs = Number.NEGATIVE_INFINITY;
  /** The endpoint has left its cluster. Requests in flight may still hold it. */
  isRemoved = false;

  readonly #owner: EndpointOwner;
  #stats: StatBlock | null = null;

  constructor(key: string, endpoint: ResolvedEndpoint, membership: { place: EndpointPlace; owner: EndpointOwner }) {
    this.key = key;
    this.address = endpoint.address;
    this.addressText = formatAddress(endpoint.address);
    this.hostname = endpoint.hostname;
    this.weight = endpoint.weight;
    this.health = endpoint.health;
    this.locality = membership.place.locality;
    this.priority = membership.place.priority;
    this.metadata = endpoint.metadata;
    this.#owner = membership.owner;
    this.transport = membership.owner.transportFor(endpoint.metadata);
  }

  /** Counters of this endpoint, allocated when first asked for. */
  get stats(): StatBlock {
    this.#stats ??= this.#owner.statsSource.endpointBlock(this.#owner.statName, this.addressText);
    return this.#stats;
  }

  /** Nobody sends to it and no connection is open: once removed, nobody will count any more. */
  get isIdle(): boolean {
    return this.activeRequests === 0 && this.activeConnections === 0;
  }

  get availability(): Availability {
    return availabilityOf[this.health];
  }

  /** Takes over what a new assignment says. */
  update(endpoint: ResolvedEndpoint, place: EndpointPlace): void {
    this.address = endpoint.address;
    this.addressText = formatAddress(endpoint.address);
    this.hostname = endpoint.hostname;
    this.weight = endpoint.weight;
    this.health = endpoint.health;
    this.locality = place.locality;
    this.priority = place.priority;
    this.metadata = endpoint.metadata;
    this.updateTransport();
  }

  /** Slow start begins with the first call that finds it healthy. */
  noteHealth(nowMs: number): void {
    const isFirst = this.healthySinceMs === Number.NEGATIVE_INFINITY;
    if (isFirst && this.availability === Availability.healthy) this.healthySinceMs = nowMs;
  }

  /** Connections that would now be made differently are let go. */
  updateTransport(): void {
    const transport = this.#owner.transportFor(this.metadata);
    if (transport === this.transport) return;
    this.transport = transport;
    this.drainPools();
  }

  /** Lets go of the connections, which finish what is in flight. The endpoint can be used again. */
  drainPools(): void {
    const pools = this.pools;
    this.pools = null;
    pools?.drain();
  }

  /** The endpoint left its cluster. */
  remove(): void {
    this.isRemoved = true;
    this.drainPools();
  }

  /** Gives the counters back. Only for a removed endpoint that is idle. */
  releaseStats(): void {
    if (this.#stats !== null) this.#owner.statsSource.release(this.#stats);
    this.#stats = null;
  }
}

const availabilityOf: Readonly<Record<HealthStatus, Availability>> = {
  unknown: Availability.healthy,
  healthy: Availability.healthy,
  degraded: Availability.degraded,
  unhealthy: Availability.unavailable,
  draining: Availability.unavailable,
  timeout: Availability.unavailable,
};

// The members of a cluster, grouped by locality and priority (`config.endpoint.v3.ClusterLoadAssignment`).

import type { Address, HostAddress } from './address.ts';

export interface LoadAssignment {
  readonly localities: readonly LocalityEndpoints[];
  /** Healthy share below which a priority spills over, ×100. Envoy's default is 140. */
  readonly overprovisioningFactorPercent: number;
}

export interface LocalityEndpoints {
  readonly locality: Locality;
  /** 0 is the highest. */
  readonly priority: number;
  /** Used when the cluster has locality weighted load balancing; 0 takes no traffic. */
  readonly weight: number;
  readonly endpoints: readonly Endpoint[];
}

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

export type HealthStatus = 'unknown' | 'healthy' | 'unhealthy' | 'draining' | 'timeout' | 'degraded';

/** What a control plane says of an endpoint that may get requests; a degraded one gets them behind the others. */
export function takesRequests(health: HealthStatus): boolean {
  return health === 'unknown' || health === 'healthy' || health === 'degraded';
}

export interface Endpoint {
  /** A literal address, or a name that the cluster's discovery resolves. */
  readonly address: Address | HostAddress;
  /** Used by `auto_host_rewrite` and shown in admin pages; empty when not given. */
  readonly hostname: string;
  /** At least 1. */
  readonly weight: number;
  readonly health: HealthStatus;
  readonly metadata: Metadata;
}

/** `config.core.v3.Metadata.filter_metadata`: a JSON object per namespace. */
export interface Metadata {
  readonly [namespace: string]: { readonly [key: string]: unknown };
}

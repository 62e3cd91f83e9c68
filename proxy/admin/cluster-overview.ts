// What the live page says of clusters: those in trouble first, then the busiest. Of 10,000 nobody reads more than a few.

import { formatAddress } from '../../config/address.ts';
import type { Cluster } from '../../config/cluster.ts';
import { takesRequests } from '../../config/endpoint.ts';
import { clusterStats } from '../telemetry/cluster-stats.ts';
import { endpointStats } from '../telemetry/endpoint-stats.ts';
import type { StatGroup } from '../telemetry/stat-group.ts';
import type { AdminContext } from './admin-context.ts';
import { assignmentOf } from './endpoint-configs.ts';
import { latencyOf } from './latency.ts';
import { securityOfCluster } from './security-overview.ts';

const listedClusters = 50;
const listedEndpoints = 20;

export function clusterOverview({ state, store }: AdminContext, part: string): unknown {
  const wanted = part.toLowerCase();
  const candidates: Candidate[] = [];
  for (const [name, cluster] of state.snapshot?.clusters ?? []) {
    if (!name.toLowerCase().includes(wanted)) continue;
    const group = store.get(clusterStats, cluster.statName);
    candidates.push({ name, cluster, group, failures: failuresOf(group), requests: requestsOf(group) });
  }
  candidates.sort(byInterest);
  return {
    total: state.snapshot?.clusters.size ?? 0,
    matching: candidates.length,
    listed: candidates.slice(0, listedClusters).map((candidate) => describe({ state, store }, candidate)),
  };
}

interface Candidate {
  readonly name: string;
  readonly cluster: Cluster;
  /** Undefined when no request ever asked for the cluster. */
  readonly group: StatGroup | undefined;
  readonly failures: number;
  readonly requests: number;
}

function failuresOf(group: StatGroup | undefined): number {
  if (group === undefined) return 0;
  const { upstreamRq5xx, upstreamCxConnectFail, upstreamCxConnectTimeout } = clusterStats;
  return group.value(upstreamRq5xx) + group.value(upstreamCxConnectFail) + group.value(upstreamCxConnectTimeout);
}

function requestsOf(group: StatGroup | undefined): number {
  return group?.value(clusterStats.upstreamRqCompleted) ?? 0;
}

function byInterest(left: Candidate, right: Candidate): number {
  const trouble = Number(right.failures > 0) - Number(left.failures > 0);
  if (trouble !== 0) return trouble;
  return right.requests - left.requests || (left.name < right.name ? -1 : 1);
}

function describe({ state, store }: Pick<AdminContext, 'state' | 'store'>, candidate: Candidate): unknown {
  const { name, cluster, group, requests } = candidate;
  const value = (index: number): number => group?.value(index) ?? 0;
  const localities = assignmentOf(state.snapshot, name, cluster)?.localities ?? [];
  const endpoints = localities.flatMap((locality) => locality.endpoints);
  return {
    name,
    discovery: cluster.discovery.kind,
    balancer: cluster.loadBalancer.policy.kind,
    security: securityOfCluster(cluster),
    requests,
    active: value(clusterStats.upstreamRqActive),
    connections: value(clusterStats.upstreamCxActive),
    answered5xx: value(clusterStats.upstreamRq5xx),
    connectFailures: value(clusterStats.upstreamCxConnectFail) + value(clusterStats.upstreamCxConnectTimeout),
    timeouts: value(clusterStats.upstreamRqTimeout),
    overflows:
      value(clusterStats.upstreamRqPendingOverflow) +
      value(clusterStats.upstreamRqActiveOverflow) +
      value(clusterStats.upstreamCxOverflow),
    retries: value(clusterStats.upstreamRqRetry),
    latencyMs: latencyOf(group, clusterStats.upstreamRqTime),
    endpointCount: endpoints.length,
    usableCount: endpoints.filter(({ health }) => takesRequests(health)).length,
    endpoints: endpoints.slice(0, listedEndpoints).map((endpoint) => {
      const address = formatAddress(endpoint.address);
      const counted = store.get(endpointStats, cluster.statName, address);
      return {
        address,
        health: endpoint.health,
        isUsable: takesRequests(endpoint.health),
        requests: counted?.value(endpointStats.rqTotal) ?? 0,
        errors: (counted?.value(endpointStats.rqError) ?? 0) + (counted?.value(endpointStats.cxConnectFail) ?? 0),
        active: counted?.value(endpointStats.rqActive) ?? 0,
      };
    }),
  };
}

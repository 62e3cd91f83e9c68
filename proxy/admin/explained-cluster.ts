// Who could get a request that is explained: a cluster, its endpoints and how they are.

import { formatAddress } from '../../config/address.ts';
import { type HealthStatus, takesRequests } from '../../config/endpoint.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import { assignmentOf } from './endpoint-configs.ts';

const listedEndpoints = 50;

/** A cluster by name, as a route or a TCP proxy has it. */
export interface ExplainedTarget {
  readonly name: string;
  readonly weight?: number;
  /** What a request is answered when there is no such cluster. */
  readonly missingStatus?: number;
}

export interface ExplainedCluster {
  readonly name: string;
  readonly weight?: number;
  readonly isKnown: boolean;
  readonly endpointCount: number;
  readonly usableCount: number;
  /** Some of them when there are many. */
  readonly endpoints: readonly ExplainedEndpoint[];
  readonly words: readonly string[];
}

interface ExplainedEndpoint {
  readonly address: string;
  readonly health: HealthStatus;
  readonly isUsable: boolean;
  readonly weight: number;
  readonly priority: number;
}

export function explainCluster(snapshot: Snapshot, { name, weight, missingStatus }: ExplainedTarget): ExplainedCluster {
  const cluster = snapshot.clusters.get(name);
  const share = weight === undefined ? '' : ` (weight ${weight})`;
  const called =
    name === '' ? 'no cluster: the header that names it is missing' : `cluster ${JSON.stringify(name)}${share}`;
  const base = { name, ...(weight !== undefined && { weight }) };
  if (cluster === undefined) {
    const answer = missingStatus === undefined ? 'the connection is closed' : `the answer is ${missingStatus} (NC)`;
    const words = [name === '' ? `${called}: ${answer}` : `${called} is not there: ${answer}`];
    return { ...base, isKnown: false, endpointCount: 0, usableCount: 0, endpoints: [], words };
  }
  const all = (assignmentOf(snapshot, name, cluster)?.localities ?? []).flatMap(({ endpoints, priority }) =>
    endpoints.map(
      (endpoint): ExplainedEndpoint => ({
        address: formatAddress(endpoint.address),
        health: endpoint.health,
        isUsable: takesRequests(endpoint.health),
        weight: endpoint.weight,
        priority,
      }),
    ),
  );
  const usableCount = all.filter((endpoint) => endpoint.isUsable).length;
  const endpoints = all.slice(0, listedEndpoints);
  const isTransparent = cluster.discovery.kind === 'original-dst';
  const fact = isTransparent
    ? 'the endpoint is where the connection was headed'
    : `${usableCount} of ${all.length} endpoints are usable${all.length === 0 ? ': the answer is 503 (UH)' : ''}`;
  const words = [`${called}: ${fact}`, ...endpoints.map(wordsOfEndpoint)];
  if (all.length > endpoints.length) words.push(`  and ${all.length - endpoints.length} more`);
  return { ...base, isKnown: true, endpointCount: all.length, usableCount, endpoints, words };
}

function wordsOfEndpoint({ address, health, weight, priority }: ExplainedEndpoint): string {
  return `  ${address} ${health === 'unknown' ? 'healthy' : health}, weight ${weight}, priority ${priority}`;
}

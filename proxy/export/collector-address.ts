// Where a collector is now. Providers name a cluster of ours, and a cluster changes while its telemetry is sent: nobody
// keeps what this answers for longer than one attempt.

import type { Address, HostAddress } from '../../config/address.ts';
import type { Cluster } from '../../config/cluster.ts';
import type { GrpcCluster } from '../../config/config-source.ts';
import type { Endpoint, LoadAssignment } from '../../config/endpoint.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import type { TelemetryService } from '../../config/telemetry-service.ts';

export interface CollectorClusters {
  /** What is served now; null before the first snapshot. */
  readonly snapshot: () => Pick<Snapshot, 'clusters' | 'assignments'> | null;
  /** Static clusters for calls of our own: `Bootstrap.grpcClusters`. */
  readonly grpcClusters: ReadonlyMap<string, GrpcCluster>;
  /** A collector that the environment names and no cluster; it speaks what the service says. */
  readonly ofEnvironment?: GrpcCluster;
}

export type CollectorAddress = Address | HostAddress;

export type Collector =
  /** `addresses` has one at least, those of the best priority that has any. */
  | { readonly kind: 'found'; readonly addresses: readonly CollectorAddress[]; readonly connectTimeoutMs: number }
  /** There is no such cluster. */
  | { readonly kind: 'no-cluster'; readonly reason: string }
  /** There is, and nothing can be sent to it now. */
  | { readonly kind: 'unreachable'; readonly reason: string };

export function findCollector(
  { cluster: name, kind }: Pick<TelemetryService, 'cluster' | 'kind'>,
  { snapshot, grpcClusters, ofEnvironment }: CollectorClusters,
): Collector {
  if (name === ofEnvironment?.name) return ofGrpcCluster(ofEnvironment);
  const own = grpcClusters.get(name);
  // Clusters for calls are those of HTTP/2.
  if (own !== undefined) return kind === 'http' ? speaksHttp2(name) : ofGrpcCluster(own);
  const now = snapshot();
  const cluster = now?.clusters.get(name);
  if (cluster === undefined) return { kind: 'no-cluster', reason: `there is no cluster ${name}` };
  if (cluster.discovery.kind === 'original-dst') {
    return { kind: 'unreachable', reason: `cluster ${name} has no members of its own: its type is ORIGINAL_DST` };
  }
  if (kind === 'http' && cluster.upstreamHttp.protocol === 'http2') return speaksHttp2(name);
  const best = bestEndpoints(now?.assignments.get(name));
  if (best.length === 0) return { kind: 'unreachable', reason: `cluster ${name} has no healthy endpoint` };
  const addresses = best.filter((endpoint) => isPlain(cluster, endpoint)).map(({ address }) => address);
  if (addresses.length === 0) return usesTls(name);
  return { kind: 'found', addresses, connectTimeoutMs: cluster.connectTimeoutMs };
}

function speaksHttp2(name: string): Collector {
  const way = 'write grpc_service, or a cluster without HTTP/2';
  return { kind: 'unreachable', reason: `cluster ${name} speaks HTTP/2, and this service HTTP/1.1: ${way}` };
}

function ofGrpcCluster({ name, endpoints, connectTimeoutMs, tls }: GrpcCluster): Collector {
  // In clear text nothing is sent to who was to be reached by TLS.
  if (tls !== undefined) return usesTls(name);
  if (endpoints.length === 0) return { kind: 'unreachable', reason: `cluster ${name} has no endpoint` };
  return { kind: 'found', addresses: endpoints, connectTimeoutMs };
}

function usesTls(name: string): Collector {
  return { kind: 'unreachable', reason: `cluster ${name} uses TLS, which is not offered for telemetry yet` };
}

/** By the first of the cluster's matches that the labels of the endpoint have all of. */
function isPlain({ transport, transportMatches }: Cluster, { metadata }: Endpoint): boolean {
  const labels = metadata['envoy.transport_socket_match'];
  const found = transportMatches.find(({ match }) =>
    Object.entries(match).every(([key, value]) => labels?.[key] === value),
  );
  return (found?.transport ?? transport).kind === 'plain';
}

/** Telemetry is no load that needs balancing: a collector of a lower priority is for when there is none of a higher. */
function bestEndpoints(assignment: LoadAssignment | undefined): readonly Endpoint[] {
  const localities = [...(assignment?.localities ?? [])].sort((left, right) => left.priority - right.priority);
  let best: Endpoint[] = [];
  let priority = Number.NaN;
  for (const locality of localities) {
    if (best.length > 0 && locality.priority !== priority) break;
    priority = locality.priority;
    const usable = locality.endpoints.filter(({ health }) => !unusable.has(health));
    best = [...best, ...usable];
  }
  return best;
}

const unusable: ReadonlySet<string> = new Set(['unhealthy', 'draining', 'timeout']);

// Where a collector is now, and how it is spoken to there. Providers name a cluster of ours, and a cluster changes while its
// telemetry is sent: nobody keeps what this answers for longer than one attempt.

import type { Address, HostAddress } from '../../config/address.ts';
import type { Cluster } from '../../config/cluster.ts';
import type { GrpcCluster, GrpcTls } from '../../config/config-source.ts';
import type { Endpoint, LoadAssignment } from '../../config/endpoint.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import type { TelemetryService } from '../../config/telemetry-service.ts';
import type { UpstreamTls } from '../../config/tls.ts';
import { transportSocketFor } from '../../config/transport-choice.ts';

export interface CollectorClusters {
  /** What is served now; null before the first snapshot. */
  readonly snapshot: () => Pick<Snapshot, 'clusters' | 'assignments' | 'secrets'> | null;
  /** Static clusters for calls of our own: `Bootstrap.grpcClusters`. */
  readonly grpcClusters: ReadonlyMap<string, GrpcCluster>;
  /** A collector that the environment names and no cluster; it speaks what the service says. */
  readonly ofEnvironment?: GrpcCluster;
}

export type CollectorAddress = Address | HostAddress;

export interface CollectorEndpoint {
  readonly address: CollectorAddress;
  /** Undefined: in clear text. */
  readonly tls?: EndpointTls;
}

export type EndpointTls = { readonly handshakeTimeoutMs: number } & (
  | {
      readonly kind: 'cluster';
      readonly config: UpstreamTls;
      /** Of the endpoint; empty when it has none. */
      readonly hostname: string;
      /** As they are when a connection begins. */
      readonly secrets: () => Snapshot['secrets'];
    }
  /** Its files are read when a connection begins. */
  | { readonly kind: 'call'; readonly config: GrpcTls; readonly host: string }
);

export type Collector =
  /** `endpoints` has one at least, those of the best priority that has any. */
  | { readonly kind: 'found'; readonly endpoints: readonly CollectorEndpoint[]; readonly connectTimeoutMs: number }
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
  const secrets = (): Snapshot['secrets'] => snapshot()?.secrets ?? new Map();
  return {
    kind: 'found',
    endpoints: best.map((endpoint) => ofCluster(cluster, endpoint, secrets)),
    connectTimeoutMs: cluster.connectTimeoutMs,
  };
}

function speaksHttp2(name: string): Collector {
  const way = 'write grpc_service, or a cluster without HTTP/2';
  return { kind: 'unreachable', reason: `cluster ${name} speaks HTTP/2, and this service HTTP/1.1: ${way}` };
}

function ofGrpcCluster({ name, endpoints, connectTimeoutMs, tls: config }: GrpcCluster): Collector {
  if (endpoints.length === 0) return { kind: 'unreachable', reason: `cluster ${name} has no endpoint` };
  const found = endpoints.map((address): CollectorEndpoint => {
    if (config === undefined) return { address };
    return { address, tls: { kind: 'call', config, host: hostOf(address), handshakeTimeoutMs: connectTimeoutMs } };
  });
  return { kind: 'found', endpoints: found, connectTimeoutMs };
}

function hostOf(address: CollectorAddress): string {
  switch (address.kind) {
    case 'ip':
      return address.ip;
    case 'host':
      return address.hostname;
    case 'pipe':
      return 'localhost';
  }
}

function ofCluster(cluster: Cluster, endpoint: Endpoint, secrets: () => Snapshot['secrets']): CollectorEndpoint {
  const { address, hostname } = endpoint;
  const transport = transportSocketFor(cluster, endpoint.metadata);
  if (transport.kind === 'plain') return { address };
  const config = transport.tls;
  return { address, tls: { kind: 'cluster', config, hostname, secrets, handshakeTimeoutMs: cluster.connectTimeoutMs } };
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

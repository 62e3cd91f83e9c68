// The static clusters: most are for requests, some for gRPC calls of our own to a control plane or collector.

import type { Address } from '../../config/address.ts';
import type { Bootstrap } from '../../config/bootstrap.ts';
import type { Cluster } from '../../config/cluster.ts';
import type { GrpcCluster } from '../../config/config-source.ts';
import { Problems } from '../../config/problems.ts';
import type {
  ApiConfigSource,
  Cluster as ClusterMessage,
  ConfigSource,
  Bootstrap as Message,
} from '../generated/messages.ts';
import { decodeBindConfig, decodeCluster } from './cluster.ts';
import { collectorReferences } from './collector-references.ts';
import { given } from './given.ts';
import { decodeGrpcCluster, speaksHttp2 } from './grpc-cluster.ts';
import { UniqueNames } from './unique-names.ts';
import { refuseHttp2 } from './upstream-http.ts';
import { secretSourcesOf } from './written-secret-sources.ts';

export function decodeStaticClusters(
  message: Message,
  problems: Problems,
): Pick<Bootstrap, 'clusters' | 'grpcClusters' | 'defaultBindAddress'> {
  const bind = decodeBind(message, problems);
  const clusters: Cluster[] = [];
  const grpcClusters = new Map<string, GrpcCluster>();
  const forCalls = new CallClusters(message);
  const names = new UniqueNames('cluster');
  for (const [index, cluster] of (message.staticResources?.clusters ?? []).entries()) {
    const place = problems.at('static_resources').at('clusters').item(index);
    names.add(cluster.name, place);
    if (forCalls.has(cluster)) {
      const decoded = decodeGrpcCluster(cluster, place);
      if (decoded !== undefined) grpcClusters.set(decoded.name, decoded);
    } else {
      const decoded = decodeCluster(cluster, bind, place);
      refuseHttp2(cluster, place);
      if (decoded !== undefined) clusters.push(decoded);
    }
  }
  return { clusters, grpcClusters, ...given('defaultBindAddress', bind) };
}

function decodeBind({ clusterManager }: Message, problems: Problems): Address | undefined {
  const place = problems.at('cluster_manager').at('upstream_bind_config');
  return decodeBindConfig(clusterManager?.upstreamBindConfig, place);
}

/**
 * A cluster that a gRPC service of the bootstrap names is for calls. Resources that are yet to come may name others, such
 * as the `sds-grpc` of Istio: where there is a control plane, those are the ones with HTTP/2, which requests do not have.
 */
class CallClusters {
  readonly #named: ReadonlySet<string>;
  readonly #hasControlPlane: boolean;

  constructor(message: Message) {
    const collectors = collectorReferences(message, new Problems()).filter(({ protocol }) => protocol === 'grpc');
    this.#named = new Set([...apisOf(message).flatMap(clusterNames), ...collectors.map(({ cluster }) => cluster)]);
    this.#hasControlPlane = message.dynamicResources !== undefined;
  }

  has(cluster: ClusterMessage): boolean {
    return this.#named.has(cluster.name ?? '') || (this.#hasControlPlane && speaksHttp2(cluster));
  }
}

function apisOf({ dynamicResources, layeredRuntime, staticResources }: Message): readonly ApiConfigSource[] {
  const sources: (ConfigSource | undefined)[] = [dynamicResources?.cdsConfig, dynamicResources?.ldsConfig];
  for (const { rtdsLayer } of layeredRuntime?.layers ?? []) sources.push(rtdsLayer?.rtdsConfig);
  for (const { edsClusterConfig } of staticResources?.clusters ?? []) sources.push(edsClusterConfig?.edsConfig);
  sources.push(...secretSourcesOf(staticResources));
  const apis = [dynamicResources?.adsConfig, ...sources.map((source) => source?.apiConfigSource)];
  return apis.filter((api) => api !== undefined);
}

function clusterNames({ grpcServices = [] }: ApiConfigSource): readonly string[] {
  return grpcServices.flatMap(({ envoyGrpc }) => envoyGrpc?.clusterName ?? []);
}

// Whether what a configuration source names is there: the aggregated stream, or the cluster of its service.

import type { ConfigSource, GrpcService } from '../../config/config-source.ts';
import { nearestName } from '../message/nearest-name.ts';

export interface KnownSources {
  /** Whether there is an `ads_config`. */
  readonly hasAds: boolean;
  readonly grpcClusters: ReadonlyMap<string, unknown>;
}

/** What is wrong, as a sentence; undefined when nothing is. */
export function configSourceProblem(source: ConfigSource, known: KnownSources): string | undefined {
  switch (source.kind) {
    case 'ads':
      return known.hasAds ? undefined : 'there is no ads_config in the bootstrap that ads could mean';
    case 'path':
      return undefined;
    case 'grpc':
      return grpcServiceProblem(source.api.service, known);
  }
}

export function grpcServiceProblem({ target }: GrpcService, { grpcClusters }: KnownSources): string | undefined {
  if (target.kind === 'uri' || grpcClusters.has(target.cluster)) return undefined;
  const meant = nearestName(target.cluster, [...grpcClusters.keys()]);
  const hint = meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`;
  return `there is no static cluster ${JSON.stringify(target.cluster)} for gRPC${hint}`;
}

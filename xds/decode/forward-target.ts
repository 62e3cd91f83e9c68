// The clusters that a route forwards to: one, one named by a header, or several by weight.

import type { Problems } from '../../config/problems.ts';
import type { ForwardTarget, WeightedCluster } from '../../config/route.ts';
import type {
  RouteAction,
  WeightedCluster_ClusterWeight,
  WeightedCluster as WeightedClustersMessage,
} from '../generated/messages.ts';
import { given } from './given.ts';
import { decodeHeaderMutations } from './header-mutation.ts';
import { decodePerFilterConfig } from './per-filter-config.ts';

export function decodeForwardTarget(message: RouteAction, problems: Problems): ForwardTarget | undefined {
  if (message.cluster !== undefined) return { kind: 'cluster', name: message.cluster };
  if (message.clusterHeader !== undefined) return { kind: 'cluster-header', header: message.clusterHeader };
  if (message.weightedClusters === undefined) return undefined;
  return decodeWeightedClusters(message.weightedClusters, problems.at('weighted_clusters'));
}

function decodeWeightedClusters(message: WeightedClustersMessage, problems: Problems): ForwardTarget {
  const clusters: WeightedCluster[] = [];
  for (const [index, cluster] of (message.clusters ?? []).entries()) {
    const decoded = decodeWeightedCluster(cluster, problems.at('clusters').item(index));
    if (decoded !== undefined) clusters.push(decoded);
  }
  const totalWeight = clusters.reduce((sum, cluster) => sum + cluster.weight, 0);
  checkTotalWeight(clusters, totalWeight, problems.at('clusters'));
  const runtimeKeyPrefix = message.runtimeKeyPrefix ?? '';
  return {
    kind: 'weighted',
    clusters,
    totalWeight,
    runtimeKeyPrefix,
    ...given('randomValueHeader', message.headerName || undefined),
  };
}

function checkTotalWeight(clusters: readonly WeightedCluster[], totalWeight: number, problems: Problems): void {
  if (clusters.length > 0 && totalWeight === 0) problems.add('the sum of weights must be more than 0');
  if (totalWeight > 0xffff_ffff) problems.add('the sum of weights must be at most 4294967295');
}

function decodeWeightedCluster(
  message: WeightedCluster_ClusterWeight,
  problems: Problems,
): WeightedCluster | undefined {
  const { name = '', clusterHeader = '', weight } = message;
  if ((name === '') === (clusterHeader === '')) problems.add('one of name and cluster_header is required, not both');
  if (weight === undefined) problems.at('weight').add('weight is required');
  const headers = decodeHeaderMutations(message, problems);
  const perFilterConfig = decodePerFilterConfig(message.typedPerFilterConfig, problems.at('typed_per_filter_config'));
  if (weight === undefined) return undefined;
  return {
    target: name === '' ? { kind: 'cluster-header', header: clusterHeader } : { kind: 'cluster', name },
    weight,
    headers,
    ...given('hostRewriteLiteral', message.hostRewriteLiteral),
    perFilterConfig,
  };
}

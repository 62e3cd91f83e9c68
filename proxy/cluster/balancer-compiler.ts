// From an endpoint set and a policy to the balancer that chooses among it: shares of the traffic, localities,
// endpoints, with every level left out that has nothing to choose.

import type { LoadBalancer } from '../../config/cluster.ts';
import type { Random } from '../../config/random.ts';
import type { Balancer } from './balancer.ts';
import type { EndpointRuntime } from './endpoint-runtime.ts';
import type { EndpointSet, TrafficShare } from './endpoint-set.ts';
import { buildLeastRequest } from './least-request.ts';
import { RandomChoice } from './random.ts';
import { buildRoundRobin } from './round-robin.ts';
import { PercentSplit, WeightedSplit } from './traffic-split.ts';

type Policy = LoadBalancer['policy'];

/** `random` sets where turns begin. A set without endpoints, or `cluster-provided`, gives a balancer without a choice. */
export function compileBalancer(set: EndpointSet, policy: Policy, random: Random): Balancer {
  const branches = set.shares.map((share) => balanceShare(share, policy, random));
  if (branches.length === 0) return noEndpoints;
  if (branches.length === 1) return branches[0]!;
  return new PercentSplit(
    branches,
    set.shares.map((share) => share.percent),
  );
}

function balanceShare({ endpoints, localities }: TrafficShare, policy: Policy, random: Random): Balancer {
  if (localities === null) return balanceEndpoints(endpoints, policy, random);
  if (localities.length === 1) return balanceEndpoints(localities[0]!.endpoints, policy, random);
  const branches = localities.map((locality) => balanceEndpoints(locality.endpoints, policy, random));
  const weights = localities.map((locality) => locality.weight);
  return new WeightedSplit(branches, weights, random);
}

function balanceEndpoints(endpoints: readonly EndpointRuntime[], policy: Policy, random: Random): Balancer {
  if (endpoints.length === 0) return noEndpoints;
  switch (policy.kind) {
    case 'round-robin':
      return buildRoundRobin(endpoints, random);
    case 'least-request':
      return buildLeastRequest(endpoints, {
        choiceCount: policy.choiceCount,
        activeRequestBias: policy.activeRequestBias,
        random,
      });
    case 'random':
      return new RandomChoice(endpoints);
    case 'cluster-provided':
      return noEndpoints;
  }
}

const noEndpoints: Balancer = { choose: () => null };

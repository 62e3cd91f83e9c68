// From an endpoint set and a policy to the balancer that chooses among it: shares of the traffic, localities,
// endpoints, with every level left out that has nothing to choose.

import type { LoadBalancer } from '../../config/cluster.ts';
import type { Random } from '../../config/random.ts';
import { clusterStats } from '../telemetry/cluster-stats.ts';
import type { Balancer, ChooseContext } from './balancer.ts';
import type { EndpointOwner, EndpointRuntime } from './endpoint-runtime.ts';
import type { EndpointSet, TrafficShare } from './endpoint-set.ts';
import { buildLeastRequest } from './least-request.ts';
import { RandomChoice } from './random.ts';
import { buildRoundRobin } from './round-robin.ts';
import { PercentSplit, WeightedSplit } from './traffic-split.ts';

export interface BalancerOptions {
  readonly policy: LoadBalancer['policy'];
  /** Sets where turns begin. */
  readonly random: Random;
  /** Counts choices in panic. */
  readonly owner: EndpointOwner;
}

/** A set without endpoints, or the policy `cluster-provided`, gives a balancer without a choice. */
export function compileBalancer(set: EndpointSet, options: BalancerOptions): Balancer {
  const branches = set.shares.map((share) => balanceShare(share, options));
  if (branches.length === 0) return noEndpoints;
  if (branches.length === 1) return branches[0]!;
  return new PercentSplit(
    branches,
    set.shares.map((share) => share.percent),
  );
}

function balanceShare({ endpoints, localities, isInPanic }: TrafficShare, options: BalancerOptions): Balancer {
  if (localities === null) {
    const balancer = balanceEndpoints(endpoints, options);
    return isInPanic ? new PanicCount(balancer, options.owner) : balancer;
  }
  if (localities.length === 1) return balanceEndpoints(localities[0]!.endpoints, options);
  const branches = localities.map((locality) => balanceEndpoints(locality.endpoints, options));
  const weights = localities.map((locality) => locality.weight);
  return new WeightedSplit(branches, weights, options.random);
}

function balanceEndpoints(endpoints: readonly EndpointRuntime[], { policy, random }: BalancerOptions): Balancer {
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

/** Health is ignored here, which the operator has to see. */
class PanicCount implements Balancer {
  readonly #balancer: Balancer;
  readonly #owner: EndpointOwner;

  constructor(balancer: Balancer, owner: EndpointOwner) {
    this.#balancer = balancer;
    this.#owner = owner;
  }

  choose(context: ChooseContext): EndpointRuntime | null {
    this.#owner.stats.inc(clusterStats.lbHealthyPanic);
    return this.#balancer.choose(context);
  }
}

const noEndpoints: Balancer = { choose: () => null };

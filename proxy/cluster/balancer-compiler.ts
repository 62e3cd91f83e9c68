// From an endpoint set and a policy to the balancer that chooses among it: shares of the traffic, localities,
// endpoints, with every level left out that has nothing to choose.

import type { LoadBalancer } from '../../config/cluster.ts';
import type { Random } from '../../config/random.ts';
import { clusterStats } from '../telemetry/cluster-stats.ts';
import type { Balancer, ChooseContext } from './balancer.ts';
import type { EndpointOwner, EndpointRuntime } from './endpoint-runtime.ts';
import type { EndpointSet, TrafficShare } from './endpoint-set.ts';
import { buildLeastRequest, buildWeightedLeastRequest } from './least-request.ts';
import { RandomChoice } from './random.ts';
import { buildRoundRobin, buildWeightedRoundRobin } from './round-robin.ts';
import { buildSlowStart } from './slow-start.ts';
import { PercentSplit, WeightedSplit } from './traffic-split.ts';

export interface BalancerOptions {
  readonly policy: LoadBalancer['policy'];
  /** Sets where turns begin. */
  readonly random: Random;
  /** Monotonic, ms. Asked while endpoints warm up. */
  readonly clock: () => number;
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

function balanceEndpoints(endpoints: readonly EndpointRuntime[], options: BalancerOptions): Balancer {
  if (endpoints.length === 0) return noEndpoints;
  const { policy, random, clock } = options;
  switch (policy.kind) {
    case 'round-robin': {
      const plain = () => buildRoundRobin(endpoints, random);
      const { slowStart } = policy;
      if (slowStart === undefined) return plain();
      const weighted = (weights: Float64Array) => buildWeightedRoundRobin(endpoints, weights, random);
      return buildSlowStart(endpoints, { slowStart, clock, weighted, plain });
    }
    case 'least-request': {
      const { slowStart, choiceCount, activeRequestBias } = policy;
      const numbers = { choiceCount, activeRequestBias, random };
      const plain = () => buildLeastRequest(endpoints, numbers);
      if (slowStart === undefined) return plain();
      const weighted = (weights: Float64Array) => buildWeightedLeastRequest(endpoints, weights, numbers);
      return buildSlowStart(endpoints, { slowStart, clock, weighted, plain });
    }
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

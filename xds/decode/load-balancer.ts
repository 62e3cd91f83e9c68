// How a cluster chooses among its endpoints: `lb_policy` with its settings, or the first policy of
// `load_balancing_policy` that is known here.

import type { LoadBalancer, SlowStart } from '../../config/cluster.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  Cluster as ClusterMessage,
  LeastRequest,
  LoadBalancingPolicy,
  LocalityLbConfig,
  RoundRobin,
  RuntimeDouble,
  SlowStartConfig,
} from '../generated/messages.ts';
import { extensionType } from './extension.ts';
import { given } from './given.ts';

type Policy = LoadBalancer['policy'];

const defaultPanicPercent = 50;

export function decodeLoadBalancer(message: ClusterMessage, problems: Problems): LoadBalancer | undefined {
  const isTyped = message.loadBalancingPolicy !== undefined || message.lbPolicy === 'LOAD_BALANCING_POLICY_CONFIG';
  const chosen = isTyped ? decodeTyped(message, problems) : decodeNamed(message, problems.at('lb_policy'));
  if (chosen === undefined) return undefined;
  // Envoy takes a threshold that is set without a value as 0: panic routing is off.
  const panic = message.commonLbConfig?.healthyPanicThreshold;
  return { ...chosen, healthyPanicThresholdPercent: panic === undefined ? defaultPanicPercent : (panic.value ?? 0) };
}

type Choice = Pick<LoadBalancer, 'policy' | 'localityWeighted'>;

function decodeNamed(message: ClusterMessage, problems: Problems): Choice | undefined {
  const policy = decodePolicy(message, problems);
  if (policy === undefined) return undefined;
  return { policy, localityWeighted: message.commonLbConfig?.localityWeightedLbConfig !== undefined };
}

function decodePolicy(message: ClusterMessage, problems: Problems): Policy | undefined {
  const policy = message.lbPolicy ?? 'ROUND_ROBIN';
  checkProvided(message, isNamedSo(message), problems);
  switch (policy) {
    case 'ROUND_ROBIN':
      return roundRobin(message.roundRobinLbConfig ?? {});
    case 'LEAST_REQUEST':
      return leastRequest(message.leastRequestLbConfig ?? {});
    case 'RANDOM':
      return { kind: 'random' };
    case 'CLUSTER_PROVIDED':
      return { kind: 'cluster-provided' };
    default:
      problems.unsupported(policy, 'write ROUND_ROBIN, LEAST_REQUEST or RANDOM');
      return undefined;
  }
}

function isNamedSo({ lbPolicy }: ClusterMessage): boolean {
  return lbPolicy === 'CLUSTER_PROVIDED';
}

function checkProvided({ type }: ClusterMessage, isProvided: boolean, problems: Problems): void {
  if ((type === 'ORIGINAL_DST') !== isProvided) {
    problems.add('a cluster of type ORIGINAL_DST needs lb_policy CLUSTER_PROVIDED, and no other cluster may have it');
  }
}

function roundRobin({ slowStartConfig }: Pick<RoundRobin, 'slowStartConfig'>): Policy {
  return { kind: 'round-robin', ...given('slowStart', decodeSlowStart(slowStartConfig)) };
}

type LeastRequestSettings = Pick<LeastRequest, 'choiceCount' | 'activeRequestBias' | 'slowStartConfig'>;

function leastRequest({ choiceCount = 2, activeRequestBias: bias, slowStartConfig }: LeastRequestSettings): Policy {
  const activeRequestBias = doubleOf(bias, 1);
  return {
    kind: 'least-request',
    choiceCount,
    activeRequestBias,
    ...given('slowStart', decodeSlowStart(slowStartConfig)),
  };
}

/** Without a window it is off. Envoy takes an aggression that cannot be for 1. */
function decodeSlowStart(message: SlowStartConfig | undefined): SlowStart | undefined {
  const { slowStartWindow: windowMs = 0, aggression, minWeightPercent } = message ?? {};
  if (windowMs <= 0) return undefined;
  const written = doubleOf(aggression, 1);
  return {
    windowMs,
    aggression: written > 0 ? written : 1,
    minWeightPercent: minWeightPercent === undefined ? 10 : (minWeightPercent.value ?? 0),
  };
}

function doubleOf(message: RuntimeDouble | undefined, absent: number): number {
  return message === undefined ? absent : (message.defaultValue ?? 0);
}

const P = 'envoy.extensions.load_balancing_policies';
const roundRobinType = `${P}.round_robin.v3.RoundRobin`;
const leastRequestType = `${P}.least_request.v3.LeastRequest`;
const randomType = `${P}.random.v3.Random`;
const providedType = `${P}.cluster_provided.v3.ClusterProvided`;
const expected = {
  what: 'load balancing policy',
  known: [roundRobinType, leastRequestType, randomType, providedType] as readonly string[],
} as const;

function decodeTyped(message: ClusterMessage, problems: Problems): Choice | undefined {
  const place = problems.at('load_balancing_policy');
  if (message.loadBalancingPolicy === undefined) {
    place.add('load_balancing_policy is required with lb_policy LOAD_BALANCING_POLICY_CONFIG');
    return undefined;
  }
  checkCommon(message, problems.at('common_lb_config'));
  const found = findPolicy(message.loadBalancingPolicy, place.at('policies'));
  if (found === undefined) return undefined;
  const type = found.typedConfig!.typeName;
  // As in Envoy such a cluster says it in both places.
  const isProvided = type === providedType;
  checkProvided(message, isProvided && (message.type !== 'ORIGINAL_DST' || isNamedSo(message)), place);
  const config = found.typedConfig!.message as { readonly localityLbConfig?: LocalityLbConfig } & RoundRobin &
    LeastRequest;
  const localityWeighted = config.localityLbConfig?.localityWeightedLbConfig !== undefined;
  return { policy: policyOf(type, config), localityWeighted };
}

// What of it a policy says itself. The threshold of panic stays here.
function checkCommon({ commonLbConfig }: ClusterMessage, problems: Problems): void {
  const sentence = 'belongs into the policy where load_balancing_policy is set';
  if (commonLbConfig?.zoneAwareLbConfig !== undefined) problems.at('zone_aware_lb_config').add(sentence);
  if (commonLbConfig?.localityWeightedLbConfig !== undefined) problems.at('locality_weighted_lb_config').add(sentence);
  if (commonLbConfig?.consistentHashingLbConfig !== undefined) {
    problems.at('consistent_hashing_lb_config').add(sentence);
  }
}

function findPolicy({ policies = [] }: LoadBalancingPolicy, problems: Problems) {
  const extensions = policies.map(({ typedExtensionConfig }) => typedExtensionConfig);
  const found = extensions.find((extension) => expected.known.includes(extension?.typedConfig?.typeName ?? ''));
  if (found !== undefined) return found;
  if (policies.length === 0) problems.add('at least one policy is required');
  for (const [index, extension] of extensions.entries()) {
    extensionType(extension ?? {}, expected, problems.item(index).at('typed_extension_config'));
  }
  return undefined;
}

function policyOf(type: string, config: RoundRobin & LeastRequest): Policy {
  if (type === leastRequestType) return leastRequest(config);
  if (type === randomType) return { kind: 'random' };
  return type === providedType ? { kind: 'cluster-provided' } : roundRobin(config);
}

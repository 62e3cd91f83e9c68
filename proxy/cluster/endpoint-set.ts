// The endpoints of a cluster at one moment, grouped the way balancers choose: by priority, by health, by locality.
// A set is built once from an assignment and never changes; a new assignment makes a new set that keeps the endpoint
// objects which stay. All questions of health and spread are settled here, so that a choice only draws.

import { formatAddress } from '../../config/address.ts';
import type { LoadAssignment, Locality } from '../../config/endpoint.ts';
import { Availability, type EndpointOwner, EndpointRuntime, type ResolvedEndpoint } from './endpoint-runtime.ts';
import { type PriorityLoad, spreadLoad } from './priority-load.ts';

export interface EndpointSet {
  /** All endpoints in the order of the assignment, each once. */
  readonly endpoints: readonly EndpointRuntime[];
  /** By priority, 0 first. A priority that the assignment leaves out is empty. */
  readonly priorities: readonly PriorityEndpoints[];
  /** Where the traffic goes. The percents sum up to 100 unless there is no endpoint at all. */
  readonly shares: readonly TrafficShare[];
}

export interface PriorityEndpoints extends EndpointGroup {
  readonly localities: readonly LocalityGroup[];
  readonly load: PriorityLoad;
}

export interface EndpointGroup {
  readonly all: readonly EndpointRuntime[];
  readonly healthy: readonly EndpointRuntime[];
  readonly degraded: readonly EndpointRuntime[];
}

export interface LocalityGroup extends EndpointGroup {
  readonly locality: Locality;
  readonly weight: number;
}

/** A part of the traffic and the endpoints that take it. */
export interface TrafficShare {
  readonly percent: number;
  readonly endpoints: readonly EndpointRuntime[];
  /** The same endpoints by locality when a locality is chosen by weight first; null when they are one flat list. */
  readonly localities: readonly WeightedEndpoints[] | null;
  readonly isInPanic: boolean;
}

export interface WeightedEndpoints {
  /** Above 0; the locality's weight reduced by what is unavailable in it. */
  readonly weight: number;
  readonly endpoints: readonly EndpointRuntime[];
}

export interface EndpointSetOptions {
  readonly owner: EndpointOwner;
  /** Endpoints of the set before, which are kept when the new assignment still has them. */
  readonly previous: readonly EndpointRuntime[];
  /** Logical DNS: the endpoint is the name, whatever address it has at the moment. */
  readonly isKeyedByName: boolean;
  readonly panicThresholdPercent: number;
  readonly localityWeighted: boolean;
}

/** Builds the set. Endpoints of `previous` that are gone are told so, after the set is complete. */
export function buildEndpointSet(assignment: LoadAssignment, options: EndpointSetOptions): EndpointSet {
  const carried = new Map(options.previous.map((endpoint) => [endpoint.key, endpoint]));
  const endpoints: EndpointRuntime[] = [];
  const localitiesByPriority = placeEndpoints(assignment, options, { carried, endpoints });
  const groups = localitiesByPriority.map(groupOfPriority);
  const loads = spreadLoad(groups.map(countsOf), {
    overprovisioningFactorPercent: assignment.overprovisioningFactorPercent,
    panicThresholdPercent: options.panicThresholdPercent,
  });
  const priorities = groups.map((group, priority) => ({
    ...group,
    localities: localitiesByPriority[priority]!,
    load: loads[priority]!,
  }));
  const shares = priorities.flatMap((priority) => sharesOf(priority, assignment, options));
  for (const gone of carried.values()) gone.remove();
  return { endpoints, priorities, shares };
}

interface Placement {
  /** Endpoints of the set before that were not met yet. */
  readonly carried: Map<string, EndpointRuntime>;
  readonly endpoints: EndpointRuntime[];
}

function placeEndpoints(assignment: LoadAssignment, options: EndpointSetOptions, placement: Placement) {
  const localitiesByPriority: LocalityGroup[][] = [];
  // When an address is listed twice only the first counts, as in Envoy's EDS.
  const seen = new Set<string>();
  for (const { locality, priority, weight, endpoints } of assignment.localities) {
    while (localitiesByPriority.length <= priority) localitiesByPriority.push([]);
    const all: EndpointRuntime[] = [];
    for (const endpoint of endpoints) {
      if (!isResolved(endpoint)) continue;
      const key = keyOf(endpoint, options.isKeyedByName);
      if (seen.has(key)) continue;
      seen.add(key);
      const place = { locality, priority };
      const known = placement.carried.get(key);
      placement.carried.delete(key);
      known?.update(endpoint, place);
      all.push(known ?? new EndpointRuntime(key, endpoint, { place, owner: options.owner }));
    }
    placement.endpoints.push(...all);
    localitiesByPriority[priority]!.push({ locality, weight, ...groupByAvailability(all) });
  }
  return localitiesByPriority;
}

/** A name is not an endpoint before discovery has put addresses in its place. */
function isResolved(endpoint: LoadAssignment['localities'][number]['endpoints'][number]): endpoint is ResolvedEndpoint {
  return endpoint.address.kind !== 'host';
}

function keyOf(endpoint: ResolvedEndpoint, isKeyedByName: boolean): string {
  if (isKeyedByName && endpoint.hostname !== '' && endpoint.address.kind === 'ip') {
    return `${endpoint.hostname}:${endpoint.address.port}`;
  }
  return formatAddress(endpoint.address);
}

function groupByAvailability(all: readonly EndpointRuntime[]): EndpointGroup {
  const healthy = all.filter((endpoint) => endpoint.availability === Availability.healthy);
  // Nearly always everything is healthy: one list instead of two.
  if (healthy.length === all.length) return { all, healthy: all, degraded: [] };
  return { all, healthy, degraded: all.filter((endpoint) => endpoint.availability === Availability.degraded) };
}

function groupOfPriority(localities: readonly LocalityGroup[]): EndpointGroup {
  if (localities.length === 1) return localities[0]!;
  return groupByAvailability(localities.flatMap((locality) => locality.all));
}

function countsOf(group: EndpointGroup) {
  return { total: group.all.length, healthy: group.healthy.length, degraded: group.degraded.length };
}

function sharesOf(
  priority: PriorityEndpoints,
  { overprovisioningFactorPercent }: LoadAssignment,
  { localityWeighted }: EndpointSetOptions,
): TrafficShare[] {
  const { healthyPercent, degradedPercent, isInPanic } = priority.load;
  if (isInPanic) {
    const percent = healthyPercent + degradedPercent;
    return percent === 0 ? [] : [{ percent, endpoints: priority.all, localities: null, isInPanic }];
  }
  const share = (percent: number, availability: 'healthy' | 'degraded'): TrafficShare => ({
    percent,
    endpoints: priority[availability],
    localities: localityWeighted
      ? weightLocalities(priority.localities, availability, overprovisioningFactorPercent)
      : null,
    isInPanic,
  });
  const shares: TrafficShare[] = [];
  if (healthyPercent > 0) shares.push(share(healthyPercent, 'healthy'));
  if (degradedPercent > 0) shares.push(share(degradedPercent, 'degraded'));
  return shares;
}

/**
 * A locality loses weight with its availability, after overprovisioning. Without any weight the endpoints are one list.
 * https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/locality_weight
 */
function weightLocalities(
  localities: readonly LocalityGroup[],
  availability: 'healthy' | 'degraded',
  overprovisioningFactorPercent: number,
): readonly WeightedEndpoints[] | null {
  const weighted: WeightedEndpoints[] = [];
  for (const locality of localities) {
    const endpoints = locality[availability];
    if (endpoints.length === 0 || locality.weight === 0) continue;
    const ratio = (overprovisioningFactorPercent * endpoints.length) / (100 * locality.all.length);
    weighted.push({ weight: locality.weight * Math.min(1, ratio), endpoints });
  }
  return weighted.length === 0 ? null : weighted;
}

// The members of a cluster (`config.endpoint.v3`).

import type {
  Endpoint,
  HealthStatus,
  LoadAssignment,
  Locality,
  LocalityEndpoints,
  Metadata,
} from '../../config/endpoint.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  ClusterLoadAssignment,
  LbEndpoint,
  LocalityLbEndpoints,
  Locality as LocalityMessage,
  CoreMetadata as MetadataMessage,
} from '../generated/messages.ts';
import { decodeHostAddress } from './address.ts';
import { SharedParts } from './shared-parts.ts';

const sharedLocalities = new SharedParts<Locality>();
const noMetadata: Metadata = {};

/** Envoy's default of `overprovisioning_factor`. */
const defaultOverprovisioning = 140;

export function decodeLoadAssignment(message: ClusterLoadAssignment, problems: Problems): LoadAssignment {
  return {
    localities: (message.endpoints ?? []).map((locality, index) =>
      decodeLocalityEndpoints(locality, problems.at('endpoints').item(index)),
    ),
    overprovisioningFactorPercent: message.policy?.overprovisioningFactor ?? defaultOverprovisioning,
  };
}

function decodeLocalityEndpoints(message: LocalityLbEndpoints, problems: Problems): LocalityEndpoints {
  const endpoints: Endpoint[] = [];
  for (const [index, endpoint] of (message.lbEndpoints ?? []).entries()) {
    const decoded = decodeEndpoint(endpoint, problems.at('lb_endpoints').item(index));
    if (decoded !== undefined) endpoints.push(decoded);
  }
  return {
    locality: decodeLocality(message.locality),
    priority: message.priority ?? 0,
    // Envoy gives a locality without a weight no traffic when localities are weighted.
    weight: message.loadBalancingWeight ?? 0,
    endpoints,
  };
}

export function decodeLocality(message: LocalityMessage | undefined): Locality {
  const { region = '', zone = '', subZone = '' } = message ?? {};
  return sharedLocalities.share({ region, zone, subZone });
}

export function decodeMetadata(message: MetadataMessage | undefined): Metadata {
  return message?.filterMetadata ?? noMetadata;
}

const healthStatuses = {
  UNKNOWN: 'unknown',
  HEALTHY: 'healthy',
  UNHEALTHY: 'unhealthy',
  DRAINING: 'draining',
  TIMEOUT: 'timeout',
  DEGRADED: 'degraded',
} as const satisfies Record<string, HealthStatus>;

function decodeEndpoint(message: LbEndpoint, problems: Problems): Endpoint | undefined {
  if (message.endpoint === undefined) {
    problems.at('endpoint').add('endpoint is required');
    return undefined;
  }
  const place = problems.at('endpoint').at('address');
  const address = decodeHostAddress(message.endpoint.address, place);
  if (message.endpoint.address === undefined) place.add('address is required');
  if (address === undefined) return undefined;
  return {
    address,
    hostname: message.endpoint.hostname ?? '',
    weight: message.loadBalancingWeight ?? 1,
    health: healthStatuses[message.healthStatus ?? 'UNKNOWN'],
    metadata: decodeMetadata(message.metadata),
  };
}

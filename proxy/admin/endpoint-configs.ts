// The members of every cluster, as they are now, in the JSON of `ClusterLoadAssignment`, for `/config_dump?include_eds`.

import type { Address, HostAddress } from '../../config/address.ts';
import type { Cluster } from '../../config/cluster.ts';
import { type Endpoint, type LoadAssignment, type LocalityEndpoints, takesRequests } from '../../config/endpoint.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import type { ServerState } from '../command/server-state.ts';

/** What a cluster's members are: as discovered, else as configured; undefined when it has none of its own. */
export function assignmentOf(snapshot: Snapshot | null, name: string, cluster: Cluster): LoadAssignment | undefined {
  const configured = cluster.discovery.kind === 'static' ? cluster.discovery.assignment : undefined;
  return snapshot?.assignments.get(name) ?? configured;
}

/** An address in the JSON of `core.v3.Address`. */
export function addressJson(address: Address | HostAddress): unknown {
  if (address.kind === 'pipe') return { pipe: { path: address.path } };
  const name = address.kind === 'ip' ? address.ip : address.hostname;
  return { socket_address: { address: name, port_value: address.port } };
}

/** With what Envoy fills in: a client reads the state of an endpoint here, whether anybody said it or not. */
export function endpointConfigs({ snapshot }: ServerState): readonly EndpointConfig[] {
  return [...(snapshot?.clusters ?? [])].map(([name, cluster]) => {
    const { localities = [], overprovisioningFactorPercent = 140 } = assignmentOf(snapshot, name, cluster) ?? {};
    const { discovery } = cluster;
    const service = discovery.kind === 'eds' ? discovery.serviceName : undefined;
    return {
      name,
      service,
      assignment: {
        cluster_name: service ?? name,
        endpoints: localities.map(localityJson),
        policy: { overprovisioning_factor: overprovisioningFactorPercent },
      },
    };
  });
}

export interface EndpointConfig {
  /** Of the cluster. */
  readonly name: string;
  /** Of EDS, whose resources have names of their own. */
  readonly service: string | undefined;
  /** JSON of a `ClusterLoadAssignment`. */
  readonly assignment: { readonly cluster_name: string; readonly [field: string]: unknown };
}

function localityJson({ locality, endpoints, weight, priority }: LocalityEndpoints): unknown {
  const { region, zone, subZone } = locality;
  return {
    locality: {
      ...(region === '' ? {} : { region }),
      ...(zone === '' ? {} : { zone }),
      ...(subZone === '' ? {} : { sub_zone: subZone }),
    },
    lb_endpoints: endpoints.map(endpointJson),
    load_balancing_weight: weight,
    ...(priority === 0 ? {} : { priority }),
  };
}

function endpointJson({ address, hostname, health, metadata, weight }: Endpoint): unknown {
  return {
    endpoint: {
      address: addressJson(address),
      health_check_config: {},
      ...(hostname === '' ? {} : { hostname }),
    },
    health_status: health === 'degraded' ? 'DEGRADED' : takesRequests(health) ? 'HEALTHY' : 'UNHEALTHY',
    ...(Object.keys(metadata).length === 0 ? {} : { metadata: { filter_metadata: metadata } }),
    load_balancing_weight: weight,
  };
}

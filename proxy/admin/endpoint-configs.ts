// The members of every cluster that finds them without a control plane, as they are now, in the JSON of
// `ClusterLoadAssignment`, for `/config_dump?include_eds`.

import type { Address, HostAddress } from '../../config/address.ts';
import type { Cluster } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
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

export function endpointConfigs({ snapshot }: ServerState): readonly unknown[] {
  const clusters = [...(snapshot?.clusters ?? [])].filter(([, { discovery }]) => discovery.kind !== 'eds');
  return clusters.map(([name, cluster]) => ({
    cluster_name: name,
    endpoints: (assignmentOf(snapshot, name, cluster)?.localities ?? []).map((group) => ({
      locality: { region: group.locality.region, zone: group.locality.zone, sub_zone: group.locality.subZone },
      lb_endpoints: group.endpoints.map((endpoint) => ({
        endpoint: {
          address: addressJson(endpoint.address),
          ...(endpoint.hostname === '' ? {} : { hostname: endpoint.hostname }),
        },
        health_status: endpoint.health === 'unknown' ? 'HEALTHY' : endpoint.health.toUpperCase(),
        load_balancing_weight: endpoint.weight,
      })),
      load_balancing_weight: group.weight,
      ...(group.priority === 0 ? {} : { priority: group.priority }),
    })),
  }));
}

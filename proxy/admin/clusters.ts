// `/clusters` in Envoy's text and JSON.

import { formatAddress } from '../../config/address.ts';
import type { Cluster } from '../../config/cluster.ts';
import type { Endpoint, LoadAssignment, LocalityEndpoints } from '../../config/endpoint.ts';
import { endpointStats } from '../telemetry/endpoint-stats.ts';
import type { AdminContext } from './server.ts';

export function clustersText(context: AdminContext): string {
  let output = '';
  for (const [name, cluster] of context.state.snapshot?.clusters ?? []) {
    output += `${name}::observability_name::${cluster.statName}\n`;
    for (const priority of ['default', 'high'] as const) {
      const limits = cluster.circuitBreakers[priority];
      output += `${name}::${priority}_priority::max_connections::${limits.maxConnections}\n`;
      output += `${name}::${priority}_priority::max_pending_requests::${limits.maxPendingRequests}\n`;
      output += `${name}::${priority}_priority::max_requests::${limits.maxRequests}\n`;
      output += `${name}::${priority}_priority::max_retries::${limits.maxRetries}\n`;
    }
    output += `${name}::added_via_api::false\n`;
    for (const { endpoint, group } of endpointsOf(context, name, cluster))
      output += endpointText(context, name, { cluster, endpoint, group });
  }
  return output;
}

interface Member {
  readonly cluster: Cluster;
  readonly endpoint: Endpoint;
  readonly group: LocalityEndpoints;
}

const endpointCounters = [
  ['cx_active', endpointStats.cxActive],
  ['cx_connect_fail', endpointStats.cxConnectFail],
  ['cx_total', endpointStats.cxTotal],
  ['rq_active', endpointStats.rqActive],
  ['rq_error', endpointStats.rqError],
  ['rq_success', endpointStats.rqSuccess],
  ['rq_timeout', endpointStats.rqTimeout],
  ['rq_total', endpointStats.rqTotal],
] as const;

function endpointText(context: AdminContext, name: string, { cluster, endpoint, group }: Member): string {
  const address = formatAddress(endpoint.address);
  const prefix = `${name}::${address}::`;
  const values = context.store.get(endpointStats, cluster.statName, address);
  let output = '';
  for (const [label, index] of endpointCounters) output += `${prefix}${label}::${values?.value(index) ?? 0}\n`;
  output += `${prefix}hostname::${endpoint.hostname}\n`;
  output += `${prefix}health_flags::${healthFlags(endpoint)}\n`;
  output += `${prefix}weight::${endpoint.weight}\n`;
  output += `${prefix}region::${group.locality.region}\n${prefix}zone::${group.locality.zone}\n${prefix}sub_zone::${group.locality.subZone}\n`;
  output += `${prefix}canary::false\n${prefix}priority::${group.priority}\n`;
  return `${output}${prefix}success_rate::-1\n${prefix}local_origin_success_rate::-1\n`;
}

function healthFlags({ health }: Endpoint): string {
  switch (health) {
    case 'unhealthy':
    case 'draining':
    case 'timeout':
      return '/failed_eds_health';
    case 'degraded':
      return '/degraded_eds_health';
    case 'healthy':
    case 'unknown':
      return 'healthy';
  }
}

export function clustersJson(context: AdminContext): unknown {
  const statuses: unknown[] = [];
  for (const [name, cluster] of context.state.snapshot?.clusters ?? []) {
    statuses.push({
      name,
      observability_name: cluster.statName,
      host_statuses: [...endpointsOf(context, name, cluster)].map((member) =>
        endpointJson(context, { cluster, ...member }),
      ),
    });
  }
  return { cluster_statuses: statuses };
}

function endpointJson({ store }: AdminContext, { cluster, endpoint, group }: Member): unknown {
  const { address } = endpoint;
  const values = store.get(endpointStats, cluster.statName, formatAddress(address));
  return {
    address:
      address.kind === 'pipe'
        ? { pipe: { path: address.path } }
        : {
            socket_address: {
              address: address.kind === 'ip' ? address.ip : address.hostname,
              port_value: address.port,
            },
          },
    stats: endpointCounters.map(([label, index]) => ({
      name: label,
      value: String(values?.value(index) ?? 0),
      type: label.endsWith('_active') ? 'GAUGE' : 'COUNTER',
    })),
    health_status: { eds_health_status: endpoint.health === 'unknown' ? 'HEALTHY' : endpoint.health.toUpperCase() },
    hostname: endpoint.hostname,
    weight: endpoint.weight,
    priority: group.priority,
    locality: { region: group.locality.region, zone: group.locality.zone, sub_zone: group.locality.subZone },
  };
}

function* endpointsOf(
  { state }: AdminContext,
  name: string,
  cluster: Cluster,
): Generator<{ endpoint: Endpoint; group: LocalityEndpoints }> {
  const configured: LoadAssignment | undefined =
    cluster.discovery.kind === 'static' ? cluster.discovery.assignment : undefined;
  const assignment = state.snapshot?.assignments.get(name) ?? configured;
  for (const group of assignment?.localities ?? []) for (const endpoint of group.endpoints) yield { endpoint, group };
}

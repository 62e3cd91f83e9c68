// `/clusters` in Envoy's text and JSON. In pieces: the members of 10,000 clusters are 15 MB of text.

import { formatAddress } from '../../config/address.ts';
import type { Cluster } from '../../config/cluster.ts';
import type { Endpoint, LocalityEndpoints } from '../../config/endpoint.ts';
import { retryLimit } from '../cluster/retry-budget.ts';
import { circuitBreakerStats } from '../telemetry/cluster-stats.ts';
import { endpointStats } from '../telemetry/endpoint-stats.ts';
import { pieceLength } from '../telemetry/stats-text.ts';
import { type AdminAnswer, type AdminRequest, jsonPieces, nameFilter, text } from './admin-answer.ts';
import type { AdminContext } from './admin-context.ts';
import { addressJson, assignmentOf } from './endpoint-configs.ts';

export function clusters(context: AdminContext, { query }: AdminRequest): AdminAnswer {
  const filter = nameFilter(query.get('filter'));
  if (filter !== null && typeof filter !== 'function') return filter;
  const { snapshot, bootstrap } = context.state;
  const written = new Set(bootstrap?.clusters.map(({ name }) => name));
  const wanted = [...(snapshot?.clusters ?? [])]
    .filter(([name]) => filter?.(name) ?? true)
    .map(([name, cluster]): NamedCluster => ({ name, cluster, isAdded: !written.has(name) }));
  return query.get('format') === 'json'
    ? jsonPieces(clustersJson(context, wanted))
    : text(clustersText(context, wanted));
}

interface NamedCluster {
  readonly name: string;
  readonly cluster: Cluster;
  /** By a control plane. */
  readonly isAdded: boolean;
}

function* clustersText(context: AdminContext, wanted: readonly NamedCluster[]): Generator<string> {
  let piece = '';
  for (const each of wanted) {
    const { name, cluster } = each;
    piece += clusterText(context, each);
    for (const { endpoint, group } of endpointsOf(context, name, cluster)) {
      piece += endpointText(context, name, { cluster, endpoint, group });
    }
    if (piece.length < pieceLength) continue;
    yield piece;
    piece = '';
  }
  yield piece;
}

function clusterText(context: AdminContext, { name, cluster, isAdded }: NamedCluster): string {
  let output = `${name}::observability_name::${cluster.statName}\n`;
  for (const priority of ['default', 'high'] as const) {
    const limits = cluster.circuitBreakers[priority];
    output += `${name}::${priority}_priority::max_connections::${limits.maxConnections}\n`;
    output += `${name}::${priority}_priority::max_pending_requests::${limits.maxPendingRequests}\n`;
    output += `${name}::${priority}_priority::max_requests::${limits.maxRequests}\n`;
    output += `${name}::${priority}_priority::max_retries::${retriesAllowed(context, cluster, priority)}\n`;
  }
  return `${output}${name}::added_via_api::${isAdded}\n`;
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
  ['rq_pending_active', endpointStats.rqPendingActive],
  ['rq_success', endpointStats.rqSuccess],
  ['rq_timeout', endpointStats.rqTimeout],
  ['rq_total', endpointStats.rqTotal],
] as const;

function endpointText({ store }: AdminContext, name: string, { cluster, endpoint, group }: Member): string {
  const address = formatAddress(endpoint.address);
  const prefix = `${name}::${address}::`;
  const values = store.get(endpointStats, cluster.statName, address);
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
    case 'timeout':
      return '/failed_eds_health';
    case 'draining':
      return '/eds_status_draining';
    case 'degraded':
      return '/degraded_eds_health';
    case 'healthy':
    case 'unknown':
      return 'healthy';
  }
}

function* clustersJson(context: AdminContext, wanted: readonly NamedCluster[]): Generator<string> {
  let piece = '{\n "cluster_statuses": [';
  let separator = '\n';
  for (const each of wanted) {
    piece += `${separator}${JSON.stringify(clusterJson(context, each), null, 1)}`;
    separator = ',\n';
    if (piece.length < pieceLength) continue;
    yield piece;
    piece = '';
  }
  yield `${piece}\n ]\n}\n`;
}

function clusterJson(context: AdminContext, { name, cluster, isAdded }: NamedCluster): unknown {
  return {
    name,
    ...(isAdded && { added_via_api: true }),
    host_statuses: [...endpointsOf(context, name, cluster)].map((member) =>
      endpointJson(context, { cluster, ...member }),
    ),
    circuit_breakers: {
      thresholds: [
        thresholdsJson(context, cluster, 'default'),
        { priority: 'HIGH', ...thresholdsJson(context, cluster, 'high') },
      ],
    },
    observability_name: cluster.statName,
  };
}

function thresholdsJson(context: AdminContext, cluster: Cluster, priority: Priority) {
  const limits = cluster.circuitBreakers[priority];
  return {
    max_connections: limits.maxConnections,
    max_pending_requests: limits.maxPendingRequests,
    max_requests: limits.maxRequests,
    max_retries: retriesAllowed(context, cluster, priority),
  };
}

type Priority = keyof Cluster['circuitBreakers'];

/** With a budget, what it allows now, of the requests of this priority, as in Envoy. */
function retriesAllowed({ store }: AdminContext, cluster: Cluster, priority: Priority): number {
  const { maxRetries, retryBudget } = cluster.circuitBreakers[priority];
  if (retryBudget === undefined) return maxRetries;
  const set = circuitBreakerStats[priority];
  return retryLimit(retryBudget, store.get(set, cluster.statName)?.value(set.rqActive) ?? 0);
}

function endpointJson({ store }: AdminContext, { cluster, endpoint, group }: Member): unknown {
  const { address } = endpoint;
  const values = store.get(endpointStats, cluster.statName, formatAddress(address));
  return {
    address: addressJson(address),
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
  for (const group of assignmentOf(state.snapshot, name, cluster)?.localities ?? []) {
    for (const endpoint of group.endpoints) yield { endpoint, group };
  }
}

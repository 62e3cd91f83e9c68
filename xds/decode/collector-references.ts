// Clusters that a bootstrap names as collectors of telemetry: each has to be there, and fit for how it is spoken to. Envoy
// takes the name of a cluster that is not there for most of them, and drops what it would have sent.

import type { Problems } from '../../config/problems.ts';
import type {
  AccessLog,
  Bootstrap,
  HttpConnectionManager,
  OpenTelemetryAccessLogConfig,
  OpenTelemetryConfig,
  TcpProxy,
  ZipkinConfig,
} from '../generated/messages.ts';
import type { Any } from '../message/message-descriptor.ts';
import { nearestName } from '../message/nearest-name.ts';
import { managerType, tcpProxyType, writtenFilters } from './written-filters.ts';

/** One mention of a cluster. */
export interface CollectorReference {
  readonly cluster: string;
  readonly protocol: 'grpc' | 'http';
  readonly problems: Problems;
}

/** In the order of the file. */
export function collectorReferences(message: Bootstrap, problems: Problems): readonly CollectorReference[] {
  const found: CollectorReference[] = [];
  const statics = problems.at('static_resources').at('listeners');
  for (const [index, listener] of (message.staticResources?.listeners ?? []).entries()) {
    const place = statics.item(index);
    addLogs(listener.accessLog, place.at('access_log'), found);
    for (const { config, problems: filter } of writtenFilters(listener, place)) addFilter(config, filter, found);
  }
  addExtension(message.tracing?.http?.typedConfig, problems.at('tracing').at('http').at('typed_config'), found);
  for (const [index, { typedConfig }] of (message.statsSinks ?? []).entries()) {
    addExtension(typedConfig, problems.at('stats_sinks').item(index).at('typed_config'), found);
  }
  return found;
}

function addFilter({ typeName, message }: Any, problems: Problems, found: CollectorReference[]): void {
  if (typeName !== managerType && typeName !== tcpProxyType) return;
  const { accessLog, tracing } = message as HttpConnectionManager & Omit<TcpProxy, 'tracing'>;
  addLogs(accessLog, problems.at('access_log'), found);
  addExtension(tracing?.provider?.typedConfig, problems.at('tracing').at('provider').at('typed_config'), found);
}

function addLogs(logs: readonly AccessLog[] | undefined, problems: Problems, found: CollectorReference[]): void {
  for (const [index, { typedConfig }] of (logs ?? []).entries()) {
    addExtension(typedConfig, problems.item(index).at('typed_config'), found);
  }
}

/** Messages that name collectors do so in fields of the same names. */
type Collecting = OpenTelemetryConfig & ZipkinConfig & OpenTelemetryAccessLogConfig;

/** Extensions of other kinds have no such fields. */
function addExtension(extension: Any | undefined, problems: Problems, found: CollectorReference[]): void {
  const { grpcService, commonConfig, httpService, collectorService, collectorCluster } = (extension?.message ??
    {}) as Collecting;
  const add = (protocol: 'grpc' | 'http', cluster: string | undefined, place: Problems) => {
    if (cluster !== undefined) found.push({ cluster, protocol, problems: place });
  };
  const grpcField = (place: Problems) => place.at('grpc_service').at('envoy_grpc').at('cluster_name');
  const common = problems.at('common_config');
  add('grpc', grpcService?.envoyGrpc?.clusterName, grpcField(problems));
  add('grpc', commonConfig?.grpcService?.envoyGrpc?.clusterName, grpcField(common));
  add('http', httpService?.httpUri?.cluster, problems.at('http_service').at('http_uri').at('cluster'));
  add('http', collectorService?.httpUri?.cluster, problems.at('collector_service').at('http_uri').at('cluster'));
  if (collectorService === undefined) add('http', collectorCluster, problems.at('collector_cluster'));
}

/**
 * `forCalls` are the static clusters that speak HTTP/2. Where clusters come from a control plane too, one that is missing
 * may be among them.
 */
export function checkCollectorReferences(
  message: Bootstrap,
  forCalls: ReadonlyMap<string, unknown>,
  problems: Problems,
): void {
  const known = new Set((message.staticResources?.clusters ?? []).map(({ name = '' }) => name));
  const isComplete = message.dynamicResources?.cdsConfig === undefined;
  for (const { cluster, protocol, problems: place } of collectorReferences(message, problems)) {
    if (protocol === 'http' && forCalls.has(cluster)) {
      place.add(`cluster ${JSON.stringify(cluster)} is for gRPC, and speaks HTTP/2; this service takes HTTP/1.1`);
    } else if (isComplete && !known.has(cluster)) {
      const meant = nearestName(cluster, known);
      const hint = meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`;
      place.add(`there is no cluster ${JSON.stringify(cluster)}${hint}`);
    }
  }
}

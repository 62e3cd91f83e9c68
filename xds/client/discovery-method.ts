// The gRPC methods of discovery (envoy/service/*/v3/*.proto): one service for all types together, and one for each type.

import type { GrpcApi } from '../../config/config-source.ts';

/** Of the aggregated stream. */
export function aggregatedMethod(protocol: GrpcApi['protocol']): string {
  const name = protocol === 'delta' ? 'DeltaAggregatedResources' : 'StreamAggregatedResources';
  return `/envoy.service.discovery.v3.AggregatedDiscoveryService/${name}`;
}

/** Of a stream for one type alone; undefined for a type that has none in this protocol. */
export function discoveryMethod(typeUrl: string, protocol: GrpcApi['protocol']): string | undefined {
  const service = services.get(typeUrl.slice(typeUrl.lastIndexOf('/') + 1));
  if (service === undefined || (service.isDeltaOnly && protocol !== 'delta')) return undefined;
  const prefix = protocol === 'delta' ? 'Delta' : 'Stream';
  return `/envoy.service.${service.name}/${prefix}${service.resources}`;
}

interface DiscoveryService {
  readonly name: string;
  readonly resources: string;
  readonly isDeltaOnly: boolean;
}

const services: ReadonlyMap<string, DiscoveryService> = new Map([
  ['envoy.config.cluster.v3.Cluster', service('cluster.v3.ClusterDiscoveryService', 'Clusters')],
  ['envoy.config.endpoint.v3.ClusterLoadAssignment', service('endpoint.v3.EndpointDiscoveryService', 'Endpoints')],
  ['envoy.config.listener.v3.Listener', service('listener.v3.ListenerDiscoveryService', 'Listeners')],
  ['envoy.config.route.v3.RouteConfiguration', service('route.v3.RouteDiscoveryService', 'Routes')],
  ['envoy.config.route.v3.VirtualHost', service('route.v3.VirtualHostDiscoveryService', 'VirtualHosts', true)],
  ['envoy.config.route.v3.ScopedRouteConfiguration', service('route.v3.ScopedRoutesDiscoveryService', 'ScopedRoutes')],
  ['envoy.extensions.transport_sockets.tls.v3.Secret', service('secret.v3.SecretDiscoveryService', 'Secrets')],
  ['envoy.service.runtime.v3.Runtime', service('runtime.v3.RuntimeDiscoveryService', 'Runtime')],
  [
    'envoy.config.core.v3.TypedExtensionConfig',
    service('extension.v3.ExtensionConfigDiscoveryService', 'ExtensionConfigs'),
  ],
]);

function service(name: string, resources: string, isDeltaOnly = false): DiscoveryService {
  return { name, resources, isDeltaOnly };
}

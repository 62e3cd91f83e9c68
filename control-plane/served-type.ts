// The types of resources that are served: how clients ask for each, and in which order their changes are sent.

import type { Message } from '../xds/message/message-descriptor.ts';

export interface ServedType {
  /** `type.googleapis.com/` and the message's full name. */
  readonly typeUrl: string;
  readonly messageType: string;
  /** `cds`, `eds` …, for people. */
  readonly shortName: string;
  /** gRPC paths of the service that serves this type alone; there is no state-of-the-world one for virtual hosts. */
  readonly deltaMethod: string;
  readonly stateOfTheWorldMethod?: string;
  /**
   * State-of-the-world responses have every resource that is subscribed to, and what is missing is gone. Of the other
   * types a response has what changed.
   */
  readonly isWhole: boolean;
  /** Field with the resource's name. */
  readonly nameField: string;
}

/**
 * In the order in which changes are sent, so that what is named is there before who names it (make before break):
 * https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#eventual-consistency-considerations
 */
export const servedTypes: readonly ServedType[] = [
  {
    ...named('cds', 'envoy.config.cluster.v3.Cluster', 'cluster.v3.ClusterDiscoveryService/#Clusters'),
    isWhole: true,
  },
  {
    ...named(
      'eds',
      'envoy.config.endpoint.v3.ClusterLoadAssignment',
      'endpoint.v3.EndpointDiscoveryService/#Endpoints',
    ),
    nameField: 'cluster_name',
  },
  {
    ...named('sds', 'envoy.extensions.transport_sockets.tls.v3.Secret', 'secret.v3.SecretDiscoveryService/#Secrets'),
  },
  {
    ...named('lds', 'envoy.config.listener.v3.Listener', 'listener.v3.ListenerDiscoveryService/#Listeners'),
    isWhole: true,
  },
  named('rds', 'envoy.config.route.v3.RouteConfiguration', 'route.v3.RouteDiscoveryService/#Routes'),
  virtualHosts(),
  named(
    'ecds',
    'envoy.config.core.v3.TypedExtensionConfig',
    'extension.v3.ExtensionConfigDiscoveryService/#ExtensionConfigs',
  ),
  named('rtds', 'envoy.service.runtime.v3.Runtime', 'runtime.v3.RuntimeDiscoveryService/#Runtime'),
];

export const clusterType = byShortName('cds');
export const assignmentType = byShortName('eds');
export const listenerType = byShortName('lds');
export const routeType = byShortName('rds');

const byUrl: ReadonlyMap<string, ServedType> = new Map(servedTypes.map((type) => [type.typeUrl, type]));

export function servedType(typeUrl: string): ServedType | undefined {
  return byUrl.get(typeUrl);
}

/** The name of a resource in memory; empty when it has none. */
export function resourceName(type: ServedType, message: Message): string {
  const key = type.nameField === 'cluster_name' ? 'clusterName' : 'name';
  return (message[key] as string | undefined) ?? '';
}

function named(shortName: string, messageType: string, method: string) {
  const path = `/envoy.service.${method}`;
  return {
    typeUrl: `type.googleapis.com/${messageType}`,
    messageType,
    shortName,
    deltaMethod: path.replace('#', 'Delta'),
    stateOfTheWorldMethod: path.replace('#', 'Stream'),
    isWhole: false,
    nameField: 'name',
  };
}

function virtualHosts(): ServedType {
  const { stateOfTheWorldMethod: _, ...type } = named(
    'vhds',
    'envoy.config.route.v3.VirtualHost',
    'route.v3.VirtualHostDiscoveryService/#VirtualHosts',
  );
  return type;
}

function byShortName(shortName: string): ServedType {
  return servedTypes.find((type) => type.shortName === shortName)!;
}

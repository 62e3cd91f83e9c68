// The discovery service's messages as a control plane writes and reads them, by protobufjs from the schema: another
// implementation than the one under test.

import protobuf from 'protobufjs';

const schema = `
syntax = "proto3";
message Any { string type_url = 1; bytes value = 2; }
message Duration { int64 seconds = 1; int32 nanos = 2; }
message Status { int32 code = 1; string message = 2; }
message ControlPlane { string identifier = 1; }
message Node { string id = 1; }
message ResourceName { string name = 1; }
message Message { string name = 1; string text = 2; }
message Resource {
  string version = 1; Any resource = 2; string name = 3; repeated string aliases = 4; Duration ttl = 6;
  ResourceName resource_name = 8;
}
message DeltaDiscoveryRequest {
  Node node = 1; string type_url = 2; repeated string resource_names_subscribe = 3;
  repeated string resource_names_unsubscribe = 4; map<string, string> initial_resource_versions = 5;
  string response_nonce = 6; Status error_detail = 7;
}
message DeltaDiscoveryResponse {
  string system_version_info = 1; repeated Resource resources = 2; string type_url = 4; string nonce = 5;
  repeated string removed_resources = 6; ControlPlane control_plane = 7; repeated ResourceName removed_resource_names = 8;
}
message DiscoveryRequest {
  string version_info = 1; Node node = 2; repeated string resource_names = 3; string type_url = 4;
  string response_nonce = 5; Status error_detail = 6;
}
message DiscoveryResponse {
  string version_info = 1; repeated Any resources = 2; string type_url = 4; string nonce = 5;
  ControlPlane control_plane = 6;
}`;

const { root } = protobuf.parse(schema);

export const clusterType = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
export const listenerType = 'type.googleapis.com/envoy.config.listener.v3.Listener';
export const endpointType = 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment';
export const routeType = 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration';

/** A request of either protocol; fields that are not of its protocol stay empty. */
export interface SeenRequest {
  readonly type: string;
  /** `node.id`, empty without a node. */
  readonly node: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly initialVersions: { readonly [name: string]: string };
  readonly names: readonly string[];
  readonly version: string;
  readonly nonce: string;
  /** Undefined for all but a NACK. */
  readonly error: string | undefined;
}

/** A resource as it is sent; `messageNamed` makes its message. */
export interface SentResource {
  readonly name: string;
  readonly version?: string;
  readonly aliases?: readonly string[];
  readonly ttlMs?: number;
  readonly text?: string;
  /** The whole message, in place of name and text. */
  readonly bytes?: Uint8Array;
  readonly isHeartbeat?: boolean;
  /** When it is not the response's. */
  readonly type?: string;
  /** Wrapped in a `Resource`, in a state-of-the-world response. */
  readonly isWrapped?: boolean;
}

export interface SentResponse {
  readonly type: string;
  readonly version?: string;
  readonly nonce?: string;
  readonly controlPlane?: string;
  readonly resources?: readonly SentResource[];
  readonly removed?: readonly string[];
}

export type Protocol = 'delta' | 'state-of-the-world';

export function readRequest(protocol: Protocol, bytes: Uint8Array): SeenRequest {
  const name = protocol === 'delta' ? 'DeltaDiscoveryRequest' : 'DiscoveryRequest';
  const type = root.lookupType(name);
  const seen = type.toObject(type.decode(bytes), { defaults: true, arrays: true, objects: true });
  return {
    type: seen['typeUrl'],
    node: seen['node']?.id ?? '',
    subscribe: seen['resourceNamesSubscribe'] ?? [],
    unsubscribe: seen['resourceNamesUnsubscribe'] ?? [],
    initialVersions: seen['initialResourceVersions'] ?? {},
    names: seen['resourceNames'] ?? [],
    version: seen['versionInfo'] ?? '',
    nonce: seen['responseNonce'],
    error: seen['errorDetail']?.message,
  };
}

export function writeNode(id: string): Uint8Array {
  return root.lookupType('Node').encode({ id }).finish();
}

/** The message of a resource: its name in field 1, and any text in field 2. */
export function messageNamed(name: string, text = ''): Uint8Array {
  return encode('Message', { name, text });
}

export function writeResponse(protocol: Protocol, response: SentResponse): Uint8Array {
  const { type, version = '', nonce = '', controlPlane, resources = [], removed = [] } = response;
  const shared = { typeUrl: type, nonce, ...(controlPlane && { controlPlane: { identifier: controlPlane } }) };
  if (protocol === 'delta') {
    const sent = resources.map((resource) => wrapped(resource, type));
    return encode('DeltaDiscoveryResponse', {
      ...shared,
      systemVersionInfo: version,
      resources: sent,
      removedResources: removed,
    });
  }
  const sent = resources.map((resource) =>
    resource.isWrapped === true
      ? {
          typeUrl: 'type.googleapis.com/envoy.service.discovery.v3.Resource',
          value: encode('Resource', wrapped(resource, type)),
        }
      : anyOf(resource, type),
  );
  return encode('DiscoveryResponse', { ...shared, versionInfo: version, resources: sent });
}

function wrapped(resource: SentResource, type: string): object {
  const { name, version = '', aliases = [], ttlMs, isHeartbeat = false } = resource;
  const ttl = ttlMs !== undefined && { ttl: { seconds: Math.floor(ttlMs / 1000), nanos: (ttlMs % 1000) * 1e6 } };
  return { name, version, aliases, ...ttl, ...(!isHeartbeat && { resource: anyOf(resource, type) }) };
}

function anyOf({ name, text, bytes, type: own }: SentResource, type: string): object {
  return { typeUrl: own ?? type, value: bytes ?? messageNamed(name, text) };
}

function encode(typeName: string, message: object): Uint8Array {
  const type = root.lookupType(typeName);
  return type.encode(type.fromObject(message)).finish();
}

// Resources that a control plane serves in the comparison of what is said to it, and how they change.

import { encodedOf } from '../support/assembly-bench.ts';
import {
  clusterType,
  endpointType,
  listenerType,
  routeType,
  type SentResource,
} from '../support/discovery-messages.ts';
import type { World } from './recording-control-plane.ts';

const prefix = 'type.googleapis.com/';
const filters = `${prefix}envoy.extensions.filters`;

export const types = {
  CDS: clusterType,
  EDS: endpointType,
  LDS: listenerType,
  RDS: routeType,
  SDS: `${prefix}envoy.extensions.transport_sockets.tls.v3.Secret`,
  ECDS: `${prefix}envoy.config.core.v3.TypedExtensionConfig`,
  RTDS: `${prefix}envoy.service.runtime.v3.Runtime`,
} as const;

export type TypeName = keyof typeof types;

/** Resources are kept as objects, so that only what a step changes is sent. */
export class Scene {
  readonly #offered = new Map<TypeName, Map<string, SentResource>>();
  #versions = 0;

  set(type: TypeName, name: string, yaml: string, more: Partial<SentResource> = {}): void {
    this.#change(type).set(name, this.made(type, name, yaml, more));
  }

  made(type: TypeName, name: string, yaml: string, more: Partial<SentResource> = {}): SentResource {
    const bytes = encodedOf(types[type].slice(prefix.length), yaml);
    return { name, version: `${++this.#versions}`, bytes, ...more };
  }

  remove(type: TypeName, name: string): void {
    this.#change(type).delete(name);
  }

  get(type: TypeName, name: string): SentResource {
    return this.#offered.get(type)!.get(name)!;
  }

  get world(): World {
    return new Map([...this.#offered].map(([type, offered]) => [types[type], offered]));
  }

  #change(type: TypeName): Map<string, SentResource> {
    const changed = new Map(this.#offered.get(type));
    this.#offered.set(type, changed);
    return changed;
  }
}

const ads = '{ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s}';
const socket = (port: number): string => `{socket_address: {address: 127.0.0.1, port_value: ${port}}}`;
const members = (port: number): string => `endpoints: [{lb_endpoints: [{endpoint: {address: ${socket(port)}}}]}]`;
export const assignment = (name: string, port: number): string => `{cluster_name: ${name}, ${members(port)}}`;
export const edsCluster = (name: string, { service = '', timeout = '1s' } = {}): string =>
  `{name: ${name}, type: EDS, connect_timeout: ${timeout}, eds_cluster_config: {eds_config: ${ads}${service === '' ? '' : `, service_name: ${service}`}}}`;
export const staticCluster = (name: string, port: number): string =>
  `{name: ${name}, type: STATIC, connect_timeout: 1s, load_assignment: ${assignment(name, port)}}`;
export const unusable = (name: string): string =>
  `{name: ${name}, type: STATIC, connect_timeout: 1s, lb_policy: CLUSTER_PROVIDED}`;
const router = `{name: router, typed_config: {'@type': ${filters}.http.router.v3.Router}}`;
export const chain = (routes: string, before = ''): string => {
  const type = `${filters}.network.http_connection_manager.v3.HttpConnectionManager`;
  const rds = `rds: {route_config_name: ${routes}, config_source: ${ads}}`;
  const config = `{'@type': ${type}, stat_prefix: in, ${rds}, http_filters: [${before}${router}]}`;
  return `{filters: [{name: http, typed_config: ${config}}]}`;
};
export const listener = (name: string, chains: string): string =>
  `{name: ${name}, address: ${socket(0)}, filter_chains: [${chains}]}`;
export const unknownFilter = `{filters: [{name: none, typed_config: {'@type': ${prefix}google.protobuf.Struct, value: {}}}]}`;
export const secured = (name: string, secret: string): string => {
  const context = `${prefix}envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext`;
  const secrets = `tls_certificate_sds_secret_configs: [{name: ${secret}, sds_config: ${ads}}]`;
  const tls = `{name: tls, typed_config: {'@type': ${context}, common_tls_context: {${secrets}}}}`;
  const proxy = `{'@type': ${filters}.network.tcp_proxy.v3.TcpProxy, stat_prefix: tcp, cluster: static}`;
  return listener(name, `{transport_socket: ${tls}, filters: [{name: tcp, typed_config: ${proxy}}]}`);
};
export const routes = (name: string, cluster: string, hosts = 1): string => {
  const host = (index: number): string =>
    `{name: h${index}, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: ${cluster}}}]}`;
  return `{name: ${name}, virtual_hosts: [${Array.from({ length: hosts }, (_, index) => host(index)).join(', ')}]}`;
};
export const discovered = (name: string, type: string): string =>
  `{name: ${name}, config_discovery: {config_source: ${ads}, type_urls: [${filters}.${type}]}}, `;
export const filter = (name: string, type: string): string =>
  `{name: ${name}, typed_config: {'@type': ${filters}.${type}}}`;

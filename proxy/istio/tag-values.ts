// What the tags of Istio's metrics say of one kind of traffic: both workloads, the service, the identities of both ends.
// An identity is that of a certificate which was verified; names of workloads are what peers say of themselves.

import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import type { TlsFacts } from '../transport/tls-facts.ts';
import { type TagValues, UNKNOWN } from './metric-tags.ts';
import type { Workload } from './workload.ts';

/** Everything but how it ended. */
export type TrafficTags = Omit<
  TagValues,
  'request_protocol' | 'response_code' | 'grpc_response_status' | 'response_flags'
>;

export interface Traffic {
  readonly isOutbound: boolean;
  readonly own: Workload;
  /** Null when nothing is known of the other side. */
  readonly peer: Workload | null;
  readonly principals: Principals;
  readonly service: Service;
}

/** URIs of verified certificates; empty without one. */
export interface Principals {
  readonly own: string;
  readonly peer: string;
}

/** Empty texts are not known. */
export interface Service {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
}

export function principalsOf(tls: TlsFacts | null | undefined): Principals {
  if (tls === null || tls === undefined) return noPrincipals;
  return {
    own: tls.own?.uris[0] ?? '',
    peer: tls.isPeerVerified ? (tls.peer?.uris[0] ?? '') : '',
  };
}

/** What the control plane says of the service behind a cluster, else the host that was asked for. */
export function serviceOf(cluster: ClusterRuntime | null, routeName: string, host: string): Service {
  const destination = destinationByRoute.get(routeName);
  if (destination !== undefined) return { host, name: destination, namespace: '' };
  if (cluster === null) return { host, name: host, namespace: '' };
  if (withoutService.has(cluster.name)) return { host, name: cluster.name, namespace: '' };
  const service = firstService(cluster);
  if (service === null) return { host, name: host, namespace: '' };
  const told = textIn(service, 'host');
  const whole = told === '' ? host : told;
  return {
    host: whole,
    name: textIn(service, 'name') || whole.split('.')[0]!,
    namespace: textIn(service, 'namespace'),
  };
}

/** Whether a route of this name says by itself where its requests go. */
export function namesDestination(routeName: string): boolean {
  return destinationByRoute.has(routeName);
}

/** Whether `serviceOf` does not depend on the host. */
export function namesService(cluster: ClusterRuntime): boolean {
  const service = firstService(cluster);
  return service !== null && textIn(service, 'host') !== '';
}

function firstService({ config }: ClusterRuntime): object | null {
  const services = config.metadata['istio']?.['services'];
  const first: unknown = Array.isArray(services) ? services[0] : undefined;
  return typeof first === 'object' ? first : null;
}

function textIn(object: object, key: string): string {
  const value = (object as { readonly [key: string]: unknown })[key];
  return typeof value === 'string' ? value : '';
}

export function trafficTags(traffic: Traffic): TrafficTags {
  const { isOutbound, own, peer, principals, service } = traffic;
  const client = isOutbound ? own : peer;
  const ownService = isOutbound ? UNKNOWN : own.canonicalService;
  // A verified identity is believed before the peer's own word.
  const peerNamespace = namespaceIn(principals.peer) || peer?.namespace || UNKNOWN;
  const security = principals.peer !== '' && principals.own !== '' ? 'mutual_tls' : 'none';
  return {
    reporter: isOutbound ? 'source' : 'destination',
    ...(isOutbound
      ? sourceTags(ownTags(own), principals.own)
      : sourceTags(peerTags(client, peerNamespace), principals.peer)),
    ...(isOutbound
      ? destinationTags(peerTags(peer, peerNamespace), principals.peer)
      : destinationTags(ownTags(own), principals.own)),
    destination_service: service.host || ownService,
    destination_service_name: service.name || ownService,
    destination_service_namespace: isOutbound ? service.namespace || peerNamespace : own.namespace,
    connection_security_policy: isOutbound ? UNKNOWN : security,
  };
}

interface SideTags {
  readonly workload: string;
  readonly namespace: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly app: string;
  readonly version: string;
  readonly cluster: string;
}

/** As the node says, though it says nothing. */
function ownTags(own: Workload): SideTags {
  return { ...own, workload: own.name };
}

function peerTags(peer: Workload | null, namespace: string): SideTags {
  return {
    workload: peer?.name || UNKNOWN,
    namespace,
    canonicalService: peer?.canonicalService || UNKNOWN,
    canonicalRevision: peer?.canonicalRevision || 'latest',
    app: peer?.app || UNKNOWN,
    version: peer?.version || UNKNOWN,
    cluster: peer?.cluster || UNKNOWN,
  };
}

function sourceTags(side: SideTags, principal: string) {
  return {
    source_workload: side.workload,
    source_workload_namespace: side.namespace,
    source_canonical_service: side.canonicalService,
    source_canonical_revision: side.canonicalRevision,
    source_principal: principal || UNKNOWN,
    source_app: side.app,
    source_version: side.version,
    source_cluster: side.cluster,
  };
}

function destinationTags(side: SideTags, principal: string) {
  return {
    destination_workload: side.workload,
    destination_workload_namespace: side.namespace,
    destination_canonical_service: side.canonicalService,
    destination_canonical_revision: side.canonicalRevision,
    destination_principal: principal || UNKNOWN,
    destination_app: side.app,
    destination_version: side.version,
    destination_cluster: side.cluster,
  };
}

/** Of `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT`. */
function namespaceIn(principal: string): string {
  const start = principal.indexOf('/ns/');
  return start < 0 ? '' : principal.slice(start + 4).split('/')[0]!;
}

/** Istio's routes of what is for no service it knows. */
const destinationByRoute: ReadonlyMap<string, string> = new Map([
  ['block_all', 'BlackHoleCluster'],
  ['allow_any', 'PassthroughCluster'],
]);

const noPrincipals: Principals = { own: '', peer: '' };

/** Traffic that goes on to where it was headed, or nowhere: Istio counts it under these names. */
const withoutService: ReadonlySet<string> = new Set([
  'BlackHoleCluster',
  'PassthroughCluster',
  'InboundPassthroughCluster',
  'InboundPassthroughClusterIpv4',
  'InboundPassthroughClusterIpv6',
]);

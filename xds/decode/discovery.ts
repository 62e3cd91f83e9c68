// How the members of a cluster are found: listed, sent by a control plane, resolved by DNS, or the connections' own
// destinations.

import type { Address } from '../../config/address.ts';
import type { Discovery, DnsLookupFamily, DnsOptions } from '../../config/cluster.ts';
import type { ConfigSource } from '../../config/config-source.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  Address as AddressMessage,
  CaresDnsResolverConfig,
  Cluster_DnsLookupFamily,
  Cluster as ClusterMessage,
} from '../generated/messages.ts';
import { decodeAddress } from './address.ts';
import { decodeConfigSource } from './config-source.ts';
import { decodeLoadAssignment } from './endpoint.ts';
import { extensionType } from './extension.ts';
import { given } from './given.ts';
import { SharedParts } from './shared-parts.ts';

export function decodeDiscovery(message: ClusterMessage, problems: Problems): Discovery | undefined {
  const assignmentProblems = problems.at('load_assignment');
  const assignment = decodeLoadAssignment(message.loadAssignment ?? {}, assignmentProblems);
  switch (message.type ?? 'STATIC') {
    case 'STATIC':
      checkLiteralAddresses(assignment, assignmentProblems);
      return { kind: 'static', assignment };
    case 'STRICT_DNS':
      return { kind: 'strict-dns', assignment, dns: decodeDns(message, problems) };
    case 'LOGICAL_DNS':
      checkSingle(assignment, assignmentProblems);
      return { kind: 'logical-dns', assignment, dns: decodeDns(message, problems) };
    case 'ORIGINAL_DST':
      if (message.loadAssignment !== undefined) {
        assignmentProblems.add('an ORIGINAL_DST cluster has no load_assignment: connections bring their destination');
      }
      return decodeOriginalDst(message);
    case 'EDS':
      if (message.loadAssignment !== undefined) {
        assignmentProblems.add('an EDS cluster has no load_assignment: its members come from eds_config');
      }
      return decodeEds(message, problems.at('eds_cluster_config'));
  }
}

/** Where nobody resolves names, the members have addresses. */
export function checkLiteralAddresses(assignment: LoadAssignment, problems: Problems): void {
  for (const [locality, { endpoints }] of assignment.localities.entries()) {
    for (const [index, { address }] of endpoints.entries()) {
      if (address.kind !== 'host') continue;
      const place = problems.at('endpoints').item(locality).at('lb_endpoints').item(index).at('endpoint');
      place
        .at('address')
        .at('socket_address')
        .at('address')
        .add(`${JSON.stringify(address.hostname)} is not a literal IP address; use type STRICT_DNS or LOGICAL_DNS`);
    }
  }
}

const sharedSources = new SharedParts<ConfigSource>();

function decodeEds(message: ClusterMessage, problems: Problems): Discovery | undefined {
  const { edsConfig, serviceName = message.name ?? '' } = message.edsClusterConfig ?? {};
  const place = problems.at('eds_config');
  if (edsConfig === undefined) {
    place.add('eds_config is required: it says where the members come from');
    return undefined;
  }
  const source = decodeConfigSource(edsConfig, place);
  return source && { kind: 'eds', serviceName, source: sharedSources.share(source) };
}

function checkSingle(assignment: LoadAssignment, problems: Problems): void {
  const { localities } = assignment;
  if (localities.length !== 1 || localities[0]!.endpoints.length !== 1) {
    problems.add('a LOGICAL_DNS cluster needs exactly one locality with one endpoint');
  }
}

function decodeOriginalDst(message: ClusterMessage): Discovery {
  const options = message.originalDstLbConfig;
  return {
    kind: 'original-dst',
    cleanupIntervalMs: message.cleanupInterval ?? 5_000,
    useHttpHeader: options?.useHttpHeader ?? false,
    httpHeaderName: (options?.httpHeaderName ?? 'x-envoy-original-dst-host').toLowerCase(),
    ...given('portOverride', options?.upstreamPortOverride),
  };
}

const families = {
  AUTO: 'auto',
  V4_ONLY: 'v4-only',
  V6_ONLY: 'v6-only',
  V4_PREFERRED: 'v4-preferred',
  ALL: 'all',
} as const satisfies Record<Cluster_DnsLookupFamily, DnsLookupFamily>;

/** Without a failure rate, failed resolutions are repeated at the usual rate. */
function decodeDns(message: ClusterMessage, problems: Problems): DnsOptions {
  const refreshRateMs = message.dnsRefreshRate ?? 5_000;
  const failure = message.dnsFailureRefreshRate;
  const failureRefreshBaseMs = failure?.baseInterval ?? refreshRateMs;
  const failureRefreshMaxMs =
    failure?.maxInterval ?? (failure === undefined ? refreshRateMs : failureRefreshBaseMs * 10);
  if (failureRefreshMaxMs < failureRefreshBaseMs) {
    problems.at('dns_failure_refresh_rate').at('max_interval').add('must not be less than base_interval');
  }
  return {
    family: families[message.dnsLookupFamily ?? 'AUTO'],
    refreshRateMs,
    respectTtl: message.respectDnsTtl ?? false,
    failureRefreshBaseMs,
    failureRefreshMaxMs,
    jitterMs: message.dnsJitter ?? 0,
    resolvers: decodeResolvers(message, problems),
  };
}

const cares = 'envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig';
const getAddrInfo = 'envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig';
const dnsResolver = { what: 'DNS resolver', known: [cares, getAddrInfo] } as const;

/** The newest of the three places where resolvers are written wins, as in Envoy. */
function decodeResolvers(message: ClusterMessage, problems: Problems): readonly Address[] {
  const typed = message.typedDnsResolverConfig;
  if (typed !== undefined) {
    const place = problems.at('typed_dns_resolver_config');
    const type = extensionType(typed, dnsResolver, place);
    const config = typed.typedConfig?.message as CaresDnsResolverConfig | undefined;
    return decodeAddresses(type === cares ? config?.resolvers : [], place.at('typed_config').at('resolvers'));
  }
  const config = message.dnsResolutionConfig;
  if (config !== undefined) {
    return decodeAddresses(config.resolvers, problems.at('dns_resolution_config').at('resolvers'));
  }
  return decodeAddresses(message.dnsResolvers, problems.at('dns_resolvers'));
}

function decodeAddresses(messages: readonly AddressMessage[] | undefined, problems: Problems): readonly Address[] {
  const addresses: Address[] = [];
  for (const [index, message] of (messages ?? []).entries()) {
    const address = decodeAddress(message, problems.item(index));
    if (address?.kind === 'pipe') problems.item(index).at('pipe').add('a DNS resolver is reached by an IP address');
    if (address !== undefined) addresses.push(address);
  }
  return addresses;
}

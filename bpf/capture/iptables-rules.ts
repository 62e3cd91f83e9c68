// The settings of a capture as rules of iptables' nat table: the fallback where eBPF cannot be had, with the same meaning.
// The first packet of a connection decides, TCP alone is captured, and DNS where it is asked for.

import { isIPv6 } from 'node:net';
import type { CidrRange } from '../../config/address.ts';
import { hasPort } from './port-range.ts';
import type { CaptureSettings, PortRange } from './settings.ts';

export type IpFamily = 4 | 6;

/** Our chains. What else is in the table belongs to others. */
export const CHAINS = {
  output: 'OUTRIGGER_OUTPUT',
  capture: 'OUTRIGGER_CAPTURE',
  inbound: 'OUTRIGGER_INBOUND',
} as const;

/** Our chain in the raw table. */
export const ZONE_CHAIN = 'OUTRIGGER_DNS';

/** Rules in the order in which they are tried, as iptables-restore takes them; jumps from the kernel's own chains last. */
export function rulesOf(settings: CaptureSettings, family: IpFamily): readonly string[] {
  return [...outputRules(settings, family), ...captureRules(settings, family), ...inboundRules(settings), ...JUMPS];
}

/**
 * Of the raw table: connection tracking is to keep what applications ask apart from what the proxy asks the same servers. For
 * half a minute it takes whatever leaves from the same port for the same connection, so that what the proxy asks would come
 * back to it, and what an application asks would pass it by. TCP has its own end, and needs none of it.
 */
export function zoneRulesOf(settings: CaptureSettings, family: IpFamily): readonly string[] {
  const asked = askedServers(settings, family);
  if (settings.dns === undefined || asked.length === 0) return [];
  const ofApplications = '-j CT --zone 1';
  return [
    `-A ${ZONE_CHAIN} -p udp --sport ${settings.dns.port} ${ofApplications}`,
    ...sparedRules(ZONE_CHAIN, settings),
    ...asked.map((match) => `-A ${ZONE_CHAIN} ${match} -p udp --dport 53 ${ofApplications}`),
    `-A OUTPUT -p udp -j ${ZONE_CHAIN}`,
  ];
}

/** What is special to one family. */
interface FamilyAddresses {
  readonly loopback: string;
  readonly linkLocal: string;
  /** At which clouds tell machines their secrets, beside link-local ones. */
  readonly metadata: readonly string[];
  readonly multicast: readonly string[];
}

const ADDRESSES: Readonly<Record<IpFamily, FamilyAddresses>> = {
  4: {
    loopback: '127.0.0.0/8',
    linkLocal: '169.254.0.0/16',
    metadata: ['168.63.129.16/32', '100.100.100.200/32'],
    multicast: ['224.0.0.0/4', '255.255.255.255/32'],
  },
  6: { loopback: '::1/128', linkLocal: 'fe80::/10', metadata: ['fd00:ec2::254/128'], multicast: ['ff00::/8'] },
};

const JUMPS: readonly string[] = [
  `-A OUTPUT -j ${CHAINS.output}`,
  // Ours comes first: a rule of somebody else that translates the address would hide where the connection was going.
  `-I PREROUTING 1 -p tcp -j ${CHAINS.inbound}`,
];

/** Whose connections, and which are never captured. */
function outputRules(settings: CaptureSettings, family: IpFamily): readonly string[] {
  const { outbound, inbound, dns } = settings;
  const { loopback, linkLocal, metadata, multicast } = ADDRESSES[family];
  const ownPorts = [outbound.port, inbound.port, ...(dns === undefined ? [] : [dns.port])];
  const pass = (match: string) => `-A ${CHAINS.output} ${match} -j RETURN`;
  const passAddresses = (ranges: readonly string[]) => ranges.map((range) => pass(`-d ${range}`));
  return [
    ...sparedRules(CHAINS.output, settings),
    ...dnsRules(settings, family),
    pass('! -p tcp'),
    ...(outbound.loopback
      ? ownPorts.map((port) => pass(`-d ${loopback} -p tcp --dport ${port}`))
      : passAddresses([loopback])),
    ...(outbound.linkLocal ? [] : passAddresses([linkLocal, ...metadata])),
    ...passAddresses(multicast),
    ...portRules(CHAINS.output, outbound.excludePorts, 'RETURN'),
    ...addressRules(CHAINS.output, ofFamily(outbound.excludeCidrs, family), 'RETURN'),
    ...cgroupRules(outbound),
  ];
}

/** The proxy's own connections would come back to it without end; others are those of nobody who is included. */
function sparedRules(chain: string, { outbound, proxy }: CaptureSettings): readonly string[] {
  const pass = (match: string) => `-A ${chain} ${match} -j RETURN`;
  return [
    ...proxy.uids.map((uid) => pass(`-m owner --uid-owner ${uid}`)),
    ...proxy.gids.map((gid) => pass(`-m owner --gid-owner ${gid}`)),
    ...(proxy.mark === undefined ? [] : [pass(`-m mark --mark ${proxy.mark}`)]),
    ...(proxy.cgroup === undefined ? [] : [pass(`-m cgroup --path "${quoted(proxy.cgroup)}"`)]),
    ...otherUsersRule(chain, outbound),
  ];
}

/** Who is none of those that are included: matches of one rule must all be true. */
function otherUsersRule(chain: string, { includeUids, includeGids }: CaptureSettings['outbound']): readonly string[] {
  const none = [
    ...includeUids.map((uid) => `-m owner ! --uid-owner ${uid}`),
    ...includeGids.map((gid) => `-m owner ! --gid-owner ${gid}`),
  ];
  return none.length === 0 ? [] : [`-A ${chain} ${none.join(' ')} -j RETURN`];
}

function dnsRules(settings: CaptureSettings, family: IpFamily): readonly string[] {
  return askedServers(settings, family).flatMap((match) =>
    ['udp', 'tcp'].map(
      (protocol) =>
        `-A ${CHAINS.output} ${match} -p ${protocol} --dport 53 -j REDIRECT --to-ports ${settings.dns!.port}`,
    ),
  );
}

/** A named server is asked through the proxy wherever it is; "any" leaves loopback alone, where the proxy may listen. */
function askedServers({ outbound, dns }: CaptureSettings, family: IpFamily): readonly string[] {
  if (dns === undefined || hasPort(outbound.excludePorts, 53)) return [];
  if (dns.servers.length === 0) return [`! -d ${ADDRESSES[family].loopback}`];
  return dns.servers.filter((server) => isIPv6(server) === (family === 6)).map((server) => `-d ${server}`);
}

/** The innermost cgroup decides. */
function cgroupRules({ includeCgroups, excludeCgroups }: CaptureSettings['outbound']): readonly string[] {
  const listed = [
    ...excludeCgroups.map((path) => ({ path, verdict: '-j RETURN' })),
    ...includeCgroups.map((path) => ({ path, verdict: `-g ${CHAINS.capture}` })),
  ].sort((a, b) => depthOf(b.path) - depthOf(a.path));
  const rules = listed.map(({ path, verdict }) => `-A ${CHAINS.output} -m cgroup --path "${quoted(path)}" ${verdict}`);
  return includeCgroups.length > 0 ? rules : [...rules, `-A ${CHAINS.output} -j ${CHAINS.capture}`];
}

/** What is included, of that which nothing excludes. */
function captureRules({ outbound }: CaptureSettings, family: IpFamily): readonly string[] {
  const redirect = `REDIRECT --to-ports ${outbound.port}`;
  return [
    ...portRules(CHAINS.capture, outbound.includePorts, redirect),
    ...addressRules(CHAINS.capture, ofFamily(outbound.includeCidrs, family), redirect),
  ];
}

function inboundRules({ outbound, inbound }: CaptureSettings): readonly string[] {
  const ownPorts = [inbound.port, outbound.port].map((port) => ({ first: port, last: port }));
  return [
    `-A ${CHAINS.inbound} -i lo -j RETURN`,
    ...portRules(CHAINS.inbound, [...ownPorts, ...inbound.excludePorts], 'RETURN'),
    ...portRules(CHAINS.inbound, inbound.includePorts, `REDIRECT --to-ports ${inbound.port}`),
  ];
}

function portRules(chain: string, ranges: readonly PortRange[], verdict: string): readonly string[] {
  return ranges.map(({ first, last }) => `-A ${chain} -p tcp --dport ${first}:${last} -j ${verdict}`);
}

function addressRules(chain: string, ranges: readonly CidrRange[], verdict: string): readonly string[] {
  return ranges.map(({ ip, prefixLength }) => `-A ${chain} -d ${ip}/${prefixLength} -p tcp -j ${verdict}`);
}

function ofFamily(ranges: readonly CidrRange[], family: IpFamily): readonly CidrRange[] {
  return ranges.filter(({ ip }) => isIPv6(ip) === (family === 6));
}

function depthOf(path: string): number {
  return path.split('/').length;
}

/** In the quotes of iptables-restore. */
function quoted(text: string): string {
  return text.replaceAll(/["\\]/g, '\\$&');
}

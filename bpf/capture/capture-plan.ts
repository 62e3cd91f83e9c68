// Settings as what the programs are given: constants, which are fixed when they are loaded, and entries of their maps.

import type { CidrRange } from '../../config/address.ts';
import {
  addressLayout,
  cidrLayout,
  PortRule,
  portSetLayout,
  Rule,
  writeAddress,
  writeCidr,
} from '../generated/outbound.ts';
import { addressBytes, cidrBits } from './address-bytes.ts';
import { addressRules } from './address-rules.ts';
import { hasPort } from './port-range.ts';
import { type CaptureSettings, everyAddress, everyPort, type PortRange } from './settings.ts';

export interface ObjectPlan {
  /** By their names in C. */
  readonly constants: Readonly<Record<string, number | bigint>>;
  readonly maps: readonly MapPlan[];
}

export interface MapPlan {
  readonly name: string;
  readonly entries: readonly MapEntry[];
}

export interface MapEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What settings name and the kernel numbers. */
export interface KernelNumbers {
  /** Of the proxy's cgroup; undefined when it is not told by it. */
  readonly proxyCgroup?: bigint | undefined;
  /** Of the network namespace to capture in; undefined where the cgroup is enough. */
  readonly networkNamespaceCookie?: bigint | undefined;
  /** Ids of the cgroups that settings include and exclude, by path. */
  readonly cgroups: ReadonlyMap<string, bigint>;
}

export function planOutbound(settings: CaptureSettings, numbers: KernelNumbers): ObjectPlan {
  const { outbound, inbound, dns, proxy, policy } = settings;
  // As in Istio, an excluded port 53 is left alone however DNS is captured.
  const dnsPort = dns === undefined || hasPort(outbound.excludePorts, 53) ? 0 : dns.port;
  // Then lists of what is included say nothing more. As entries they would be 65,536 ports and a hundred ranges (no prefix
  // alone is all of IPv6 without mapped addresses), a fifth of the time that redirection takes to come about.
  const includesAll = isEveryPort(outbound.includePorts) || isEveryAddress(outbound.includeCidrs);
  return {
    constants: {
      outbound_port: outbound.port,
      inbound_port: inbound.port,
      dns_port: dnsPort,
      dns_any: dns?.servers.length === 0 ? 1 : 0,
      proxy_mark: proxy.mark ?? 0,
      proxy_cgroup: numbers.proxyCgroup ?? 0n,
      netns_cookie: numbers.networkNamespaceCookie ?? 0n,
      fail_open: policy === 'open' ? 1 : 0,
      captures_loopback: outbound.loopback ? 1 : 0,
      captures_link_local: outbound.linkLocal ? 1 : 0,
      default_capture: includesAll ? 1 : 0,
      default_cgroup: outbound.includeCgroups.length === 0 ? 1 : 0,
      default_user: outbound.includeUids.length + outbound.includeGids.length === 0 ? 1 : 0,
      lists_cgroups: outbound.includeCgroups.length + outbound.excludeCgroups.length === 0 ? 0 : 1,
    },
    maps: [
      { name: 'ports_out', entries: portEntries(includesAll ? [] : outbound.includePorts, outbound.excludePorts) },
      { name: 'cidrs_out', entries: addressEntries(includesAll ? [] : outbound.includeCidrs, outbound.excludeCidrs) },
      { name: 'cgroups', entries: cgroupEntries(outbound, numbers.cgroups) },
      { name: 'uids', entries: idEntries(outbound.includeUids, proxy.uids) },
      { name: 'gids', entries: idEntries(outbound.includeGids, proxy.gids) },
      { name: 'dns_servers', entries: (dns?.servers ?? []).map(serverEntry) },
    ],
  };
}

/** What tells connections of this machine from those of others. */
export interface InboundSigns {
  /** Whether this kernel tells sk_lookup the interface (a probe says). */
  readonly hasIngressInterface: boolean;
  /** Whether ::6 is an address of the network namespace. */
  readonly hasIstioSource6: boolean;
}

export function planInbound(settings: CaptureSettings, signs: InboundSigns): ObjectPlan {
  const { outbound, inbound, policy } = settings;
  const includesAll = isEveryPort(inbound.includePorts);
  return {
    constants: {
      inbound_port: inbound.port,
      outbound_port: outbound.port,
      fail_open: policy === 'open' ? 1 : 0,
      default_capture: includesAll ? 1 : 0,
      has_ingress_ifindex: signs.hasIngressInterface ? 1 : 0,
      has_istio_source6: signs.hasIstioSource6 ? 1 : 0,
    },
    maps: [{ name: 'ports_in', entries: portEntries(includesAll ? [] : inbound.includePorts, inbound.excludePorts) }],
  };
}

const EXCLUDED = Uint8Array.of(Rule.EXCLUDE);
const INCLUDED = Uint8Array.of(Rule.INCLUDE);

function portEntries(include: readonly PortRange[], exclude: readonly PortRange[]): readonly MapEntry[] {
  return [
    { key: u32(PortRule.PORT_INCLUDED), value: portSet(include) },
    { key: u32(PortRule.PORT_EXCLUDED), value: portSet(exclude) },
  ];
}

/** Port p is bit p % 8 of byte p / 8. */
function portSet(ranges: readonly PortRange[]): Uint8Array {
  const bits = new Uint8Array(portSetLayout.bytes);
  for (const { first, last } of ranges) {
    for (let port = first; port <= last; port++) bits[port >> 3]! |= 1 << (port & 7);
  }
  return bits;
}

function addressEntries(include: readonly CidrRange[], exclude: readonly CidrRange[]): readonly MapEntry[] {
  return addressRules(include, exclude).map(({ range, verdict }) => {
    const { bytes, bits } = cidrBits(range);
    const key = new Uint8Array(cidrLayout.bytes);
    writeCidr(viewOf(key), 0, { prefixBits: bits, address: { ip: bytes } });
    return { key, value: verdict === 'exclude' ? EXCLUDED : INCLUDED };
  });
}

function cgroupEntries(
  { includeCgroups, excludeCgroups }: CaptureSettings['outbound'],
  ids: ReadonlyMap<string, bigint>,
): readonly MapEntry[] {
  const entryOf = (value: Uint8Array) => (path: string) => ({ key: u64(idOf(path, ids)), value });
  // Excludes last: they stand when both lists have a cgroup.
  return [...includeCgroups.map(entryOf(INCLUDED)), ...excludeCgroups.map(entryOf(EXCLUDED))];
}

/** Likewise: the proxy's own are never included. */
function idEntries(include: readonly number[], own: readonly number[]): readonly MapEntry[] {
  const entryOf = (value: Uint8Array) => (id: number) => ({ key: u32(id), value });
  return [...include.map(entryOf(INCLUDED)), ...own.map(entryOf(EXCLUDED))];
}

function idOf(path: string, ids: ReadonlyMap<string, bigint>): bigint {
  const id = ids.get(path);
  if (id === undefined) throw new Error(`cgroup ${path} was not looked up`);
  return id;
}

function serverEntry(ip: string): MapEntry {
  const key = new Uint8Array(addressLayout.bytes);
  writeAddress(viewOf(key), 0, { ip: addressBytes(ip)! });
  return { key, value: INCLUDED };
}

function isEveryPort(ranges: readonly PortRange[]): boolean {
  return everyPort.every(({ first, last }) => ranges.some((range) => range.first <= first && last <= range.last));
}

function isEveryAddress(ranges: readonly CidrRange[]): boolean {
  return everyAddress.every(({ ip }) => ranges.some((range) => range.ip === ip && range.prefixLength === 0));
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, true);
  return bytes;
}

function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  viewOf(bytes).setBigUint64(0, value, true);
  return bytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

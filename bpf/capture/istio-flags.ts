// The flags and the environment of istio-iptables, and the pod's annotations that Istio's injector makes flags of, so that
// what an init container that exists is given redirects the same connections here. What has no meaning for us is refused by
// name: whoever passes it counts on it.
// https://istio.io/latest/docs/reference/commands/pilot-agent/#pilot-agent-istio-iptables

import type { CidrRange } from '../../config/address.ts';
import { Problems } from '../../config/problems.ts';
import { addressBytes, covers, parseCidr } from './address-bytes.ts';
import { type Flag, type FlagValues, readFlagValues } from './flag-values.ts';
import { parsePortRange } from './port-range.ts';
import { type CaptureSettings, defaultCaptureSettings, everyAddress, everyPort, type PortRange } from './settings.ts';
import { portConflict } from './settings-conflict.ts';
import type { ReadCaptureSettings } from './settings-reader.ts';

export interface IstioArguments {
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Of the pod (https://istio.io/latest/docs/reference/config/annotations/); those that say nothing of this are left alone. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** The text of /etc/resolv.conf: whose port 53 is captured with `--redirect-dns`. */
  readonly resolvConf: string;
}

/**
 * Settings, or everything that is wrong; a problem's path is the flag, the variable or the annotation. What is not given is
 * as shipped, and not empty as in istio-iptables: an injector gives `-i` and `-b` always, a person who leaves them out wants
 * redirection.
 */
export function readIstioFlags({ flags, environment, annotations, resolvConf }: IstioArguments): ReadCaptureSettings {
  const problems = new Problems();
  const values = readFlagValues({ flags, environment, annotations, known: ISTIO_FLAGS, problems });
  const settings = settingsOf(values, resolvConf, problems);
  const conflict = portConflict(settings);
  if (problems.isEmpty && conflict !== undefined) problems.add(conflict);
  return problems.isEmpty ? { kind: 'settings', settings } : { kind: 'problems', problems: problems.list };
}

/** Addresses of the `nameserver` lines that are addresses without a zone (resolv.conf(5)). */
export function nameserversOf(resolvConf: string): readonly string[] {
  const servers = resolvConf.split('\n').map((line) => /^nameserver[ \t]+(\S+)/.exec(line)?.[1]);
  return servers.flatMap((server) =>
    server === undefined || addressBytes(server) === undefined ? [] : [parseCidr(server)!.ip],
  );
}

const isTproxy = 'is of TPROXY, which is not needed here: the proxy sees the caller with REDIRECT too';
const isIptables = 'is about how iptables is called; leave it out';
const TRAFFIC = 'traffic.sidecar.istio.io';
const isInterface = 'tells connections by their interface, which a connection that is being opened does not have yet';

/** With `refusal`: only `neutral` values may be given, which ask for nothing. */
export const ISTIO_FLAGS: readonly Flag[] = [
  { name: 'envoy-port', short: 'p', says: 'port of the proxy for outbound connections' },
  { name: 'inbound-capture-port', short: 'z', says: 'port of the proxy for inbound connections' },
  { name: 'inbound-tunnel-port', short: 'e', says: 'port of the tunnel, never captured' },
  { name: 'proxy-uid', short: 'u', says: 'users whose connections are not captured' },
  { name: 'proxy-gid', short: 'g', says: 'groups whose connections are not captured' },
  {
    name: 'istio-inbound-interception-mode',
    short: 'm',
    says: 'REDIRECT',
    alsoVariables: ['INBOUND_INTERCEPTION_MODE'],
    annotations: ['sidecar.istio.io/interceptionMode'],
    neutral: ['', 'REDIRECT'],
    refusal: 'can be REDIRECT alone: the proxy sees the caller with it too, without the routes of TPROXY',
  },
  {
    name: 'istio-service-cidr',
    short: 'i',
    says: 'ranges of addresses to capture, or *',
    annotations: [`${TRAFFIC}/includeOutboundIPRanges`],
  },
  {
    name: 'istio-service-exclude-cidr',
    short: 'x',
    says: 'ranges of addresses not to capture',
    annotations: [`${TRAFFIC}/excludeOutboundIPRanges`],
  },
  {
    name: 'istio-inbound-ports',
    short: 'b',
    says: 'inbound ports to capture, or *',
    annotations: [`${TRAFFIC}/includeInboundPorts`],
  },
  {
    name: 'istio-local-exclude-ports',
    short: 'd',
    says: 'inbound ports not to capture, where -b is *',
    annotations: [`${TRAFFIC}/excludeInboundPorts`],
  },
  {
    name: 'istio-outbound-ports',
    short: 'q',
    says: 'outbound ports to capture whatever the address',
    annotations: [`${TRAFFIC}/includeOutboundPorts`],
  },
  {
    name: 'istio-local-outbound-ports-exclude',
    short: 'o',
    says: 'outbound ports not to capture',
    annotations: [`${TRAFFIC}/excludeOutboundPorts`],
  },
  { name: 'redirect-dns', isSwitch: true, says: 'capture DNS', alsoVariables: ['ISTIO_META_DNS_CAPTURE'] },
  { name: 'capture-all-dns', isSwitch: true, says: "capture DNS of every server, not resolv.conf's alone" },
  {
    name: 'dual-stack',
    isSwitch: true,
    says: 'both families, as always',
    alsoVariables: ['ISTIO_DUAL_STACK'],
    neutral: ['true'],
    refusal: 'cannot be false: IPv4 and IPv6 are captured alike, or one would be a way around the proxy',
  },
  {
    name: 'istio-exclude-interfaces',
    short: 'c',
    neutral: [''],
    refusal: isInterface,
    annotations: [`${TRAFFIC}/excludeInterfaces`],
  },
  {
    name: 'kube-virt-interfaces',
    short: 'k',
    neutral: [''],
    refusal: isInterface,
    annotations: ['istio.io/reroute-virtual-interfaces', `${TRAFFIC}/kubevirtInterfaces`],
  },
  { name: 'istio-inbound-tproxy-mark', short: 't', alsoVariables: ['INBOUND_TPROXY_MARK'], refusal: isTproxy },
  { name: 'istio-inbound-tproxy-route-table', short: 'r', refusal: isTproxy },
  { name: 'drop-invalid', isSwitch: true, alsoVariables: ['INVALID_DROP'], neutral: ['false'], refusal: isIptables },
  {
    name: 'dry-run',
    short: 'n',
    isSwitch: true,
    neutral: ['false'],
    refusal: 'is not known; doctor says what would be',
  },
  { name: 'restore-format', short: 'f', isSwitch: true, refusal: isIptables },
  { name: 'iptables-trace-logging', isSwitch: true, neutral: ['false'], refusal: isIptables },
  { name: 'iptables-probe-port', refusal: isIptables },
  { name: 'probe-timeout', refusal: isIptables },
  { name: 'skip-rule-apply', isSwitch: true, neutral: ['false'], refusal: isIptables },
  { name: 'run-validation', isSwitch: true, neutral: ['false'], refusal: isIptables },
  {
    name: 'network-namespace',
    neutral: [''],
    refusal: 'is not taken from here; run in the namespace, or use the agent',
  },
  {
    name: 'cni-mode',
    isSwitch: true,
    neutral: ['false'],
    refusal: 'is not known; the agent attaches to pods of a node',
  },
  { name: 'reconcile', isSwitch: true, neutral: ['false'], refusal: isIptables },
  { name: 'cleanup-only', isSwitch: true, neutral: ['false'], refusal: 'is not known; unload removes what load made' },
  { name: 'force-apply', isSwitch: true, neutral: ['false'], refusal: isIptables },
  { name: 'native-nftables', isSwitch: true, neutral: ['false'], refusal: isIptables },
  { name: 'force-iptables-binary', neutral: [''], refusal: isIptables },
  { name: 'log_output_level', refusal: 'is about the log of istio-iptables; leave it out' },
  { variable: 'ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE', says: 'more groups whose connections are not captured' },
  { variable: 'ISTIO_OUTBOUND_OWNER_GROUPS', says: 'groups whose connections alone are captured' },
  {
    variable: 'ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR',
    neutral: ['127.0.0.1/32', '127.0.0.0/8'],
    refusal: 'cannot be narrowed: all of 127.0.0.0/8 is loopback',
  },
  { variable: 'ENVOY_USER', neutral: ['istio-proxy'], refusal: 'is a name; give the number of the user with -u' },
];

function settingsOf(values: FlagValues, resolvConf: string, problems: Problems): CaptureSettings {
  const shipped = defaultCaptureSettings;
  const uids = idsOf(values, 'proxy-uid', problems) ?? shipped.proxy.uids;
  const gids = idsOf(values, 'proxy-gid', problems) ?? uids;
  const moreGids = idsOf(values, 'ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE', problems) ?? [];
  const includeCidrs = cidrsOf(values, 'istio-service-cidr', problems) ?? shipped.outbound.includeCidrs;
  const dns = dnsOf(values, resolvConf, problems);
  return {
    ...shipped,
    outbound: {
      ...shipped.outbound,
      port: portOf(values, 'envoy-port', problems) ?? shipped.outbound.port,
      includePorts: portsOf(values, 'istio-outbound-ports', problems) ?? shipped.outbound.includePorts,
      excludePorts: portsOf(values, 'istio-local-outbound-ports-exclude', problems) ?? shipped.outbound.excludePorts,
      includeCidrs,
      excludeCidrs: cidrsOf(values, 'istio-service-exclude-cidr', problems) ?? shipped.outbound.excludeCidrs,
      // Istio leaves loopback alone unless the list names some of it; we hold link-local likewise.
      loopback: namesAny(includeCidrs, loopbackRanges),
      linkLocal: namesAny(includeCidrs, linkLocalRanges),
      includeGids: ownersOf(values, problems),
    },
    inbound: inboundOf(values, problems),
    proxy: { uids, gids: [...new Set([...gids, ...moreGids])] },
    ...(dns !== undefined && { dns }),
  };
}

/** `*` is everybody. */
function ownersOf(values: FlagValues, problems: Problems): readonly number[] {
  const flag = 'ISTIO_OUTBOUND_OWNER_GROUPS';
  return values.get(flag)?.text === '*' ? [] : (idsOf(values, flag, problems) ?? []);
}

function inboundOf(values: FlagValues, problems: Problems): CaptureSettings['inbound'] {
  const shipped = defaultCaptureSettings.inbound;
  const includePorts = portsOf(values, 'istio-inbound-ports', problems) ?? shipped.includePorts;
  const named = portsOf(values, 'istio-local-exclude-ports', problems) ?? [];
  // The flag names all of them; to those of an annotation the injector adds the ports of the sidecar.
  const value = values.get('istio-local-exclude-ports');
  const excludePorts = value !== undefined && value.isAnnotation !== true ? named : [...shipped.excludePorts, ...named];
  const tunnel = portOf(values, 'inbound-tunnel-port', problems) ?? 15008;
  return {
    port: portOf(values, 'inbound-capture-port', problems) ?? shipped.port,
    includePorts,
    // A port that -b names is captured though -d names it too.
    excludePorts: [{ first: tunnel, last: tunnel }, ...(includePorts === everyPort ? excludePorts : [])],
  };
}

function dnsOf(values: FlagValues, resolvConf: string, problems: Problems): CaptureSettings['dns'] {
  if (values.get('redirect-dns')?.text !== 'true') return undefined;
  const port = 15053; // where Istio's agent answers; istio-iptables has no flag for it
  if (values.get('capture-all-dns')?.text === 'true') return { port, servers: [] };
  const servers = nameserversOf(resolvConf);
  if (servers.length === 0)
    problems.at('--redirect-dns').add('finds no nameserver in resolv.conf; --capture-all-dns captures any');
  return { port, servers };
}

const loopbackRanges = [parseCidr('127.0.0.0/8')!, parseCidr('::1')!];
const linkLocalRanges = [parseCidr('169.254.0.0/16')!, parseCidr('fe80::/10')!];

function namesAny(named: readonly CidrRange[], ranges: readonly CidrRange[]): boolean {
  return named.some((range) => ranges.some((outer) => covers(outer, range)));
}

function portOf(values: FlagValues, flag: string, problems: Problems): number | undefined {
  const value = values.get(flag);
  if (value === undefined) return undefined;
  const range = parsePortRange(value.text);
  if (range === undefined || range.first !== range.last)
    problems.at(value.source).add(`must be a port from 1 to 65535, not ${JSON.stringify(value.text)}`);
  return range?.first;
}

function portsOf(values: FlagValues, flag: string, problems: Problems): readonly PortRange[] | undefined {
  if (values.get(flag)?.text === '*') return everyPort;
  return itemsOf(values, flag, { problems, form: 'ports or ranges (80,8000-8010)', read: parsePortRange });
}

function cidrsOf(values: FlagValues, flag: string, problems: Problems): readonly CidrRange[] | undefined {
  if (values.get(flag)?.text === '*') return everyAddress;
  return itemsOf(values, flag, { problems, form: 'ranges of addresses (10.0.0.0/8,fd00::/8)', read: parseCidr });
}

function idsOf(values: FlagValues, flag: string, problems: Problems): readonly number[] | undefined {
  const read = (item: string) =>
    /^(0|[1-9]\d{0,9})$/.test(item) && Number(item) < 0xffffffff ? Number(item) : undefined;
  return itemsOf(values, flag, { problems, form: 'numbers of users or groups, not names (1337)', read });
}

interface ItemForm<Item> {
  readonly problems: Problems;
  readonly form: string;
  readonly read: (item: string) => Item | undefined;
}

/** A list parted by commas; an empty text is an empty list. */
function itemsOf<Item>(values: FlagValues, flag: string, { problems, form, read }: ItemForm<Item>): Item[] | undefined {
  const value = values.get(flag);
  if (value === undefined) return undefined;
  if (value.text.trim() === '') return [];
  return value.text.split(',').flatMap((part) => {
    const item = read(part.trim());
    if (item === undefined) problems.at(value.source).add(`must be ${form}; ${JSON.stringify(part)} is none`);
    return item === undefined ? [] : [item];
  });
}

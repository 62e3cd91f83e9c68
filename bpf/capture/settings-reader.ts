// The capture file of an operator, given as a tree of plain values. What it does not say is as shipped; what it says and
// we do not know is refused, since what is misspelt would be captured, or not, unknown to anybody.

import { type Problem, Problems } from '../../config/problems.ts';
import { addressBytes, parseCidr } from './address-bytes.ts';
import { parsePortRange } from './port-range.ts';
import {
  type CaptureSettings,
  defaultCaptureSettings,
  EVENT_RING_MIB,
  everyAddress,
  everyPort,
  SHORTCUT_HAZARDS,
} from './settings.ts';
import { portConflict } from './settings-conflict.ts';

export type ReadCaptureSettings =
  | { readonly kind: 'settings'; readonly settings: CaptureSettings }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

/** Settings, or everything that is wrong. All of them are below the one field `capture`. */
export function readCaptureSettings(tree: unknown): ReadCaptureSettings {
  const problems = new Problems();
  const root = fieldsOf(tree, ['capture'], problems);
  if (problems.isEmpty && root.capture === undefined)
    problems.at('capture').add('is missing; all settings are below it');
  const settings = readSettings(root.capture ?? {}, problems.at('capture'));
  return problems.isEmpty ? { kind: 'settings', settings } : { kind: 'problems', problems: problems.list };
}

const shipped = defaultCaptureSettings;

function readSettings(tree: unknown, problems: Problems): CaptureSettings {
  const names = ['outbound', 'inbound', 'dns', 'proxy', 'policy', 'shortcut', 'events', 'event_ring_mib'] as const;
  const fields = fieldsOf(tree, names, problems);
  const dns = readDns(fields.dns, problems.at('dns'));
  const settings: CaptureSettings = {
    outbound: readOutbound(fields.outbound, problems.at('outbound')),
    inbound: readInbound(fields.inbound, problems.at('inbound')),
    ...(dns !== undefined && { dns }),
    proxy: readProxy(fields.proxy, problems.at('proxy')),
    policy: readChoice(fields.policy, ['open', 'closed'], problems.at('policy')) ?? shipped.policy,
    shortcut: readShortcut(fields.shortcut, problems.at('shortcut')),
    events: readFlag(fields.events, problems.at('events')) ?? shipped.events,
    eventRingMib:
      readChoice(fields.event_ring_mib, EVENT_RING_MIB, problems.at('event_ring_mib')) ?? shipped.eventRingMib,
  };
  const conflict = portConflict(settings);
  if (problems.isEmpty && conflict !== undefined) problems.add(conflict);
  return settings;
}

function readOutbound(tree: unknown, problems: Problems): CaptureSettings['outbound'] {
  const names = ['port', 'include_ports', 'exclude_ports', 'include_cidrs', 'exclude_cidrs'] as const;
  const more = [
    'loopback',
    'link_local',
    'include_cgroups',
    'exclude_cgroups',
    'include_uids',
    'include_gids',
  ] as const;
  const fields = fieldsOf(tree, [...names, ...more], problems);
  const usual = shipped.outbound;
  return {
    port: readPort(fields.port, problems.at('port')) ?? usual.port,
    includePorts: readPorts(fields.include_ports, problems.at('include_ports')) ?? usual.includePorts,
    excludePorts: readPorts(fields.exclude_ports, problems.at('exclude_ports')) ?? usual.excludePorts,
    includeCidrs: readCidrs(fields.include_cidrs, problems.at('include_cidrs')) ?? usual.includeCidrs,
    excludeCidrs: readCidrs(fields.exclude_cidrs, problems.at('exclude_cidrs')) ?? usual.excludeCidrs,
    loopback: readFlag(fields.loopback, problems.at('loopback')) ?? usual.loopback,
    linkLocal: readFlag(fields.link_local, problems.at('link_local')) ?? usual.linkLocal,
    includeCgroups: readCgroups(fields.include_cgroups, problems.at('include_cgroups')) ?? usual.includeCgroups,
    excludeCgroups: readCgroups(fields.exclude_cgroups, problems.at('exclude_cgroups')) ?? usual.excludeCgroups,
    includeUids: readIds(fields.include_uids, problems.at('include_uids')) ?? usual.includeUids,
    includeGids: readIds(fields.include_gids, problems.at('include_gids')) ?? usual.includeGids,
  };
}

function readInbound(tree: unknown, problems: Problems): CaptureSettings['inbound'] {
  const fields = fieldsOf(tree, ['port', 'include_ports', 'exclude_ports'], problems);
  return {
    port: readPort(fields.port, problems.at('port')) ?? shipped.inbound.port,
    includePorts: readPorts(fields.include_ports, problems.at('include_ports')) ?? shipped.inbound.includePorts,
    excludePorts: readPorts(fields.exclude_ports, problems.at('exclude_ports')) ?? shipped.inbound.excludePorts,
  };
}

function readDns(tree: unknown, problems: Problems): CaptureSettings['dns'] {
  if (tree === undefined) return shipped.dns;
  const fields = fieldsOf(tree, ['port', 'servers'], problems);
  const port = readPort(fields.port, problems.at('port')) ?? DNS_PORT;
  const isEvery = Array.isArray(fields.servers) && fields.servers.length === 1 && fields.servers[0] === '*';
  if (fields.servers === undefined || isEvery) return { port, servers: [] };
  const servers = readItems(fields.servers, problems.at('servers'), {
    most: 64,
    form: 'an address such as 10.96.0.10, or * alone for every server',
    read: (item) => (typeof item === 'string' && addressBytes(item) !== undefined ? parseCidr(item)!.ip : undefined),
  });
  // An empty list would be taken for every server, and whoever wrote it meant none.
  const isEmpty = Array.isArray(fields.servers) && fields.servers.length === 0;
  if (isEmpty) problems.at('servers').add('is empty; leave dns out to leave DNS alone');
  return { port, servers: servers ?? [] };
}

function readProxy(tree: unknown, problems: Problems): CaptureSettings['proxy'] {
  const fields = fieldsOf(tree, ['uids', 'gids', 'mark', 'cgroup'], problems);
  const [uids, gids] = [readIds(fields.uids, problems.at('uids')), readIds(fields.gids, problems.at('gids'))];
  const mark = fields.mark === undefined ? undefined : idOf(fields.mark);
  if (fields.mark !== undefined && (mark === undefined || mark === 0))
    problems.at('mark').add(`must be a whole number from 1 to ${MAX_ID}, not ${nameOf(fields.mark)}`);
  const cgroup = fields.cgroup === undefined ? undefined : cgroupOf(fields.cgroup);
  if (fields.cgroup !== undefined && cgroup === undefined)
    problems.at('cgroup').add(`must be ${CGROUP_FORM}, not ${nameOf(fields.cgroup)}`);
  return {
    uids: uids ?? shipped.proxy.uids,
    gids: gids ?? shipped.proxy.gids,
    ...(mark !== undefined && { mark }),
    ...(cgroup !== undefined && { cgroup }),
  };
}

function readShortcut(tree: unknown, problems: Problems): CaptureSettings['shortcut'] {
  const fields = fieldsOf(tree, ['enabled', 'ports', 'accept'], problems);
  const ports = readItems(fields.ports, problems.at('ports'), {
    most: MOST_SHORTCUT_PORTS,
    form: 'a port from 1 to 65535',
    read: (item) => (isPortNumber(item) ? item : undefined),
  });
  const accept = readItems(fields.accept, problems.at('accept'), {
    most: SHORTCUT_HAZARDS.length,
    form: alternatives(SHORTCUT_HAZARDS),
    read: (item) => SHORTCUT_HAZARDS.find((hazard) => hazard === item),
  });
  return {
    enabled: readFlag(fields.enabled, problems.at('enabled')) ?? shipped.shortcut.enabled,
    ports: ports ?? shipped.shortcut.ports,
    accept: accept ?? shipped.shortcut.accept,
  };
}

/** Where Istio's agent answers DNS. */
const DNS_PORT = 15053;
const MAX_ID = 4294967294; // the highest number is no id: it says "unchanged" in chown(2)
const CGROUP_FORM = "a path below cgroup2's mount, beginning with a slash and without . or .. in it";

/** The programs hold lists in maps, iptables in rules: both have an end, and no pod comes near it. */
const MOST_RANGES = 256;
/** The program has room for 64, of which the proxy has one and its self-test one. */
const MOST_SHORTCUT_PORTS = 62;

function readPort(value: unknown, problems: Problems): number | undefined {
  if (value === undefined) return undefined;
  if (isPortNumber(value)) return value;
  problems.add(`must be a port from 1 to 65535, not ${nameOf(value)}`);
  return undefined;
}

function isPortNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535;
}

function readPorts(value: unknown, problems: Problems): CaptureSettings['inbound']['includePorts'] | undefined {
  if (isStar(value)) return everyPort;
  const form = 'a port (80) or a range (8000-8010), or * alone for every port';
  return readItems(value, problems, { most: MOST_RANGES, form, read: parsePortRange });
}

function readCidrs(value: unknown, problems: Problems): CaptureSettings['outbound']['includeCidrs'] | undefined {
  if (isStar(value)) return everyAddress;
  const form = 'a range of addresses (10.0.0.0/8, fd00::/8) or an address, or * alone for every address';
  const read = (item: unknown) => (typeof item === 'string' ? parseCidr(item) : undefined);
  return readItems(value, problems, { most: MOST_RANGES, form, read });
}

function readCgroups(value: unknown, problems: Problems): readonly string[] | undefined {
  return readItems(value, problems, { most: 64, form: CGROUP_FORM, read: cgroupOf });
}

function readIds(value: unknown, problems: Problems): readonly number[] | undefined {
  return readItems(value, problems, { most: 16, form: `a whole number from 0 to ${MAX_ID}`, read: idOf });
}

function idOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_ID ? value : undefined;
}

function cgroupOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || !value.startsWith('/') || value.includes('\0') || value.length > 4096)
    return undefined;
  const isPlain =
    value === '/' ||
    value
      .slice(1)
      .split('/')
      .every((name) => !['', '.', '..'].includes(name));
  return isPlain ? value : undefined;
}

function isStar(value: unknown): boolean {
  return value === '*' || (Array.isArray(value) && value.length === 1 && value[0] === '*');
}

interface ItemForm<Item> {
  readonly most: number;
  readonly form: string;
  readonly read: (item: unknown) => Item | undefined;
}

/** Undefined when the list is absent or wrong. */
function readItems<Item>(value: unknown, problems: Problems, { most, form, read }: ItemForm<Item>): Item[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) problems.add(`must be a list, not ${nameOf(value)}`);
  else if (value.length > most) problems.add(`has more than ${most} items`);
  else
    return value.flatMap((item, index) => {
      const found = read(item);
      if (found === undefined) problems.item(index).add(`must be ${form}, not ${nameOf(item)}`);
      return found === undefined ? [] : [found];
    });
  return undefined;
}

function readFlag(value: unknown, problems: Problems): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  problems.add(`must be true or false, not ${nameOf(value)}`);
  return undefined;
}

function readChoice<Choice extends string | number>(
  value: unknown,
  choices: readonly Choice[],
  problems: Problems,
): Choice | undefined {
  const found = choices.find((choice) => choice === value);
  if (value !== undefined && found === undefined)
    problems.add(`must be ${alternatives(choices)}, not ${nameOf(value)}`);
  return found;
}

/** The fields of a mapping, none of them unknown. */
function fieldsOf<Name extends string>(
  tree: unknown,
  names: readonly Name[],
  problems: Problems,
): { readonly [name in Name]?: unknown } {
  if (tree === undefined) return {};
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) {
    problems.add(`must be a mapping of fields, not ${nameOf(tree)}`);
    return {};
  }
  for (const name of Object.keys(tree)) {
    if (!names.some((known) => known === name))
      problems.at(name).add(`is not a field; here may be ${alternatives(names)}`);
  }
  return tree;
}

/** As it is told to the operator, cut where it is long. */
function nameOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length <= 40 ? text : `${text.slice(0, 37)}...`;
}

function alternatives(names: readonly (string | number)[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

// Which filter chain a new connection gets. The criteria are asked in a fixed order; at each the most specific value
// that fits wins, and there is no way back: a chain that fits less specifically is not tried when a later criterion
// fails. https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener_components.proto#config-listener-v3-filterchainmatch
//
// Chains are compiled into nested tables, one level for each criterion, as in Envoy. A level knows the values that
// chains name, and `any` for chains that name none.

import type { CidrRange } from '../../config/address.ts';
import { parseIpAddress } from '../../config/ip-address.ts';
import type { FilterChain, FilterChainMatch } from '../../config/listener.ts';
import type { Problems } from '../../config/problems.ts';
import { IpRangeMap } from './ip-range.ts';

/** What is known of a connection when its filter chain is chosen. Empty strings and 0 stand for unknown or no IP. */
export interface ConnectionCriteria {
  readonly destinationIp: string;
  readonly destinationPort: number;
  /** SNI, lower case. */
  readonly serverName: string;
  /** `raw_buffer` or `tls`. */
  readonly transportProtocol: string;
  /** ALPN, in the client's order. */
  readonly applicationProtocols: readonly string[];
  /** The peer of the socket. */
  readonly directSourceIp: string;
  /** The client, after the PROXY protocol. */
  readonly sourceIp: string;
  readonly sourcePort: number;
}

export interface ChainMatcher {
  /** The chain for a connection, the default one when none fits, null when there is no default either. */
  match(connection: ConnectionCriteria): FilterChain | null;
}

/** Chains that could never be told apart are recorded in `problems`, at the path of `filter_chains`. */
export function compileFilterChainMatch(
  chains: readonly FilterChain[],
  defaultChain: FilterChain | undefined,
  problems?: Problems,
): ChainMatcher {
  const root = makeLevel(0);
  chains.forEach((chain, index) => {
    const other = insert(root, chain, 0);
    if (other === null) return;
    const otherName = other.name === '' ? `filter chain ${chains.indexOf(other)}` : JSON.stringify(other.name);
    problems
      ?.item(index)
      .at('filter_chain_match')
      .add(`matches the same connections as ${otherName}; each combination of criteria may be used once`);
  });
  return { match: (connection) => find(root, connection) ?? defaultChain ?? null };
}

type Found = Level | FilterChain;

/** One criterion: the tables of the next criterion by the values of this one. */
interface Level {
  readonly depth: number;
  any: Found | null;
  /** Ports, names, protocols, source types. */
  readonly byValue: Map<string | number, Found>;
  readonly byRange: IpRangeMap<Found>;
}

interface Criterion {
  /** Values a chain names; none stands for any. */
  readonly values: (match: FilterChainMatch) => readonly (string | number | CidrRange)[];
  readonly select: (level: Level, connection: ConnectionCriteria) => Found | null;
}

/** In order of precedence. */
const criteria: readonly Criterion[] = [
  {
    values: (match) => (match.destinationPort === undefined ? [] : [match.destinationPort]),
    select: (level, connection) => selectValue(level, connection.destinationPort),
  },
  {
    values: (match) => match.prefixRanges,
    select: (level, connection) => selectRange(level, connection.destinationIp),
  },
  {
    values: (match) => match.serverNames,
    select: (level, connection) => selectServerName(level, connection.serverName),
  },
  {
    values: (match) => (match.transportProtocol === '' ? [] : [match.transportProtocol]),
    select: (level, connection) => selectValue(level, connection.transportProtocol),
  },
  { values: (match) => match.applicationProtocols, select: selectApplicationProtocol },
  {
    values: (match) => match.directSourcePrefixRanges,
    select: (level, connection) => selectRange(level, connection.directSourceIp),
  },
  { values: (match) => (match.sourceType === 'any' ? [] : [match.sourceType]), select: selectSourceType },
  {
    values: (match) => match.sourcePrefixRanges,
    select: (level, connection) => selectRange(level, connection.sourceIp),
  },
  {
    values: (match) => match.sourcePorts,
    select: (level, connection) => selectValue(level, connection.sourcePort),
  },
];

function makeLevel(depth: number): Level {
  return { depth, any: null, byValue: new Map(), byRange: new IpRangeMap() };
}

/** Puts the chain into every table it belongs to. Returns a chain that is already in one of its places, or null. */
function insert(level: Level, chain: FilterChain, depth: number): FilterChain | null {
  const values = criteria[depth]!.values(chain.match);
  let overlap: FilterChain | null = null;
  // A value that a chain names twice is one place.
  const places = new Set<Found>();
  for (const value of values.length === 0 ? [null] : values) {
    const known = lookUp(level, value);
    const isLast = depth + 1 === criteria.length;
    const next = known ?? (isLast ? chain : makeLevel(depth + 1));
    if (known === null) store(level, value, next);
    if (places.has(next)) continue;
    places.add(next);
    const other = isChain(next) ? next : insert(next, chain, depth + 1);
    if (other !== chain) overlap ??= other;
  }
  return overlap;
}

function lookUp(level: Level, value: string | number | CidrRange | null): Found | null {
  if (value === null) return level.any;
  return typeof value === 'object' ? level.byRange.get(value) : (level.byValue.get(value) ?? null);
}

function store(level: Level, value: string | number | CidrRange | null, next: Found): void {
  if (value === null) level.any = next;
  else if (typeof value === 'object') level.byRange.set(value, next);
  else level.byValue.set(value, next);
}

function find(root: Level, connection: ConnectionCriteria): FilterChain | null {
  let found: Found | null = root;
  while (found !== null && !isChain(found)) found = criteria[found.depth]!.select(found, connection);
  return found;
}

function isChain(found: Found): found is FilterChain {
  return 'filters' in found;
}

function selectValue(level: Level, value: string | number): Found | null {
  return level.byValue.get(value) ?? level.any;
}

function selectRange(level: Level, text: string): Found | null {
  if (level.byRange.isEmpty) return level.any;
  const ip = text === '' ? null : parseIpAddress(text);
  return (ip === null ? null : level.byRange.find(ip)) ?? level.any;
}

/** The name itself, then its wildcards from the longest: `*.b.c`, `*.c` for `a.b.c`. */
function selectServerName({ byValue, any }: Level, serverName: string): Found | null {
  const exact = byValue.get(serverName);
  if (exact !== undefined) return exact;
  for (let dot = serverName.indexOf('.', 1); dot > 0; dot = serverName.indexOf('.', dot + 1)) {
    const wildcard = byValue.get(`*${serverName.slice(dot)}`);
    if (wildcard !== undefined) return wildcard;
  }
  return any;
}

/** The first of the client's protocols that any chain names. */
function selectApplicationProtocol({ byValue, any }: Level, connection: ConnectionCriteria): Found | null {
  for (const protocol of connection.applicationProtocols) {
    const found = byValue.get(protocol);
    if (found !== undefined) return found;
  }
  return any;
}

function selectSourceType(level: Level, { sourceIp, destinationIp }: ConnectionCriteria): Found | null {
  if (level.byValue.size === 0) return level.any;
  return (
    level.byValue.get(isSameIpOrLoopback(sourceIp, destinationIp) ? 'same-ip-or-loopback' : 'external') ?? level.any
  );
}

/** Unix sockets are local; of 127.0.0.0/8 only 127.0.0.1 is, as in Envoy. */
function isSameIpOrLoopback(sourceIp: string, destinationIp: string): boolean {
  const source = parseIpAddress(sourceIp);
  return (
    source === null || source === loopbackIpv4 || source === loopbackIpv6 || source === parseIpAddress(destinationIp)
  );
}

const loopbackIpv4 = 0x7f00_0001;
const loopbackIpv6 = 1n;

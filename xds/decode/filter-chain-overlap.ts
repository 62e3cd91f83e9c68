// Two filter chains of a listener may not match the same connection equally well: which one would get it? They do when
// they share a value, or both name none, at each criterion of their matches. Envoy finds this out when it builds its
// tables and refuses the listener; here the matches are compared, so that the error can name both.

import { isIPv4 } from 'node:net';
import type { CidrRange } from '../../config/address.ts';
import type { FilterChain, FilterChainMatch } from '../../config/listener.ts';
import type { Problems } from '../../config/problems.ts';

/** `problems` is at `filter_chains`, `chains` are in that order. */
export function checkFilterChainOverlap(chains: readonly FilterChain[], problems: Problems): void {
  // Most listeners with many chains have one for each port: only those of a group need to be compared.
  const groups = new Map<string, Candidate[]>();
  for (const [index, { match }] of chains.entries()) {
    const place = problems.item(index).at('filter_chain_match');
    const candidate = { index, values: valuesOf(match) };
    reportRepeated(candidate.values, place);
    const key = `${match.destinationPort} ${match.transportProtocol} ${match.sourceType}`;
    const group = groups.get(key) ?? [];
    const other = group.find((earlier) => overlaps(earlier, candidate));
    if (other !== undefined) place.add(`matches the same connections as filter_chains[${other.index}]`);
    group.push(candidate);
    groups.set(key, group);
  }
}

type CriterionValues = ReadonlySet<string | number>;

interface Candidate {
  readonly index: number;
  readonly values: readonly Criterion[];
}

interface Criterion {
  readonly field: string;
  readonly values: CriterionValues;
  /** How many were written. */
  readonly count: number;
}

/** The criteria that are lists. */
function valuesOf(match: FilterChainMatch): readonly Criterion[] {
  return [
    criterion('server_names', match.serverNames),
    criterion('prefix_ranges', match.prefixRanges.map(rangeKey)),
    criterion('application_protocols', match.applicationProtocols),
    criterion('direct_source_prefix_ranges', match.directSourcePrefixRanges.map(rangeKey)),
    criterion('source_prefix_ranges', match.sourcePrefixRanges.map(rangeKey)),
    criterion('source_ports', match.sourcePorts),
  ];
}

function criterion(field: string, values: readonly (string | number)[]): Criterion {
  return { field, values: new Set(values), count: values.length };
}

/** A value that is written twice overlaps with itself. */
function reportRepeated(criteria: readonly Criterion[], problems: Problems): void {
  for (const { field, values, count } of criteria) {
    if (values.size < count) problems.at(field).add('must not hold a value twice');
  }
}

function overlaps(a: Candidate, b: Candidate): boolean {
  return a.values.every(({ values }, index) => shares(values, b.values[index]!.values));
}

function shares(a: CriterionValues, b: CriterionValues): boolean {
  if (a.size === 0 || b.size === 0) return a.size === b.size;
  for (const value of a) if (b.has(value)) return true;
  return false;
}

/** The same text for ranges that are the same, however their address is written. */
function rangeKey({ ip, prefixLength }: CidrRange): string {
  const bits = isIPv4(ip) ? ipv4Bits(ip) : ipv6Bits(ip);
  const isMapped = bits.length === 128 && prefixLength >= 96 && bits.startsWith(mappedPrefix);
  const significant = isMapped ? bits.slice(96, prefixLength) : bits.slice(0, prefixLength);
  return `${isMapped || bits.length === 32 ? 'v4' : 'v6'} ${significant}`;
}

/** The first 96 bits of an IPv4 address written as IPv6 (RFC 4291 section 2.5.5.2). */
const mappedPrefix = '0'.repeat(80) + '1'.repeat(16);

function ipv4Bits(ip: string): string {
  return ip
    .split('.')
    .map((byte) => bitsOf(Number(byte), 8))
    .join('');
}

/** The WHATWG URL parser writes every IPv6 address in the one form of RFC 5952, without dotted parts. */
function ipv6Bits(ip: string): string {
  const [head = '', tail = ''] = new URL(`http://[${ip}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const left = groups(head);
  const right = groups(tail);
  const zeros = new Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...zeros, ...right].map((group) => bitsOf(Number.parseInt(group, 16), 16)).join('');
}

function bitsOf(value: number, length: number): string {
  return value.toString(2).padStart(length, '0');
}

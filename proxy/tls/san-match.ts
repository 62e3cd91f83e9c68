// Which names of a certificate are allowed (`match_typed_subject_alt_names`). Names are bytes, never text that is cut again;
// one with a zero byte in it matches nothing.
//
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/transport_sockets/tls/v3/common.proto

import { type IpAddressBits, parseIpAddress } from '../../config/ip-address.ts';
import type { SubjectAltNameMatcher } from '../../config/secret.ts';
import { formatIp } from '../../native/socket-address.ts';
import type { Certificate } from '../../native/x509.ts';
import { compileStringMatcher } from '../route/string-matcher.ts';

export type AltNames = Pick<Certificate, 'uris' | 'dnsNames' | 'emails' | 'ipAddresses' | 'otherNames'>;

export type AltNamePredicate = (names: AltNames) => boolean;

/** Whether a certificate has a name that one of `matchers` takes. */
export function compileAltNames(matchers: readonly SubjectAltNameMatcher[]): AltNamePredicate {
  const predicates = matchers.map(compileOne);
  return (names) => predicates.some((predicate) => predicate(names));
}

/** Whether the certificate is for `name`: a DNS name, or an IP address. */
export function isFor(names: AltNames, name: string): boolean {
  const address = parseIpAddress(name.replace(/^\[(.*)\]$/, '$1'));
  if (address !== null) return names.ipAddresses.some((bytes) => bitsOf(bytes) === address);
  return names.dnsNames.some((pattern) => isWhole(pattern) && dnsNameMatches(name, pattern));
}

/**
 * Whether `pattern` of a certificate is for the DNS name: without regard to case; a star in the first label, alone or with
 * letters around it, stands for letters of one label. Not where it would hide in the letters of another alphabet (`xn--`).
 */
export function dnsNameMatches(name: string, pattern: string): boolean {
  const [wanted, given] = [name.toLowerCase(), pattern.toLowerCase()];
  if (wanted === given) return true;
  const [label, rest] = cutFirstLabel(wanted);
  const [starred, givenRest] = cutFirstLabel(given);
  if (rest === '' || rest !== givenRest || givenRest.includes('*') || starred.startsWith('xn--')) return false;
  const [before, after, ...more] = starred.split('*');
  if (before === undefined || after === undefined || more.length > 0) return false;
  const isLongEnough = label.length >= Math.max(1, before.length + after.length);
  return isLongEnough && label.startsWith(before) && label.endsWith(after);
}

function compileOne(wanted: SubjectAltNameMatcher): AltNamePredicate {
  const { matcher } = wanted;
  const matches = compileStringMatcher(matcher);
  const some = (values: readonly string[]): boolean => values.some((value) => isWhole(value) && matches(value));
  // An exact name is one that the certificate must be for.
  const isDnsName = (names: AltNames): boolean =>
    matcher.kind === 'exact'
      ? names.dnsNames.some((pattern) => isWhole(pattern) && dnsNameMatches(matcher.value, pattern))
      : some(names.dnsNames);
  const isAddress = compileAddress(matcher.kind === 'exact' ? parseIpAddress(matcher.value) : null, some);
  switch (wanted.type) {
    case 'dns':
      return isDnsName;
    case 'uri':
      return ({ uris }) => some(uris);
    case 'email':
      return ({ emails }) => some(emails);
    case 'ip-address':
      return isAddress;
    case 'any':
      return (names) => some(names.uris) || isDnsName(names) || some(names.emails) || isAddress(names);
    case 'other-name':
      return ({ otherNames }) => some(otherNames.filter(({ type }) => type === wanted.oid).map(({ value }) => value));
  }
}

function compileAddress(exact: IpAddressBits | null, some: (values: readonly string[]) => boolean): AltNamePredicate {
  if (exact !== null) return ({ ipAddresses }) => ipAddresses.some((bytes) => bitsOf(bytes) === exact);
  return ({ ipAddresses }) => some(ipAddresses.filter(isAddressLong).map(formatIp));
}

function bitsOf(bytes: Buffer): IpAddressBits | null {
  return isAddressLong(bytes) ? parseIpAddress(formatIp(bytes)) : null;
}

function isAddressLong({ length }: Buffer): boolean {
  return length === 4 || length === 16;
}

/** What reads such a name as text of C sees another. */
function isWhole(name: string): boolean {
  return name !== '' && !name.includes('\0');
}

function cutFirstLabel(name: string): [string, string] {
  const dot = name.indexOf('.');
  return dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot + 1)];
}

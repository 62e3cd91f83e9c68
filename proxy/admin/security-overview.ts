// What the live page says of TLS: how each filter chain and cluster speaks, and how long this proxy's certificates have.

import type { Cluster, TransportSocket } from '../../config/cluster.ts';
import type { FilterChain, FilterChainMatch } from '../../config/listener.ts';
import type { CertificateWatch, WatchedSecret } from '../tls/certificate-watch.ts';

/** Of what speaks plain text nothing is said. */
export type Security = '' | 'TLS' | 'mutual TLS' | 'TLS where offered' | 'mutual TLS where offered';

/** Mutual is what asks every client for a certificate. */
export function securityOfChain({ tls }: FilterChain): Security {
  if (tls === undefined) return '';
  return tls.requiresClientCertificate ? 'mutual TLS' : 'TLS';
}

/** Some endpoints may be told to be spoken to otherwise than the rest: Istio's automatic mutual TLS. */
export function securityOfCluster({ transport, transportMatches }: Cluster): Security {
  const always = securityOf(transport);
  if (always !== '') return always;
  const some = transportMatches.map((match) => securityOf(match.transport));
  if (some.includes('mutual TLS')) return 'mutual TLS where offered';
  return some.includes('TLS') ? 'TLS where offered' : '';
}

function securityOf(socket: TransportSocket): '' | 'TLS' | 'mutual TLS' {
  if (socket.kind === 'plain') return '';
  return socket.tls.certificates.length > 0 ? 'mutual TLS' : 'TLS';
}

/** Which connections a filter chain is for, in words; empty when it is for all. */
export function purposeOf({ match }: FilterChain): string {
  const { destinationPort, prefixRanges, serverNames, applicationProtocols, transportProtocol } = match;
  const parts = [
    destinationPort === undefined ? '' : `port ${destinationPort}`,
    prefixRanges.length === 0 ? '' : `to ${some(prefixRanges.map(({ ip, prefixLength }) => `${ip}/${prefixLength}`))}`,
    serverNames.length === 0 ? '' : `for ${some(serverNames)}`,
    transportProtocol === 'raw_buffer' ? 'plain text' : '',
    applicationProtocols.length === 0 ? '' : some(applicationProtocols),
    sourceText(match),
  ];
  return parts.filter((part) => part !== '').join(', ');
}

function sourceText(match: FilterChainMatch): string {
  const ranges = [...match.directSourcePrefixRanges, ...match.sourcePrefixRanges];
  const isBySource = match.sourceType !== 'any' || match.sourcePorts.length > 0 || ranges.length > 0;
  return isBySource ? 'from some clients' : '';
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, shownNames).join(' ');
  return names.length > shownNames ? `${shown} and ${names.length - shownNames} more` : shown;
}

const shownNames = 3;
const listedCertificates = 30;

/** Own certificates, those that end first at the top, with what is wrong; then secrets that nothing usable came for. */
export function certificateOverview(watch: Pick<CertificateWatch, 'secrets' | 'problems'>): unknown {
  const own = watch.secrets().filter(({ chain, lastError }) => chain.length > 0 || lastError !== undefined);
  const endsAt = ({ chain }: WatchedSecret): number => chain[0]?.notAfterMs ?? 0;
  const listed = own.toSorted((left, right) => endsAt(left) - endsAt(right)).slice(0, listedCertificates);
  const problems = new Map(watch.problems().map((problem) => [problem.name, problem]));
  return {
    total: own.length,
    listed: listed.map(({ name, chain, lastError }) => {
      const problem = problems.get(name);
      return {
        name,
        whose: chain[0] === undefined ? '' : namesOf(chain[0]),
        ...(chain[0] !== undefined && { endsAtMs: chain[0].notAfterMs }),
        state: problem === undefined ? 'good' : problem.isExpired ? 'expired' : 'ending',
        problem: problem?.words ?? lastError ?? '',
      };
    }),
  };
}

function namesOf({ uris, dnsNames, ipAddresses, subject }: WatchedSecret['chain'][number]): string {
  const names = [...uris, ...dnsNames, ...ipAddresses];
  return names.length === 0 ? subject : some(names);
}

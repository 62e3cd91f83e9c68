// Peers by their SPIFFE id: the trust domain in the id chooses the roots by which its chain must have been verified, so that
// no domain can speak for another (X509-SVID.md 5, SPIFFE_Trust_Domain_and_Bundle.md 4).

import { hash } from 'node:crypto';
import { readCertificateDers } from '../../native/tls-pem.ts';
import { type Certificate, spiffeIdOf } from '../../native/x509.ts';

/** Hashes of roots, by the name of their trust domain. */
export type TrustDomains = ReadonlyMap<string, ReadonlySet<string>>;

export function compileTrustDomains(
  domains: readonly { readonly name: string; readonly roots: string }[],
): TrustDomains | string {
  const compiled = new Map<string, ReadonlySet<string>>();
  for (const { name, roots } of domains) {
    const ders = readCertificateDers(roots);
    if (typeof ders === 'string') return `the roots of the trust domain ${name} are refused: ${ders}`;
    compiled.set(name, new Set(ders.map((der) => hash('sha256', der))));
  }
  return compiled;
}

/**
 * Why `certificate`, whose chain was verified and is `verifiedChain`, is nobody of these domains; undefined when it is.
 * A session that goes on has no chain: it may only where there is one domain.
 */
export function trustDomainProblem(
  domains: TrustDomains,
  certificate: Certificate,
  verifiedChain: readonly Uint8Array[],
): string | undefined {
  const identity = spiffeIdOf(certificate);
  if (typeof identity === 'string') return identity;
  const domain = identity.id.slice('spiffe://'.length).split('/', 1)[0]!;
  const roots = domains.get(domain);
  if (roots === undefined) return `${identity.id} is of the trust domain ${domain}, and none of its roots are known`;
  if (verifiedChain.length === 0 && domains.size === 1) return undefined;
  const root = verifiedChain.at(-1);
  if (root !== undefined && roots.has(hash('sha256', root))) return undefined;
  return `the certificate of ${identity.id} was signed in another trust domain than ${domain}`;
}

// What OpenSSL verifies chains by, of what a configuration says: roots, or those of all trust domains together, of which the
// peer's own are asked for after the handshake (`trust-domains.ts`).

import { getCACertificates } from 'node:tls';
import type { ValidationContext } from '../../config/secret.ts';
import type { TlsTrust } from '../../native/tls-trust.ts';

/** Undefined: chains are not verified. A sentence: there is nothing to verify them by. */
export function trustOf(validation: ValidationContext, wallClock?: () => number): TlsTrust | undefined | string {
  const { revocationLists, onlyVerifiesLeafRevocation, allowsExpired, maxVerifyDepth } = validation;
  const roots = rootsOf(validation);
  if (roots === undefined) return undefined;
  if (roots === '') return 'the system has no certificates that are trusted';
  // Envoy takes lists from among the roots as well.
  const listed = `${roots.match(REVOCATION_LIST)?.join('\n') ?? ''}\n${revocationLists ?? ''}`.trim();
  return {
    roots,
    revocationLists: listed === '' ? undefined : listed,
    revokesIssuers: !onlyVerifiesLeafRevocation,
    // As in Envoy: whoever is named as trusted is, also when somebody else has signed it.
    allowsPartialChain: true,
    ignoresDates: allowsExpired ?? false,
    maxDepth: maxVerifyDepth,
    // Several trust domains are told apart by the chain that was verified.
    knownChainsClock: (validation.trustDomains?.length ?? 0) > 1 ? undefined : wallClock,
  };
}

function rootsOf({ roots, trustDomains }: ValidationContext): string | undefined {
  if (trustDomains !== undefined) return trustDomains.map((domain) => domain.roots).join('\n');
  return roots?.kind === 'system' ? getCACertificates('system').join('\n') : roots?.pem;
}

const REVOCATION_LIST = /-----BEGIN X509 CRL-----.*?-----END X509 CRL-----/gs;

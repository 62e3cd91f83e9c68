// When the certificates of a configuration expire, by the names of their secrets: what a listener or a cluster tells of it.

import type { Secret } from '../../config/secret.ts';
import type { CommonTls, SecretReference } from '../../config/tls.ts';
import { readCertificateDers } from '../../native/tls-pem.ts';
import { certificateOf } from './certificate-facts.ts';
import type { SecretStore } from './secret-store.ts';

/**
 * Milliseconds since 1970, of own certificates and of the first that is trusted, as in Envoy. What is written where it is
 * used has no name, and is not told of.
 */
export function expiriesOf({ certificates, validation }: CommonTls, secrets: SecretStore): ReadonlyMap<string, number> {
  const expiries = new Map<string, number>();
  for (const reference of [...certificates, ...(validation?.secret === undefined ? [] : [validation.secret])]) {
    const expiryMs = reference.source.kind === 'inline' ? undefined : expiryOf(reference, secrets);
    if (expiryMs !== undefined) expiries.set(reference.name, expiryMs);
  }
  return expiries;
}

function expiryOf({ key }: SecretReference, secrets: SecretStore): number | undefined {
  const secret = secrets.get(key);
  if (secret === undefined) return undefined;
  if (!known.has(secret)) known.set(secret, firstExpiryOf(secret));
  return known.get(secret);
}

function firstExpiryOf(secret: Secret): number | undefined {
  const roots = secret.kind === 'validation-context' && secret.roots?.kind === 'pem' ? secret.roots.pem : undefined;
  const pem = secret.kind === 'certificate' ? secret.certificateChain : roots;
  const ders = pem === undefined ? undefined : readCertificateDers(pem);
  return ders === undefined || typeof ders === 'string' ? undefined : certificateOf(ders[0]!)?.facts.notAfterMs;
}

// Thousands of clusters have the same.
const known = new WeakMap<Secret, number | undefined>();

// What a certificate says, of its DER. The certificates of a mesh come again with every connection: what was read of the
// latest is kept, by their hash.

import { hash } from 'node:crypto';
import { formatIp } from '../../native/socket-address.ts';
import { type Certificate, readCertificate } from '../../native/x509.ts';
import type { CertificateFacts } from '../transport/tls-facts.ts';

export interface ReadCertificate {
  readonly certificate: Certificate;
  /** Without the chain that it came with. */
  readonly facts: Omit<CertificateFacts, 'chain'>;
}

/** Undefined for what is no certificate, or has an extension twice or in a wrong form. */
export function certificateOf(der: Buffer): ReadCertificate | undefined {
  const sha256 = hash('sha256', der);
  const known = latest.get(sha256);
  if (known !== undefined) return known;
  const certificate = readCertificate(der);
  if (certificate === undefined) return undefined;
  const read = { certificate, facts: factsOf(certificate, sha256, hash('sha1', der)) };
  if (der.length > MOST_KEPT_BYTES) return read;
  // The oldest goes: what is asked for meanwhile is read again, and nothing is counted for it at each use.
  if (latest.size >= MAX_KEPT) latest.delete(latest.keys().next().value!);
  latest.set(sha256, read);
  return read;
}

function factsOf(certificate: Certificate, sha256: string, sha1: string): ReadCertificate['facts'] {
  const { subject, issuer, serial, uris, dnsNames, emails, notBeforeMs, notAfterMs } = certificate;
  const ipAddresses = certificate.ipAddresses.filter(({ length }) => length === 4 || length === 16).map(formatIp);
  return { subject, issuer, serial, sha256, sha1, uris, dnsNames, ipAddresses, emails, notBeforeMs, notAfterMs };
}

// About 2 KB each. A peer that nobody vouches for may fill 100 KB with names, and have another certificate each time.
const MAX_KEPT = 1024;
const MOST_KEPT_BYTES = 8192;
const latest = new Map<string, ReadCertificate>();

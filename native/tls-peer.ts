// The certificates of one connection (SSL), as DER.

import { declareOpenssl } from './openssl.ts';
import { derOf, derOfStack } from './tls-pem.ts';

/** From the peer's own to a root of ours; empty where nothing was verified, and after a resumption. */
export function verifiedChainOf(session: number): Buffer[] {
  return derOfStack(verifiedChain()(session));
}

/** What this side has shown, or would have if it had been asked. */
export function ownCertificateOf(session: number): Buffer | undefined {
  const certificate = ownCertificate()(session);
  return certificate === 0 ? undefined : derOf(certificate);
}

const verifiedChain = declareOpenssl('uint64_t', 'SSL_get0_verified_chain', ['uint64_t']);
const ownCertificate = declareOpenssl('uint64_t', 'SSL_get_certificate', ['uint64_t']);

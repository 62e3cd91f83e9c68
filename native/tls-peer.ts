// The chain by which the peer of a connection (SSL) was verified, as DER.

import { declareOpenssl } from './openssl.ts';
import { derOfStack } from './tls-pem.ts';

/** From the peer's own to a root of ours; empty where nothing was verified: after a resumption, and for a chain that was known. */
export function verifiedChainOf(session: number): Buffer[] {
  return derOfStack(verifiedChain()(session));
}

const verifiedChain = declareOpenssl('uint64_t', 'SSL_get0_verified_chain', ['uint64_t']);

// What an access log service is told of the TLS of a client (`envoy.data.accesslog.v3.TLSProperties`).

import type { CertificateFacts, TlsFacts } from '../transport/tls-facts.ts';

/** Facts in their places, as in `EntryFacts`. */
export type TlsEntryFacts = readonly [
  /** Number of `TLSProperties.TLSVersion`. */
  version: number,
  /** As the protocol has it (RFC 8446 B.4, RFC 5246 A.5); 0 when it is not known. */
  cipherSuite: number,
  serverName: string,
  own: CertificateEntryFacts | null,
  peer: CertificateEntryFacts | null,
  sessionId: string,
];

export type CertificateEntryFacts = readonly [
  uris: readonly string[],
  dnsNames: readonly string[],
  subject: string,
  issuer: string,
];

/** Null on a plain connection. */
export function tlsEntryFacts(tls: TlsFacts | null): TlsEntryFacts | null {
  if (tls === null) return null;
  const { version, cipher, serverName, own, peer, isPeerVerified, sessionId = '' } = tls;
  return [
    version === 'TLSv1.3' ? tlsVersion13 : tlsVersion12,
    cipherSuites.get(cipher) ?? 0,
    serverName,
    certificateOf(own),
    // Nobody vouches for the names of another.
    certificateOf(isPeerVerified ? peer : null),
    sessionId,
  ];
}

function certificateOf(facts: CertificateFacts | null): CertificateEntryFacts | null {
  return facts === null ? null : [facts.uris, facts.dnsNames, facts.subject, facts.issuer];
}

const tlsVersion12 = 3;
const tlsVersion13 = 4;

/** Those that can be agreed on: https://www.iana.org/assignments/tls-parameters */
const cipherSuites: ReadonlyMap<string, number> = new Map([
  ['TLS_AES_128_GCM_SHA256', 0x1301],
  ['TLS_AES_256_GCM_SHA384', 0x1302],
  ['TLS_CHACHA20_POLY1305_SHA256', 0x1303],
  ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 0xc02b],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 0xc02c],
  ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 0xc02f],
  ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 0xc030],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 0xcca8],
  ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', 0xcca9],
  ['TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA', 0xc009],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA', 0xc00a],
  ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA', 0xc013],
  ['TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA', 0xc014],
  ['TLS_RSA_WITH_AES_128_GCM_SHA256', 0x009c],
  ['TLS_RSA_WITH_AES_256_GCM_SHA384', 0x009d],
  ['TLS_RSA_WITH_AES_128_CBC_SHA', 0x002f],
  ['TLS_RSA_WITH_AES_256_CBC_SHA', 0x0035],
]);

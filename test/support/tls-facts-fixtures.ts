// What is known of made-up TLS connections and certificates.

import type { CertificateFacts, TlsFacts } from '../../proxy/transport/tls-facts.ts';

export function certificateFacts(given: Partial<CertificateFacts> = {}): CertificateFacts {
  return {
    subject: '',
    issuer: 'CN=ca',
    serial: '1',
    sha256: '',
    sha1: '',
    uris: [],
    dnsNames: [],
    ipAddresses: [],
    emails: [],
    notBeforeMs: 0,
    notAfterMs: 0,
    chain: [],
    ...given,
  };
}

/** Of mutual TLS. */
export function tlsFacts(given: Partial<TlsFacts> = {}): TlsFacts {
  return {
    version: 'TLSv1.3',
    cipher: '',
    group: '',
    alpn: '',
    serverName: '',
    isResumed: false,
    peer: certificateFacts(),
    isPeerVerified: true,
    own: certificateFacts(),
    ...given,
  };
}

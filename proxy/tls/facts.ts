// Facts of a connection whose handshake is done and whose peer was judged: read once, kept until the connection is gone.

import { TlsVersion } from '../../native/tls-context.ts';
import type { TlsSession } from '../../native/tls-session.ts';
import type { CertificateFacts, TlsFacts } from '../transport/tls-facts.ts';
import type { TlsTransport } from '../transport/tls-transport.ts';
import { certificateOf } from './certificate-facts.ts';

/** What the judge of a connection has found. */
export interface JudgedPeer {
  /** Null when it has shown no certificate. */
  readonly peer: CertificateFacts | null;
  readonly isPeerVerified: boolean;
}

const judgedPeers = new WeakMap<TlsSession, JudgedPeer>();

export function rememberJudged(session: TlsSession, judged: JudgedPeer): void {
  judgedPeers.set(session, judged);
}

/** After the transport was established. */
export function tlsFactsOf({ session }: Pick<TlsTransport, 'session'>): TlsFacts {
  const own = session.ownCertificate();
  return {
    version: versionName(session.version),
    cipher: session.cipher ?? '',
    group: groupName(session.group),
    alpn: session.alpn ?? '',
    serverName: session.serverName?.toLowerCase() ?? '',
    isResumed: session.isResumed,
    sessionId: session.sessionId,
    ...(judgedPeers.get(session) ?? { peer: null, isPeerVerified: false }),
    own: own === undefined ? null : ownFactsOf(own),
  };
}

/** The certificate is the context's, the same for all its connections. */
function ownFactsOf(own: Buffer): CertificateFacts | null {
  let facts = ownFacts.get(own);
  if (facts === undefined) {
    facts = certificateFactsOf([own]);
    ownFacts.set(own, facts);
  }
  return facts;
}

const ownFacts = new WeakMap<Buffer, CertificateFacts | null>();

/** Of a certificate with what came along; null when the first cannot be read. */
export function certificateFactsOf(chain: readonly Buffer[]): CertificateFacts | null {
  const read = chain[0] === undefined ? undefined : certificateOf(chain[0]);
  return read === undefined ? null : { ...read.facts, chain };
}

export function versionName(version: number): TlsFacts['version'] {
  return version === TlsVersion.tls13 ? 'TLSv1.3' : 'TLSv1.2';
}

/** OpenSSL has X25519 in lower case, and the curves of NIST under the names of SECG. */
function groupName(group: string | undefined): string {
  return group === undefined ? '' : (groupNames.get(group) ?? group);
}

const groupNames: ReadonlyMap<string, string> = new Map([
  ['x25519', 'X25519'],
  ['secp256r1', 'P-256'],
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp521r1', 'P-521'],
]);

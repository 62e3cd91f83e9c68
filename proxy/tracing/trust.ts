// Who called whom, on every span, in a form that an auditor can check without believing any single hop (`outrigger
// audit`).
//
// `trust.chain` of a span is a digest over who takes part in it, by mutual TLS, and over the chain of its caller's
// span: who changes, adds or removes a span of a trace breaks the chain of every span below. The chain travels in a
// member of tracestate, with requests that are kept. A plain connection proves nothing about its ends: its span says
// so, has no chain and tells none, and the next chain begins anew.

import { createHash } from 'node:crypto';
import type { CertificateFacts, TlsFacts } from '../transport/tls-facts.ts';

/** Whom mutual TLS proved the other end of a connection to be. */
export interface PeerIdentity {
  /** Of its certificate, as the certificate names it. */
  readonly issuer: string;
  readonly spiffeId: string;
  /** SHA-256 of its certificate, hex. */
  readonly certificateSha256: string;
}

/** Both ends of a connection over mutual TLS. */
export interface TrustedEnds {
  readonly ownId: string;
  readonly peer: PeerIdentity;
}

/** Null where TLS did not prove both ends to each other, each by one SPIFFE id. Found out once a connection. */
export function trustedEndsOf(tls: TlsFacts | null): TrustedEnds | null {
  if (tls === null) return null;
  let ends = endsOf.get(tls);
  if (ends === undefined) {
    ends = readEnds(tls);
    endsOf.set(tls, ends);
  }
  return ends;
}

const endsOf = new WeakMap<TlsFacts, TrustedEnds | null>();

function readEnds({ peer, own, isPeerVerified }: TlsFacts): TrustedEnds | null {
  if (peer === null || own === null || !isPeerVerified) return null;
  const [spiffeId, ownId] = [spiffeIdOf(peer), spiffeIdOf(own)];
  if (spiffeId === '' || ownId === '') return null;
  return { ownId, peer: { issuer: peer.issuer, spiffeId, certificateSha256: peer.sha256 } };
}

/** An identity has exactly one (https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md#2-spiffe-id). */
function spiffeIdOf({ uris }: CertificateFacts): string {
  return uris.length === 1 && uris[0]!.startsWith('spiffe://') ? uris[0]! : '';
}

/** Names of the attributes of spans. */
export const TrustAttribute = {
  /** `mtls` or `plain`; with `plain` there is no other. */
  transport: 'trust.transport',
  issuer: 'trust.issuer',
  peerId: 'trust.peer_id',
  ownId: 'trust.own_id',
  certHash: 'trust.cert_hash',
  chain: 'trust.chain',
} as const;

/** Ids in hex, as on the wire. */
export interface ChainLink {
  /** `trust.chain` of the caller's span; empty where none arrived. */
  readonly received: string;
  readonly traceId: string;
  /** Empty for the first span of a trace. */
  readonly parentSpanId: string;
  readonly spanId: string;
  readonly ownId: string;
  readonly peer: PeerIdentity;
}

/** The attributes of spans over a connection that tell for themselves; `trust.chain` comes with each span. */
export function trustAttributes(peer: PeerIdentity | null, ownId: string): readonly (readonly [string, string])[] {
  if (peer === null) return plainAttributes;
  return [
    [TrustAttribute.transport, 'mtls'],
    [TrustAttribute.issuer, peer.issuer],
    [TrustAttribute.peerId, peer.spiffeId],
    [TrustAttribute.ownId, ownId],
    [TrustAttribute.certHash, peer.certificateSha256],
  ];
}

/** `trust.chain` of a span over mutual TLS: 64 hex digits. */
export function trustChain({ received, traceId, parentSpanId, spanId, ownId, peer }: ChainLink): string {
  const hash = createHash('sha256');
  const parts = [
    received === '' ? 'root' : received,
    traceId,
    parentSpanId,
    spanId,
    ownId,
    peer.spiffeId,
    peer.issuer,
    peer.certificateSha256,
  ];
  // Each with its length before it, so that no two lists make the same text.
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part},`);
  return hash.digest('hex');
}

const plainAttributes = [[TrustAttribute.transport, 'plain']] as const;

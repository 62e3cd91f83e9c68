// Who is let in: what is asked of a peer's certificate beside its chain, which OpenSSL has verified within the handshake.
// Reasons name what was presented and what was expected.
//
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/security/ssl#certificate-verification

import { hash } from 'node:crypto';
import type { ValidationContext } from '../../config/secret.ts';
import { describeVerifyResult } from '../../native/tls-session.ts';
import { withoutControls } from '../format/byte-string.ts';
import type { ReadCertificate } from './certificate-facts.ts';
import { type AltNamePredicate, compileAltNames, isFor } from './san-match.ts';
import { compileTrustDomains, type TrustDomains, trustDomainProblem } from './trust-domains.ts';

export interface PeerRules {
  /** Chains are verified. */
  readonly hasRoots: boolean;
  readonly acceptsUntrusted: boolean;
  readonly allowsExpired: boolean;
  /** What a refusal says was expected; empty when any name is allowed. */
  readonly expectedNames: string;
  readonly allowsNames: AltNamePredicate;
  readonly certificateHashes: ReadonlySet<string>;
  readonly publicKeyHashes: ReadonlySet<string>;
  /** Undefined: identities are no SPIFFE ids. */
  readonly trustDomains: TrustDomains | undefined;
}

export interface PresentedPeer extends ReadCertificate {
  /** X509_V_…, 0: good. */
  readonly verifyResult: number;
  readonly isResumed: boolean;
  readonly verifiedChain: () => readonly Uint8Array[];
  /** The name that it must have in place of those of the rules. */
  readonly verifiedName: string | undefined;
}

export interface Refusal {
  readonly stat: 'failVerifyError' | 'failVerifySan' | 'failVerifyCertHash';
  /** A sentence. */
  readonly reason: string;
}

/** Undefined when nothing is asked of peers; a sentence when the rules cannot be followed. */
export function compilePeerRules(validation: ValidationContext): PeerRules | undefined | string {
  const { roots, trustDomains, subjectAltNames, certificateHashes, spkiHashes } = validation;
  const { acceptsUntrusted = false, allowsExpired = false } = validation;
  const hasRoots = roots !== undefined || trustDomains !== undefined;
  if (subjectAltNames.length > 0 && !hasRoots)
    return 'names are asked for, and there are no roots by which they are true';
  if (!hasRoots && !acceptsUntrusted && certificateHashes.length + spkiHashes.length === 0) return undefined;
  const allowsNames = compileAltNames(subjectAltNames);
  const domains = trustDomains && compileTrustDomains(trustDomains);
  if (typeof domains === 'string') return domains;
  return {
    hasRoots,
    acceptsUntrusted,
    allowsExpired,
    expectedNames: describeExpected(subjectAltNames),
    allowsNames,
    certificateHashes: new Set(certificateHashes),
    publicKeyHashes: new Set(spkiHashes),
    trustDomains: domains,
  };
}

/** Why a peer is not let in, at `nowMs`. Whether an untrusted one is all the same is its caller's business. */
export function refusalOf(rules: PeerRules, peer: PresentedPeer, nowMs: number): Refusal | undefined {
  return chainRefusal(rules, peer, nowMs) ?? nameRefusal(rules, peer) ?? hashRefusal(rules, peer);
}

function chainRefusal(rules: PeerRules, peer: PresentedPeer, nowMs: number): Refusal | undefined {
  if (!rules.hasRoots) return undefined;
  const refused = (reason: string): Refusal => ({ stat: 'failVerifyError', reason });
  if (peer.verifyResult !== 0)
    return refused(`the certificate is not good: ${describeVerifyResult(peer.verifyResult)}`);
  // Nothing is verified anew in a session that goes on.
  if (peer.isResumed && !rules.allowsExpired && peer.certificate.notAfterMs < nowMs)
    return refused('the certificate has expired since the session began');
  if (rules.trustDomains === undefined) return undefined;
  const problem = trustDomainProblem(rules.trustDomains, peer.certificate, peer.verifiedChain());
  return problem === undefined ? undefined : refused(shown(problem));
}

function nameRefusal(rules: PeerRules, { certificate, verifiedName }: PresentedPeer): Refusal | undefined {
  const refused = (expected: string): Refusal => {
    return { stat: 'failVerifySan', reason: `the certificate is for ${describeNames(certificate)}, and ${expected}` };
  };
  if (verifiedName !== undefined)
    return isFor(certificate, verifiedName) ? undefined : refused(`not for ${shown(verifiedName)}`);
  if (rules.expectedNames === '' || rules.allowsNames(certificate)) return undefined;
  return refused(rules.expectedNames);
}

function hashRefusal(rules: PeerRules, { certificate, facts }: PresentedPeer): Refusal | undefined {
  const { certificateHashes, publicKeyHashes } = rules;
  const count = certificateHashes.size + publicKeyHashes.size;
  if (count === 0 || certificateHashes.has(facts.sha256)) return undefined;
  if (publicKeyHashes.size > 0 && publicKeyHashes.has(hash('sha256', certificate.publicKeyInfo, 'base64')))
    return undefined;
  const reason = `the certificate ${facts.sha256} is none of ${count} that are pinned, by itself or by its key`;
  return { stat: 'failVerifyCertHash', reason };
}

/** Names of a peer, for a log: the first few, without what could end a line. */
function describeNames({ uris, dnsNames, emails, otherNames, subject }: ReadCertificate['certificate']): string {
  const names = [...uris, ...dnsNames, ...emails, ...otherNames.map(({ value }) => value)];
  if (names.length === 0) return subject === '' ? 'nobody' : `${shown(subject)} without other names`;
  const some = names.slice(0, MOST_NAMES).map(shown).join(', ');
  return names.length > MOST_NAMES ? `${some} and ${names.length - MOST_NAMES} more` : some;
}

function describeExpected(matchers: ValidationContext['subjectAltNames']): string {
  if (matchers.length !== 1) return matchers.length === 0 ? '' : `none of ${matchers.length} names that are allowed`;
  const { matcher } = matchers[0]!;
  const value = shown(matcher.kind === 'regex' ? matcher.regex : matcher.value);
  return matcher.kind === 'exact' ? `not for ${value}` : `its name must match the ${matcher.kind} ${value}`;
}

function shown(text: string): string {
  const clean = withoutControls(text);
  return clean.length > MOST_CHARACTERS ? `${clean.slice(0, MOST_CHARACTERS)}…` : clean;
}

const MOST_NAMES = 4;
const MOST_CHARACTERS = 256;

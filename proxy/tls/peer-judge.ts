// Decides about a peer by the certificate that it shows in its handshake, and counts what came of it.
//
// Chains that are known come as the same array each time (`native/tls-peer.ts`). So whom the same rules have let in once is let
// in again without a look at the certificate: rules change with their configuration, and what they say of a chain that was
// verified does not depend on the time.

import type { TlsSession } from '../../native/tls-session.ts';
import type { TlsStats } from '../telemetry/tls-stats.ts';
import type { HandshakeJudge } from '../transport/tls-transport.ts';
import { certificateOf } from './certificate-facts.ts';
import { type JudgedPeer, rememberJudged, versionName } from './facts.ts';
import type { KeptSessions } from './kept-sessions.ts';
import { type PeerRules, type Refusal, refusalOf } from './peer-rules.ts';

export interface PeerJudgeOptions {
  /** Undefined: nothing is asked of peers. */
  readonly rules: PeerRules | undefined;
  readonly stats: TlsStats;
  readonly wallClock: () => number;
  /** The name that the peer must have in place of those of the rules. */
  readonly verifiedName?: string | undefined;
  /** Where the session is kept to be resumed, and under which key. */
  readonly keeping?: { readonly sessions: KeptSessions; readonly key: string } | undefined;
}

export class PeerJudge implements HandshakeJudge {
  readonly #options: PeerJudgeOptions;

  constructor(options: PeerJudgeOptions) {
    this.#options = options;
  }

  judge(session: TlsSession): string | undefined {
    const { rules, stats, verifiedName } = this.#options;
    const chain = session.peerCertificates();
    const letIn = rules === undefined || verifiedName !== undefined ? undefined : letInBy(rules);
    const known = letIn?.get(chain);
    if (known !== undefined) {
      rememberJudged(session, known);
      return undefined;
    }
    const read = chain[0] === undefined ? undefined : certificateOf(chain[0]);
    const refusal = this.#refusalOf(session, chain.length > 0, read);
    if (refusal !== undefined && !rules?.acceptsUntrusted) {
      stats.count(refusal.stat);
      return refusal.reason;
    }
    const peer = read === undefined ? null : { ...read.facts, chain };
    // Without roots anybody can have made the certificate.
    const isPeerVerified = peer !== null && refusal === undefined && (rules?.hasRoots ?? false);
    const judged = { peer, isPeerVerified };
    letIn?.set(chain, judged);
    rememberJudged(session, judged);
    return undefined;
  }

  onEstablished(session: TlsSession): void {
    const { keeping } = this.#options;
    this.#count(session);
    keeping?.sessions.onLetIn(keeping.key, session);
  }

  onHandshakeFailed({ problem, verifyResult }: TlsSession): void {
    const { stats } = this.#options;
    if (problem.includes(NO_CERTIFICATE)) stats.count('failVerifyNoCert');
    else if (verifyResult !== 0 && problem.includes(BAD_CERTIFICATE)) stats.count('failVerifyError');
    else stats.count('connectionError');
  }

  onClosing(session: TlsSession): void {
    const { keeping } = this.#options;
    keeping?.sessions.onClosing(keeping.key, session);
  }

  #refusalOf(
    session: TlsSession,
    hasCertificate: boolean,
    read: ReturnType<typeof certificateOf>,
  ): Refusal | undefined {
    const { rules, wallClock, verifiedName } = this.#options;
    // That there must be one is for the handshake to say.
    if (rules === undefined || !hasCertificate) return undefined;
    if (read === undefined) return unreadable;
    const { verifyResult, isResumed } = session;
    const verifiedChain = (): readonly Buffer[] => session.verifiedChain();
    return refusalOf(rules, { ...read, verifyResult, isResumed, verifiedChain, verifiedName }, wallClock());
  }

  #count(session: TlsSession): void {
    const { stats } = this.#options;
    const { cipher, group, version, isResumed, peerSignature: signature } = session;
    stats.count('handshake');
    if (isResumed) stats.count('sessionReused');
    if (session.peerCertificates().length === 0) stats.count('noCertificate');
    stats.countAgreed({ cipher, group, version: versionName(version), signature });
  }
}

/** By chain: what these rules have found of those that they let in. */
function letInBy(rules: PeerRules): WeakMap<readonly Buffer[], JudgedPeer> {
  let known = letInByRules.get(rules);
  if (known === undefined) {
    known = new WeakMap();
    letInByRules.set(rules, known);
  }
  return known;
}

const letInByRules = new WeakMap<PeerRules, WeakMap<readonly Buffer[], JudgedPeer>>();

const unreadable: Refusal = {
  stat: 'failVerifyError',
  reason: 'the certificate has an extension twice or in a wrong form',
};

// In OpenSSL's words.
const NO_CERTIFICATE = 'peer did not return a certificate';
const BAD_CERTIFICATE = 'certificate verify failed';

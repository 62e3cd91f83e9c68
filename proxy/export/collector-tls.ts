// TLS to collectors, by Node: they are called from the main thread, and no call of theirs passes a worker. Contexts are made for
// each connection, of the secrets that there are then; connections are few, and those that stand go on.
//
// What Node cannot do as our own connections to endpoints do it is refused: never is a collector judged by less than was asked.

import { isIP, type Socket } from 'node:net';
import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { longestTimerMs } from '../../config/timer-limit.ts';
import type { UpstreamTls } from '../../config/tls.ts';
import { TlsVersion } from '../../native/tls-context.ts';
import { certificateOf } from '../tls/certificate-facts.ts';
import { refusalOf } from '../tls/peer-rules.ts';
import { nativeParameters, type ResolvedTls, resolveTls, type Secrets } from '../tls/resolved-tls.ts';
import { requestedHost, serverNameFor } from '../tls/server-name.ts';
import { trustOf } from '../tls/trust.ts';
import { readCallTls } from './call-tls.ts';
import type { EndpointTls } from './collector-address.ts';

export interface SpokenOver {
  /** `:authority` or `host` of the calls. */
  readonly authority: string;
  readonly protocol: 'h2' | 'http/1.1';
}

/**
 * Over a socket that is connected, or about to be, and is destroyed with it. Rejects with a sentence when there are no
 * secrets, when they cannot be used, and when the collector is not who it should be.
 */
export async function secureConnection(socket: Socket, tls: EndpointTls, spoken: SpokenOver): Promise<TLSSocket> {
  try {
    const terms = termsOf(tls, spoken.authority);
    const secured = connect({
      socket,
      secureContext: terms.secureContext,
      ALPNProtocols: [...offered(terms.config, spoken.protocol)],
      rejectUnauthorized: terms.isChainVerified,
      // Judged below, where those are judged, too, of whom no chain is asked.
      checkServerIdentity: () => undefined,
      ...(isIP(terms.name) === 0 && terms.name !== '' && { servername: terms.name }),
    });
    await handshake(secured, tls.handshakeTimeoutMs);
    const problem = problemOf(secured, terms);
    if (problem !== undefined) throw new Error(problem);
    return secured;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

interface Terms {
  readonly config: UpstreamTls;
  readonly secureContext: SecureContext;
  readonly rules: ResolvedTls['rules'];
  readonly isChainVerified: boolean;
  /** SNI; empty when none is known. */
  readonly name: string;
}

function termsOf(tls: EndpointTls, authority: string): Terms {
  const { config, secrets, hostname } = tls.kind === 'call' ? readCallTls(tls) : ofCluster(tls);
  const resolved = resolveTls(config, secrets);
  if ('reason' in resolved) throw new Error(resolved.reason);
  const { rules } = resolved;
  const name = serverNameFor(config, requestedHost(config, authority), hostname);
  if (config.autoSanValidation && name === '') throw new Error('no name is known that its certificate must be for');
  if (config.autoSanValidation && !rules?.hasRoots) throw new Error('a name is asked for, and there are no roots');
  const secureContext = makeContext(config, resolved);
  return { config, secureContext, rules, isChainVerified: (rules?.hasRoots && !rules.acceptsUntrusted) ?? false, name };
}

interface Source {
  readonly config: UpstreamTls;
  readonly secrets: Secrets;
  readonly hostname: string;
}

function ofCluster({ config, secrets, hostname }: Extract<EndpointTls, { kind: 'cluster' }>): Source {
  const now = secrets();
  return { config, secrets: { get: (key) => now.get(key), problem: () => undefined }, hostname };
}

/** An application protocol of a mesh may stand for either; one of the other version would be broken off. */
function offered({ alpnProtocols }: UpstreamTls, protocol: SpokenOver['protocol']): readonly string[] {
  if (protocol === 'h2') return alpnProtocols.length === 0 ? ['h2'] : alpnProtocols;
  return alpnProtocols.filter((each) => each !== 'h2');
}

function makeContext({ parameters }: UpstreamTls, { certificates, validation }: ResolvedTls): SecureContext {
  const trust = validation && trustOf(validation);
  if (typeof trust === 'string') throw new Error(trust);
  const refused = validation?.trustDomains !== undefined && 'SPIFFE trust domains';
  const unlike =
    refused ||
    (trust?.ignoresDates && 'allow_expired_certificate') ||
    (trust?.maxDepth !== undefined && 'max_verify_depth') ||
    (trust?.revocationLists !== undefined && !trust.revokesIssuers && 'only_verify_leaf_cert_crl');
  if (unlike) throw new Error(`${unlike}: not offered for collectors`);
  const { minVersion, maxVersion, ciphers, groups, signatureAlgorithms } = nativeParameters(parameters);
  const [identity] = certificates;
  return createSecureContext({
    // An empty list: otherwise those that come with Node would be trusted.
    ca: trust === undefined ? [] : bytesOf(trust.roots),
    ...(trust && { allowPartialTrustChain: trust.allowsPartialChain }),
    ...(trust?.revocationLists !== undefined && { crl: bytesOf(trust.revocationLists) }),
    ...(identity && { cert: identity.certificateChain, key: identity.privateKey }),
    ...(identity?.password !== undefined && { passphrase: identity.password }),
    minVersion: versionName(minVersion),
    maxVersion: versionName(maxVersion),
    ciphers,
    ecdhCurve: groups,
    ...(signatureAlgorithms !== undefined && { sigalgs: signatureAlgorithms }),
  });
}

function bytesOf(pem: string | Uint8Array): Buffer {
  return Buffer.from(pem);
}

function versionName(version: number | undefined): 'TLSv1.2' | 'TLSv1.3' {
  return version === TlsVersion.tls13 ? 'TLSv1.3' : 'TLSv1.2';
}

function handshake(secured: TLSSocket, withinMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const late = (): void => void secured.destroy(new Error(`no TLS handshake within ${withinMs} ms`));
  const timer = setTimeout(late, Math.min(withinMs, longestTimerMs));
  secured.once('secureConnect', resolve);
  secured.once('error', reject);
  secured.once('close', () => reject(new Error('the connection was closed within the TLS handshake')));
  return promise.finally(() => clearTimeout(timer));
}

function problemOf(secured: TLSSocket, { config, rules, name }: Terms): string | undefined {
  if (rules === undefined || rules.acceptsUntrusted) return undefined;
  const { raw } = secured.getPeerCertificate();
  const read = raw === undefined ? undefined : certificateOf(raw);
  if (read === undefined) return 'it showed no certificate that can be read';
  // The chain was verified within the handshake, dates included; no session of before goes on.
  const facts = { ...read, verifyResult: 0, isResumed: false, verifiedChain: () => [] };
  const verifiedName = config.autoSanValidation ? name : undefined;
  return refusalOf(rules, { ...facts, verifiedName }, 0)?.reason;
}

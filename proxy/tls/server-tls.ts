// TLS of one filter chain: made of its configuration when the first connection comes, and anew when a secret has changed.
// Connections that have begun go on as they were.

import type { DownstreamTls } from '../../config/tls.ts';
import type { StapleOutcome } from '../../native/tls-choice.ts';
import type { TlsContext, TlsServerOptions } from '../../native/tls-context.ts';
import { TlsSession } from '../../native/tls-session.ts';
import type { TlsStats } from '../telemetry/tls-stats.ts';
import { TlsTransport } from '../transport/tls-transport.ts';
import { expiriesOf } from './expiry.ts';
import { PeerJudge } from './peer-judge.ts';
import {
  nativeParameters,
  type ResolvedTls,
  referencesOf,
  resolveTls,
  secretOf,
  type TlsProblem,
} from './resolved-tls.ts';
import type { TlsScope } from './tls-scope.ts';
import { trustOf } from './trust.ts';

export class ServerTls {
  readonly #config: DownstreamTls;
  readonly #scope: TlsScope;
  readonly #stats: TlsStats;
  readonly #name: string;
  #ready: Ready | undefined;

  constructor(config: DownstreamTls, { scope, stats, name }: { scope: TlsScope; stats: TlsStats; name: string }) {
    this.#config = config;
    this.#scope = scope;
    this.#stats = stats;
    this.#name = name;
  }

  /** Of an accepted socket, which becomes the transport's; a sentence when secrets are missing or cannot be used. */
  begin(fd: number): TlsTransport | string {
    const ready = this.#prepared();
    if ('reason' in ready) {
      if (ready.isWaiting) this.#stats.countContext('downstreamContextSecretsNotReady');
      return ready.reason;
    }
    const session = TlsSession.create(ready.context, fd);
    return typeof session === 'string' ? session : new TlsTransport(fd, session, ready.judge);
  }

  /** Open connections go on. */
  release(): void {
    this.#discard();
    this.#scope.forget(this);
    this.#stats.release();
  }

  /** For `TlsContexts`: keys of secrets. */
  uses(keys: ReadonlySet<string>): boolean {
    const { sessionTickets } = this.#config;
    if (sessionTickets.kind === 'keys' && keys.has(sessionTickets.keys.key)) return true;
    return referencesOf(this.#config).some(({ key }) => keys.has(key));
  }

  onSecretsChanged(): void {
    this.#discard();
  }

  #discard(): void {
    if (this.#ready !== undefined) this.#scope.pool.giveBack(this.#ready.key);
    this.#ready = undefined;
  }

  #prepared(): Ready | TlsProblem {
    if (this.#ready !== undefined) return this.#ready;
    const { secrets, pool, wallClock } = this.#scope;
    const resolved = resolveTls(this.#config, secrets);
    if ('reason' in resolved) return resolved;
    const options = this.#options(resolved);
    if ('reason' in options) return options;
    const key = this.#key(resolved);
    const context = pool.take(key, () => options);
    if (typeof context === 'string') {
      pool.giveBack(key);
      return { isWaiting: false, reason: context };
    }
    this.#stats.setExpiries(expiriesOf(this.#config, secrets));
    const judge = new PeerJudge({ rules: resolved.rules, stats: this.#stats, wallClock });
    this.#ready = { key, context, judge };
    return this.#ready;
  }

  // Everything that goes into the options. Sessions are for one listener, and so is what counts OCSP responses.
  #key({ validation }: ResolvedTls): string {
    const { secrets } = this.#scope;
    const { sessionTickets } = this.#config;
    const tickets = sessionTickets.kind === 'keys' ? secrets.digest(sessionTickets.keys.key) : sessionTickets.kind;
    const { certificates, parameters, alpnProtocols, requiresClientCertificate, sessionTimeoutMs } = this.#config;
    const { ocspStaplePolicy, fullScanCertsOnSniMismatch } = this.#config;
    return JSON.stringify([
      'server',
      this.#name,
      certificates.map(({ key }) => secrets.digest(key)),
      validation === undefined ? '' : this.#scope.digestOfTrust(validation),
      verificationOf(validation, this.#config),
      [parameters, alpnProtocols, requiresClientCertificate, tickets, sessionTimeoutMs],
      [ocspStaplePolicy, fullScanCertsOnSniMismatch],
    ]);
  }

  #options({ certificates, validation, rules }: ResolvedTls): TlsServerOptions | TlsProblem {
    const impossible = (reason: string): TlsProblem => ({ isWaiting: false, reason });
    const [identity, ...otherIdentities] = certificates;
    if (identity === undefined) return impossible('there is no certificate to show');
    if (rules === undefined && this.#config.requiresClientCertificate)
      return impossible('clients must have a certificate, and nothing says which are good');
    const trust = validation && trustOf(validation, this.#scope.wallClock);
    if (typeof trust === 'string') return impossible(trust);
    const keys = this.#ticketKeys(rules?.trustDomains?.size ?? 0);
    if (keys !== undefined && 'reason' in keys) return keys;
    const { alpnProtocols, parameters, sessionTimeoutMs, ocspStaplePolicy, fullScanCertsOnSniMismatch } = this.#config;
    return {
      ...nativeParameters(parameters),
      side: 'server',
      identity,
      otherIdentities,
      triesAllIdentities: fullScanCertsOnSniMismatch,
      staples: {
        kind: ocspStaplePolicy,
        wallClock: this.#scope.wallClock,
        onRequest: (outcome) => this.#onStaple(outcome),
      },
      ...verificationOf(rules === undefined ? undefined : validation, this.#config),
      trust,
      alpn: { protocols: alpnProtocols, otherwise: 'decline' },
      tickets: keys && { identity: this.#name, lifetimeMs: sessionTimeoutMs, ...keys },
    };
  }

  // A session that goes on has no chain to tell by which of several trust domains it was verified.
  #ticketKeys(trustDomains: number): { readonly keys?: () => readonly Uint8Array[] } | undefined | TlsProblem {
    const { sessionTickets } = this.#config;
    if (sessionTickets.kind === 'off' || trustDomains > 1) return undefined;
    if (sessionTickets.kind === 'own') return { keys: this.#scope.ownTicketKeys };
    const secret = secretOf(sessionTickets.keys, 'session-ticket-keys', this.#scope.secrets);
    return 'reason' in secret ? secret : { keys: () => secret.keys };
  }

  #onStaple(outcome: StapleOutcome): void {
    this.#stats.count('ocspStapleRequests');
    if (outcome === 'sent') this.#stats.count('ocspStapleResponses');
    else if (outcome === 'omitted') this.#stats.count('ocspStapleOmitted');
    else this.#stats.count('ocspStapleFailed');
  }
}

interface Ready {
  readonly key: string;
  readonly context: TlsContext;
  readonly judge: PeerJudge;
}

/** As Envoy: whom names or hashes are asked of must have a certificate, whether one is required or not. */
function verificationOf(
  validation: ResolvedTls['validation'],
  { requiresClientCertificate }: DownstreamTls,
): Pick<TlsServerOptions, 'verification' | 'acceptsUntrusted'> {
  if (validation === undefined) return { verification: 'none' };
  const { subjectAltNames, spkiHashes, certificateHashes, acceptsUntrusted = false, roots, trustDomains } = validation;
  const asks = subjectAltNames.length + spkiHashes.length + certificateHashes.length > 0 && !acceptsUntrusted;
  const hasRoots = roots !== undefined || trustDomains !== undefined;
  return {
    verification: requiresClientCertificate || asks ? 'required' : 'optional',
    acceptsUntrusted: acceptsUntrusted || !hasRoots,
  };
}

// TLS to the endpoints of one cluster: made of its configuration when the first connection begins, and anew when a secret has
// changed. Connections that have begun go on as they were.

import { isIP } from 'node:net';
import type { UpstreamTls } from '../../config/tls.ts';
import { remoteAddress } from '../../native/socket.ts';
import type { TlsClientOptions, TlsContext } from '../../native/tls-context.ts';
import { TlsSession } from '../../native/tls-session.ts';
import type { TlsStats } from '../telemetry/tls-stats.ts';
import { TlsTransport } from '../transport/tls-transport.ts';
import { expiriesOf } from './expiry.ts';
import { KeptSessions } from './kept-sessions.ts';
import { PeerJudge } from './peer-judge.ts';
import type { PeerRules } from './peer-rules.ts';
import { nativeParameters, type ResolvedTls, referencesOf, resolveTls, type TlsProblem } from './resolved-tls.ts';
import type { TlsScope } from './tls-scope.ts';
import { trustOf } from './trust.ts';

export interface ClientTlsOptions {
  /** SNI; empty, or an address: none is sent. */
  readonly serverName: string;
  /** What the certificate must be for, in place of the names of the configuration (`auto_san_validation`). */
  readonly verifiedName?: string;
  /** In place of what is configured. */
  readonly alpn?: readonly string[];
}

export class ClientTls {
  readonly #config: UpstreamTls;
  readonly #scope: TlsScope;
  readonly #stats: TlsStats;
  /** By what is offered by ALPN. */
  readonly #ready = new Map<string, Ready>();

  constructor(config: UpstreamTls, { scope, stats }: { scope: TlsScope; stats: TlsStats }) {
    this.#config = config;
    this.#scope = scope;
    this.#stats = stats;
  }

  /** Of a connected socket, which becomes the transport's; a sentence when secrets are missing or cannot be used. */
  begin(
    fd: number,
    { serverName, verifiedName, alpn = this.#config.alpnProtocols }: ClientTlsOptions,
  ): TlsTransport | string {
    const ready = this.#prepared(alpn);
    if ('reason' in ready) {
      if (ready.isWaiting) this.#stats.countContext('upstreamContextSecretsNotReady');
      return ready.reason;
    }
    if (verifiedName !== undefined && !ready.rules?.hasRoots)
      return 'the certificate must be for the name of the endpoint, and there are no roots by which it would be true';
    const session = TlsSession.create(ready.context, fd, isServerName(serverName) ? serverName : undefined);
    if (typeof session === 'string') return session;
    const { sessions, rules } = ready;
    const key = sessions === undefined ? '' : JSON.stringify([remoteAddress(fd), serverName, verifiedName]);
    sessions?.resume(key, session);
    const keeping = sessions && { sessions, key };
    return new TlsTransport(
      fd,
      session,
      new PeerJudge({ rules, stats: this.#stats, wallClock: this.#scope.wallClock, verifiedName, keeping }),
    );
  }

  /** Open connections go on. */
  release(): void {
    this.#discard();
    this.#scope.forget(this);
    this.#stats.release();
  }

  /** For `TlsContexts`: keys of secrets. */
  uses(keys: ReadonlySet<string>): boolean {
    return referencesOf(this.#config).some(({ key }) => keys.has(key));
  }

  onSecretsChanged(): void {
    this.#discard();
  }

  #discard(): void {
    for (const { key, sessions } of this.#ready.values()) {
      this.#scope.pool.giveBack(key);
      sessions?.close();
    }
    this.#ready.clear();
  }

  #prepared(alpn: readonly string[]): Ready | TlsProblem {
    const known = this.#ready.get(alpn.join('\0'));
    if (known !== undefined) return known;
    const { secrets, pool } = this.#scope;
    const resolved = resolveTls(this.#config, secrets);
    if ('reason' in resolved) return resolved;
    const options = this.#options(resolved, alpn);
    if ('reason' in options) return options;
    const key = this.#key(resolved, alpn);
    const context = pool.take(key, () => options);
    if (typeof context === 'string') {
      pool.giveBack(key);
      return { isWaiting: false, reason: context };
    }
    this.#stats.setExpiries(expiriesOf(this.#config, secrets));
    const { rules } = resolved;
    // What goes on has no chain to tell by which of several trust domains it was verified.
    const isKept = this.#config.maxSessionKeys > 0 && (rules?.trustDomains?.size ?? 0) <= 1;
    const sessions = isKept ? new KeptSessions(this.#config.maxSessionKeys) : undefined;
    const ready = { key, context, rules, sessions };
    this.#ready.set(alpn.join('\0'), ready);
    return ready;
  }

  // Names of peers are no part of it: they are judged for each connection, and differ from cluster to cluster.
  #key({ validation }: ResolvedTls, alpn: readonly string[]): string {
    const { secrets, digestOfTrust } = this.#scope;
    return JSON.stringify([
      'client',
      this.#config.certificates.map(({ key }) => secrets.digest(key)),
      validation === undefined ? '' : digestOfTrust(validation),
      this.#config.parameters,
      alpn,
    ]);
  }

  #options({ certificates, validation }: ResolvedTls, alpn: readonly string[]): TlsClientOptions | TlsProblem {
    const trust = validation && trustOf(validation, this.#scope.wallClock);
    if (typeof trust === 'string') return { isWaiting: false, reason: trust };
    const isVerified = trust !== undefined && !validation?.acceptsUntrusted;
    return {
      ...nativeParameters(this.#config.parameters),
      side: 'client',
      identity: certificates[0],
      trust,
      verification: isVerified ? 'required' : 'none',
      alpn,
    };
  }
}

interface Ready {
  readonly key: string;
  readonly context: TlsContext;
  readonly rules: PeerRules | undefined;
  /** Undefined: none are kept. */
  readonly sessions: KeptSessions | undefined;
}

/** RFC 6066 3: no addresses. */
function isServerName(name: string): boolean {
  return name !== '' && isIP(name) === 0 && !name.startsWith('[');
}

// TLS of one worker: who makes connections by which configuration, and the secrets that come and change beneath them.
//
// Nothing is made before a connection needs it: a mesh configures thousands of clusters of which a sidecar calls a few.

import { randomBytes } from 'node:crypto';
import type { Secret, ValidationContext } from '../../config/secret.ts';
import type { MapDelta } from '../../config/snapshot.ts';
import type { DownstreamTls, UpstreamTls } from '../../config/tls.ts';
import { forbidDumps } from '../../native/dumps.ts';
import { TlsStats } from '../telemetry/tls-stats.ts';
import type { WorkerStats } from '../telemetry/worker-stats.ts';
import { ClientTls } from './client-tls.ts';
import { ContextPool } from './context-pool.ts';
import { digestOfTrust, SecretStore } from './secret-store.ts';
import { ServerTls } from './server-tls.ts';
import { type Carried, spokenProtocols } from './spoken-protocols.ts';
import { TicketKeys } from './ticket-keys.ts';
import type { SecretUser, TlsScope } from './tls-scope.ts';

export interface TlsContextsOptions {
  readonly stats: WorkerStats;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** 32 random bytes that all workers of the process have, so that each takes the session tickets of the others. */
  readonly ticketSeed?: Uint8Array;
}

export class TlsContexts {
  readonly #stats: WorkerStats;
  readonly #scope: TlsScope;
  readonly #users = new Set<SecretUser>();

  constructor({ stats, wallClock, ticketSeed = randomBytes(32) }: TlsContextsOptions) {
    this.#stats = stats;
    const ticketKeys = new TicketKeys(ticketSeed, wallClock);
    const digests = new WeakMap<ValidationContext, string>();
    this.#scope = {
      secrets: new SecretStore(),
      pool: new ContextPool(),
      wallClock,
      ownTicketKeys: () => ticketKeys.current(),
      digestOfTrust: (validation) => {
        const digest = digests.get(validation) ?? digestOfTrust(validation);
        digests.set(validation, digest);
        return digest;
      },
      forget: (user) => this.#users.delete(user),
    };
  }

  /** What uses a changed secret is made anew for the handshakes from now on. */
  apply(secrets: MapDelta<Secret>): void {
    // Before a key is used. The process has read it a moment ago: one that ends there leaves it in a core file.
    if (secrets.set.length > 0) forbidDumps();
    const changed = new Set(this.#scope.secrets.apply(secrets));
    if (changed.size === 0) return;
    for (const user of this.#users) if (user.uses(changed)) user.onSecretsChanged();
  }

  /**
   * Of a filter chain; `listenerName` is what the listener's stats are under. `carries` says whether the chain reads requests,
   * or passes bytes on, with or without metadata in front. Released once.
   */
  server(config: DownstreamTls, listenerName: string, carries: Carried = 'http'): ServerTls {
    const alpnProtocols = spokenProtocols(config.alpnProtocols, carries);
    const stats = new TlsStats(this.#stats, 'listener', listenerName);
    const server = new ServerTls({ ...config, alpnProtocols }, { scope: this.#scope, stats, name: listenerName });
    this.#users.add(server);
    return server;
  }

  /** Of a cluster, or of a transport socket match of it. Released once. */
  client(config: UpstreamTls, clusterName: string): ClientTls {
    // Of HTTP. Connections that pass bytes on say themselves what they offer (`UpstreamTransport.forBytes`).
    const alpnProtocols = spokenProtocols(config.alpnProtocols, 'http');
    const client = new ClientTls(
      { ...config, alpnProtocols },
      {
        scope: this.#scope,
        stats: new TlsStats(this.#stats, 'cluster', clusterName),
      },
    );
    this.#users.add(client);
    return client;
  }

  /** How many native contexts there are. */
  get size(): number {
    return this.#scope.pool.size;
  }
}

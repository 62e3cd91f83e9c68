// TLS configurations and their secrets, and handshakes by them in one thread, for tests of proxy/tls/.

import type { Test } from 'tap';
import type { Secret, ValidationContext } from '../../config/secret.ts';
import type { DownstreamTls, SecretReference, UpstreamTls } from '../../config/tls.ts';
import { Errno } from '../../native/errno.ts';
import { setNoDelay } from '../../native/socket.ts';
import { StatsStore } from '../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../proxy/telemetry/worker-stats.ts';
import type { ClientTls, ClientTlsOptions } from '../../proxy/tls/client-tls.ts';
import type { ServerTls } from '../../proxy/tls/server-tls.ts';
import { TlsContexts, type TlsContextsOptions } from '../../proxy/tls/tls-contexts.ts';
import type { TlsTransport } from '../../proxy/transport/tls-transport.ts';
import { connectedPair } from './socket-pair.ts';
import type { IssuedIdentity } from './tls-fixtures.ts';

export const NOW_MS = Date.now();

export function reference(key: string): SecretReference {
  return { key, name: key, source: { kind: 'static' } };
}

const common = {
  parameters: {
    minVersion: '1.2',
    maxVersion: '1.3',
    cipherSuites: [],
    groups: ['X25519', 'P-256'],
    signatureAlgorithms: [],
  },
  alpnProtocols: [],
} as const;

/** Shows the secret `server`, judges by the secret `trust` and takes clients without a certificate. */
export function downstreamTls(changes: Partial<DownstreamTls> = {}): DownstreamTls {
  return {
    ...common,
    certificates: [reference('server')],
    validation: { secret: reference('trust') },
    requiresClientCertificate: false,
    sessionTickets: { kind: 'off' },
    sessionTimeoutMs: 0,
    ocspStaplePolicy: 'lenient',
    fullScanCertsOnSniMismatch: false,
    ...changes,
  };
}

/** Shows the secret `client` and judges by the secret `trust`. */
export function upstreamTls(changes: Partial<UpstreamTls> = {}): UpstreamTls {
  return {
    ...common,
    certificates: [reference('client')],
    validation: { secret: reference('trust') },
    sni: '',
    autoSni: false,
    autoHostSni: false,
    autoSanValidation: false,
    maxSessionKeys: 0,
    ...changes,
  };
}

export function validation(changes: Partial<ValidationContext> = {}): ValidationContext {
  return { subjectAltNames: [], spkiHashes: [], certificateHashes: [], ...changes };
}

export function certificateSecret(name: string, identity: IssuedIdentity, ocspStaple?: Uint8Array): Secret {
  const { certificateChain, privateKey } = identity;
  return { kind: 'certificate', name, certificateChain, privateKey, ...(ocspStaple && { ocspStaple }) };
}

export function trustSecret(name: string, changes: Partial<ValidationContext>): Secret {
  return { kind: 'validation-context', name, ...validation(changes) };
}

export interface TlsRig {
  readonly contexts: TlsContexts;
  readonly store: StatsStore;
  /** Each by its name. */
  give(...secrets: readonly Secret[]): void;
  take(...names: readonly string[]): void;
  /** The value of a stat, by its name in `/stats`. */
  stat(name: string): number | undefined;
}

export function tlsRig(options: Partial<TlsContextsOptions> = {}): TlsRig {
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(0, message));
  const contexts = new TlsContexts({ stats, wallClock: () => NOW_MS, ...options });
  return {
    contexts,
    store,
    give: (...secrets) =>
      contexts.apply({ set: secrets.map((secret): [string, Secret] => [secret.name, secret]), removed: [] }),
    take: (...names) => contexts.apply({ set: [], removed: names }),
    stat: (name) => {
      for (const group of store.groups())
        for (const [index, stat] of group.scope.stats.entries())
          if (group.prefix + stat.name === name) return group.value(index);
      return undefined;
    },
  };
}

export interface Met {
  readonly server: TlsTransport;
  readonly client: TlsTransport;
  /** What `establish` came to. */
  readonly results: readonly [number, number];
  /** Both ends; again, it does nothing. */
  readonly close: () => void;
}

/** One connection between the two, both ends closed with the test. Throws when one does not begin. */
export function meet(t: Test, { server, client, options = { serverName: '' }, pair = connectedPair() }: Meeting): Met {
  const [clientFd, serverFd] = pair;
  for (const fd of [clientFd, serverFd]) setNoDelay(fd, true);
  const [accepted, connected] = [server.begin(serverFd), client.begin(clientFd, options)];
  if (typeof accepted === 'string') throw new Error(`server: ${accepted}`);
  if (typeof connected === 'string') throw new Error(`client: ${connected}`);
  let isOpen = true;
  const close = (): void => {
    if (isOpen) for (const transport of [accepted, connected]) transport.close();
    isOpen = false;
  };
  t.teardown(close);
  const results: [number, number] = [-Errno.EAGAIN, -Errno.EAGAIN];
  for (let step = 0; step < 100 && results.includes(-Errno.EAGAIN); step++) {
    if (results[0] === -Errno.EAGAIN) results[0] = accepted.establish();
    if (results[1] === -Errno.EAGAIN) results[1] = connected.establish();
  }
  return { server: accepted, client: connected, results, close };
}

export interface Meeting {
  readonly server: Pick<ServerTls, 'begin'>;
  readonly client: Pick<ClientTls, 'begin'>;
  readonly options?: ClientTlsOptions;
  /** Connected sockets, the client's first. */
  readonly pair?: readonly [number, number];
}

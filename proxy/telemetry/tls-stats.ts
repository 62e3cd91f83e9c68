// What is counted of TLS, under Envoy's names: https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/stats#tls-statistics
//
// Ciphers, groups and versions are what peers choose among those that the library has: their names are those that are known
// here, and one for all others, so that no peer can make up a series.

import { counter, defineStats, gauge, type StatBlock, type StatSet } from './stats.ts';
import type { WorkerStats } from './worker-stats.ts';

const connectionStats = {
  connectionError: counter('connection_error'),
  handshake: counter('handshake'),
  sessionReused: counter('session_reused'),
  noCertificate: counter('no_certificate'),
  failVerifyNoCert: counter('fail_verify_no_cert'),
  failVerifyError: counter('fail_verify_error'),
  failVerifySan: counter('fail_verify_san'),
  failVerifyCertHash: counter('fail_verify_cert_hash'),
  ocspStapleFailed: counter('ocsp_staple_failed'),
  ocspStapleOmitted: counter('ocsp_staple_omitted'),
  ocspStapleResponses: counter('ocsp_staple_responses'),
  ocspStapleRequests: counter('ocsp_staple_requests'),
};

const factoryStats = {
  sslContextUpdateBySds: counter('ssl_context_update_by_sds'),
  upstreamContextSecretsNotReady: counter('upstream_context_secrets_not_ready'),
  downstreamContextSecretsNotReady: counter('downstream_context_secrets_not_ready'),
};

// The name itself is the last label.
const choiceStats = { total: counter('') };
const certificateStats = { expiration: gauge('expiration_unix_time_seconds', 'max') };

const listener = 'listener.{envoy_listener_address}';
const cluster = 'cluster.{envoy_cluster_name}';

export const listenerTlsStats = defineStats(`${listener}.ssl`, connectionStats);
export const clusterTlsStats = defineStats(`${cluster}.ssl`, connectionStats);
export const listenerTlsFactoryStats = defineStats(`${listener}.server_ssl_socket_factory`, factoryStats);
export const clusterTlsFactoryStats = defineStats(`${cluster}.client_ssl_socket_factory`, factoryStats);
const listenerCertificates = defineStats(`${listener}.ssl.certificate.{envoy_tls_certificate}`, certificateStats);
const clusterCertificates = defineStats(`${cluster}.ssl.certificate.{envoy_tls_certificate}`, certificateStats);

type ConnectionStat = keyof typeof connectionStats;
type FactoryStat = keyof typeof factoryStats;

/** What a handshake has come to. */
export interface AgreedParameters {
  /** As the RFCs have it. */
  readonly cipher: string | undefined;
  /** As OpenSSL has it; undefined where none was agreed on, as in a session that goes on. */
  readonly group: string | undefined;
  readonly version: string;
  /** With which scheme the peer has signed; undefined where it has not. */
  readonly signature: string | undefined;
}

interface Sets {
  readonly connections: typeof listenerTlsStats;
  readonly factory: typeof listenerTlsFactoryStats;
  readonly certificates: typeof listenerCertificates;
  readonly ciphers: StatSet;
  readonly versions: StatSet;
  readonly curves: StatSet;
  readonly signatures: StatSet;
}

const setsOf: Readonly<Record<'listener' | 'cluster', Sets>> = {
  listener: {
    connections: listenerTlsStats,
    factory: listenerTlsFactoryStats,
    certificates: listenerCertificates,
    ciphers: defineStats(`${listener}.ssl.ciphers.{envoy_ssl_cipher}`, choiceStats),
    versions: defineStats(`${listener}.ssl.versions.{envoy_ssl_version}`, choiceStats),
    curves: defineStats(`${listener}.ssl.curves.{envoy_ssl_curve}`, choiceStats),
    signatures: defineStats(`${listener}.ssl.sigalgs.{envoy_ssl_sigalg}`, choiceStats),
  },
  cluster: {
    connections: clusterTlsStats,
    factory: clusterTlsFactoryStats,
    certificates: clusterCertificates,
    ciphers: defineStats(`${cluster}.ssl.ciphers.{cipher_suite}`, choiceStats),
    versions: defineStats(`${cluster}.ssl.versions.{envoy_ssl_version}`, choiceStats),
    curves: defineStats(`${cluster}.ssl.curves.{envoy_ssl_curve}`, choiceStats),
    signatures: defineStats(`${cluster}.ssl.sigalgs.{envoy_ssl_sigalg}`, choiceStats),
  },
};

/** Of one listener or cluster, as one worker counts. Released once; handshakes that end after that are not counted. */
export class TlsStats {
  readonly #stats: WorkerStats;
  readonly #sets: Sets;
  readonly #name: string;
  #connections: StatBlock | null = null;
  #factory: StatBlock | null = null;
  readonly #choices = new Map<string, StatBlock>();
  readonly #certificates = new Map<string, StatBlock>();
  #isReleased = false;

  constructor(stats: WorkerStats, kind: 'listener' | 'cluster', name: string) {
    this.#stats = stats;
    this.#sets = setsOf[kind];
    this.#name = name;
    if (kind === 'listener') this.#begin();
  }

  count(stat: ConnectionStat): void {
    if (!this.#isReleased) this.#begin().connections.inc(listenerTlsStats[stat]);
  }

  countContext(stat: FactoryStat): void {
    if (!this.#isReleased) this.#begin().factory.inc(listenerTlsFactoryStats[stat]);
  }

  countAgreed({ cipher, group, version, signature }: AgreedParameters): void {
    if (this.#isReleased) return;
    this.#choice(this.#sets.ciphers, envoyCiphers.get(cipher ?? '') ?? OTHER).inc(0);
    this.#choice(this.#sets.versions, version).inc(0);
    if (group !== undefined) this.#choice(this.#sets.curves, envoyCurves.get(group.toLowerCase()) ?? OTHER).inc(0);
    if (signature !== undefined) this.#choice(this.#sets.signatures, signature).inc(0);
  }

  /** By names of the configuration: those of secrets. */
  setExpiries(expiriesMs: ReadonlyMap<string, number>): void {
    this.#begin();
    for (const [name, expiryMs] of expiriesMs) {
      const block = this.#certificates.get(name) ?? this.#stats.block(this.#sets.certificates, this.#name, name);
      this.#certificates.set(name, block);
      block.set(listenerCertificates.expiration, Math.floor(expiryMs / 1000));
    }
  }

  release(): void {
    this.#isReleased = true;
    for (const block of [...this.#choices.values(), ...this.#certificates.values()]) this.#stats.release(block);
    if (this.#connections !== null) this.#stats.release(this.#connections);
    if (this.#factory !== null) this.#stats.release(this.#factory);
  }

  // A mesh has thousands of clusters with TLS, and a sidecar calls a few: those have none before.
  #begin(): { readonly connections: StatBlock; readonly factory: StatBlock } {
    const connections = this.#connections ?? this.#stats.block(this.#sets.connections, this.#name);
    const factory = this.#factory ?? this.#stats.block(this.#sets.factory, this.#name);
    this.#connections = connections;
    this.#factory = factory;
    return { connections, factory };
  }

  #choice(set: StatSet, name: string): StatBlock {
    const key = `${set.scope.template} ${name}`;
    let block = this.#choices.get(key);
    if (block === undefined) {
      block = this.#stats.block(set, this.#name, name);
      this.#choices.set(key, block);
    }
    return block;
  }
}

const OTHER = 'other';

/** Those of TLS 1.2 have a name of OpenSSL's in Envoy. */
const envoyCiphers: ReadonlyMap<string, string> = new Map([
  ...['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'].map(
    (name): [string, string] => [name, name],
  ),
  ...['ECDSA', 'RSA'].flatMap((kind): [string, string][] => [
    [`TLS_ECDHE_${kind}_WITH_AES_128_GCM_SHA256`, `ECDHE-${kind}-AES128-GCM-SHA256`],
    [`TLS_ECDHE_${kind}_WITH_AES_256_GCM_SHA384`, `ECDHE-${kind}-AES256-GCM-SHA384`],
    [`TLS_ECDHE_${kind}_WITH_CHACHA20_POLY1305_SHA256`, `ECDHE-${kind}-CHACHA20-POLY1305`],
    [`TLS_ECDHE_${kind}_WITH_AES_128_CBC_SHA`, `ECDHE-${kind}-AES128-SHA`],
    [`TLS_ECDHE_${kind}_WITH_AES_256_CBC_SHA`, `ECDHE-${kind}-AES256-SHA`],
  ]),
  ['TLS_RSA_WITH_AES_128_GCM_SHA256', 'AES128-GCM-SHA256'],
  ['TLS_RSA_WITH_AES_256_GCM_SHA384', 'AES256-GCM-SHA384'],
  ['TLS_RSA_WITH_AES_128_CBC_SHA', 'AES128-SHA'],
  ['TLS_RSA_WITH_AES_256_CBC_SHA', 'AES256-SHA'],
]);

/** By OpenSSL's names in lower case. */
const envoyCurves: ReadonlyMap<string, string> = new Map([
  ['x25519mlkem768', 'X25519MLKEM768'],
  ['x25519', 'X25519'],
  ['secp256r1', 'P-256'],
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp521r1', 'P-521'],
]);

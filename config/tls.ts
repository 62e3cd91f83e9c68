// TLS of listeners and clusters: what a filter chain shows and asks of its clients, and a cluster of its endpoints
// (`extensions.transport_sockets.tls.v3`). Keys and certificates are not in here but named: they rotate on their own.

import type { ConfigSource } from './config-source.ts';
import type { ValidationContext } from './secret.ts';
import type { WrittenSecret } from './written-secret.ts';

/** What both sides have in common (`CommonTlsContext`). */
export interface CommonTls {
  readonly parameters: TlsParameters;
  /** Own certificates; a server chooses among them by SNI and by the kind of key. Empty: a client shows none. */
  readonly certificates: readonly SecretReference[];
  /** How the peer's certificate is judged; undefined: not at all. */
  readonly validation?: PeerValidation;
  /** In the order of preference. */
  readonly alpnProtocols: readonly string[];
}

/** `DownstreamTlsContext`. */
export interface DownstreamTls extends CommonTls {
  /** Otherwise a client may do without a certificate; one that it shows must be good all the same. */
  readonly requiresClientCertificate: boolean;
  /** Whether clients may resume, and by which keys: random ones of this process, or those of a secret. */
  readonly sessionTickets:
    | { readonly kind: 'off' }
    | { readonly kind: 'own' }
    | { readonly kind: 'keys'; readonly keys: SecretReference };
  /** How long a session can be resumed; 0 is OpenSSL's default. */
  readonly sessionTimeoutMs: number;
  readonly ocspStaplePolicy: 'lenient' | 'strict' | 'must-staple';
  /**
   * Whom no certificate is for by SNI is shown the one of all that suits its handshake best, such as its kinds of keys;
   * otherwise the first.
   */
  readonly fullScanCertsOnSniMismatch: boolean;
}

/** `UpstreamTlsContext`. */
export interface UpstreamTls extends CommonTls {
  /** Empty: none is sent, unless `autoSni` says so. */
  readonly sni: string;
  /** SNI from the host of the request, if there is one (`auto_sni` of `UpstreamHttpProtocolOptions`). */
  readonly autoSni: boolean;
  /** Otherwise SNI from the endpoint's host name, if it has one (`auto_host_sni`). */
  readonly autoHostSni: boolean;
  /**
   * The certificate must be for the name that is sent as SNI, in place of `subjectAltNames` (`auto_sni_san_validation`, and
   * `auto_san_validation` of `UpstreamHttpProtocolOptions`).
   */
  readonly autoSanValidation: boolean;
  /** Sessions that are kept to be resumed, for each endpoint and identity; 0 is none. Envoy's default is 1. */
  readonly maxSessionKeys: number;
}

export interface TlsParameters {
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** Of TLS 1.2, in OpenSSL's words; empty: those that Envoy has by default. */
  readonly cipherSuites: readonly string[];
  /** Groups of the key exchange, in OpenSSL's words; empty: X25519MLKEM768 where the library has it, X25519, P-256. */
  readonly groups: readonly string[];
  /** In OpenSSL's words, in the order of preference; empty: its own. */
  readonly signatureAlgorithms: readonly string[];
}

export type TlsVersion = '1.2' | '1.3';

/** Where a secret is: in the snapshot's `secrets`, under `key`, once it has come. */
export interface SecretReference {
  /** Of the snapshot; the same name from another source has another one. */
  readonly key: string;
  /** As the source has it. */
  readonly name: string;
  readonly source: SecretSource;
}

export type SecretSource =
  /** Written where it is used: it is in the snapshot from the start. */
  | { readonly kind: 'inline'; readonly secret: WrittenSecret }
  /** One of the bootstrap's (`static_resources.secrets`): it is in the snapshot from the start. */
  | { readonly kind: 'static' }
  | { readonly kind: 'sds'; readonly config: ConfigSource };

/** `validation_context`, `validation_context_sds_secret_config`, or both (`combined_validation_context`). */
export interface PeerValidation {
  /** What is merged into by what the secret says (`default_validation_context`): see `mergeValidationContexts`. */
  readonly own?: ValidationContext;
  /** A secret of kind `validation-context`. */
  readonly secret?: SecretReference;
}

// Secrets: certificates with their keys, what peers are judged by, keys of session tickets, and others
// (`extensions.transport_sockets.tls.v3.Secret`). Never logged, cached on disk or shown.

import type { StringMatcher } from './matcher.ts';

export type Secret = { readonly name: string } & (
  | CertificateSecret
  | ({ readonly kind: 'validation-context' } & ValidationContext)
  /** 80 bytes each; the first makes new tickets, all open old ones. */
  | { readonly kind: 'session-ticket-keys'; readonly keys: readonly Uint8Array[] }
  | { readonly kind: 'generic'; readonly value: Uint8Array }
);

export interface CertificateSecret {
  readonly kind: 'certificate';
  /** PEM, the own certificate first. */
  readonly certificateChain: string;
  /** PEM. */
  readonly privateKey: string;
  /** Of the private key. */
  readonly password?: string;
  /** DER, shown to clients that ask for it. */
  readonly ocspStaple?: Uint8Array;
}

/** `CertificateValidationContext`. */
export interface ValidationContext {
  /** Certificates that are trusted: PEM, or those of the system; undefined: the chain is not verified. */
  readonly roots?: { readonly kind: 'pem'; readonly pem: string } | { readonly kind: 'system' };
  /** PEM. */
  readonly revocationLists?: string;
  /** Otherwise issuers must have one as well. */
  readonly onlyVerifiesLeafRevocation?: boolean;
  /** One must match; empty: any name will do. */
  readonly subjectAltNames: readonly SubjectAltNameMatcher[];
  /** SHA-256 of the public key, base64, and of the certificate, lower-case hex without colons: one of all must match. */
  readonly spkiHashes: readonly string[];
  readonly certificateHashes: readonly string[];
  readonly allowsExpired?: boolean;
  /** `ACCEPT_UNTRUSTED`: a chain that does not verify is let in, and is not an identity. */
  readonly acceptsUntrusted?: boolean;
  readonly maxVerifyDepth?: number;
  /**
   * `envoy.tls.cert_validator.spiffe`: the peer's trust domain chooses the roots. In place of `roots`.
   */
  readonly trustDomains?: readonly { readonly name: string; readonly roots: string }[];
}

/** Of a `SubjectAltNameMatcher`; `any` is the older spelling without a type. */
export type SubjectAltNameMatcher = SubjectAltNameType & { readonly matcher: StringMatcher };

export type SubjectAltNameType =
  | { readonly type: 'dns' | 'uri' | 'ip-address' | 'email' | 'any' }
  /** With dots: `1.3.6.1.4.1.311.20.2.3`. */
  | { readonly type: 'other-name'; readonly oid: string };

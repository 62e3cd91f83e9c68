// Secrets as they are written: where each of their parts is, so that they can be read again when files move. What is read is
// a `Secret`.

import type { ValidationContext } from './secret.ts';

export type WrittenSecret = {
  readonly name: string;
  /** When something moves in one of them, files are read again. */
  readonly watchedDirectories: readonly string[];
} & (
  | WrittenCertificate
  | WrittenValidation
  | { readonly kind: 'session-ticket-keys'; readonly keys: readonly SecretPart[] }
  | { readonly kind: 'generic'; readonly value: SecretPart }
);

/** `TlsCertificate`. */
export interface WrittenCertificate {
  readonly kind: 'certificate';
  readonly certificateChain: SecretPart;
  readonly privateKey: SecretPart;
  readonly password?: SecretPart;
  readonly ocspStaple?: SecretPart;
}

/** `CertificateValidationContext`. */
export interface WrittenValidation {
  readonly kind: 'validation-context';
  readonly roots?: { readonly kind: 'pem'; readonly pem: SecretPart } | { readonly kind: 'system' };
  readonly revocationLists?: SecretPart;
  readonly trustDomains?: readonly { readonly name: string; readonly roots: SecretPart }[];
  /** What is no text of its own. */
  readonly rules: Omit<ValidationContext, 'roots' | 'revocationLists' | 'trustDomains'>;
}

/** `config.core.v3.DataSource`. */
export type SecretPart =
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'environment'; readonly variable: string };

// A TLS configuration with the secrets that it names: what native contexts and rules for peers are made of.

import type { CertificateSecret, Secret, ValidationContext } from '../../config/secret.ts';
import type { CommonTls, PeerValidation, SecretReference, TlsParameters } from '../../config/tls.ts';
import { mergeValidationContexts } from '../../config/validation-merge.ts';
import { type TlsParameters as NativeParameters, TlsVersion } from '../../native/tls-context.ts';
import { compilePeerRules, type PeerRules } from './peer-rules.ts';
import type { SecretStore } from './secret-store.ts';

export interface ResolvedTls {
  readonly certificates: readonly (CertificateSecret & { readonly name: string })[];
  /** Undefined: peers are not judged. */
  readonly validation: ValidationContext | undefined;
  readonly rules: PeerRules | undefined;
}

/** Why a configuration cannot be used. */
export interface TlsProblem {
  /** A secret has not come yet: it may still. */
  readonly isWaiting: boolean;
  /** A sentence. */
  readonly reason: string;
}

export type Secrets = Pick<SecretStore, 'get' | 'problem'>;

export function resolveTls({ certificates, validation }: CommonTls, secrets: Secrets): ResolvedTls | TlsProblem {
  const found: ResolvedTls['certificates'][number][] = [];
  for (const reference of certificates) {
    const secret = secretOf(reference, 'certificate', secrets);
    if ('reason' in secret) return secret;
    found.push(secret);
  }
  const merged = validation && mergedValidation(validation, secrets);
  if (merged !== undefined && 'reason' in merged) return merged;
  const rules = merged && compilePeerRules(merged);
  if (typeof rules === 'string') return { isWaiting: false, reason: rules };
  return { certificates: found, validation: merged, rules };
}

/** The secret under a reference, when it has come and is of that kind. */
export function secretOf<K extends Secret['kind']>(
  { key, name }: SecretReference,
  kind: K,
  secrets: Secrets,
): Extract<Secret, { kind: K }> | TlsProblem {
  const secret = secrets.get(key);
  if (secret === undefined) {
    const problem = secrets.problem(key);
    if (problem !== undefined) return { isWaiting: false, reason: `the secret ${name} cannot be used: ${problem}` };
    return { isWaiting: true, reason: `the secret ${name} has not come` };
  }
  if (secret.kind !== kind)
    return { isWaiting: false, reason: `the secret ${name} is a ${secret.kind}, and no ${kind}` };
  return secret as Extract<Secret, { kind: K }>;
}

/** Every secret that a configuration names. */
export function referencesOf({ certificates, validation }: CommonTls): readonly SecretReference[] {
  return validation?.secret === undefined ? certificates : [...certificates, validation.secret];
}

export function nativeParameters(parameters: TlsParameters): NativeParameters {
  const { minVersion, maxVersion, cipherSuites, groups, signatureAlgorithms } = parameters;
  return {
    minVersion: versionOf(minVersion),
    maxVersion: versionOf(maxVersion),
    ciphers: cipherSuites.length === 0 ? DEFAULT_CIPHERS : cipherSuites.join(':'),
    cipherSuites: CIPHER_SUITES,
    groups: groups.length === 0 ? DEFAULT_GROUPS : groups.join(':'),
    signatureAlgorithms: signatureAlgorithms.length === 0 ? undefined : signatureAlgorithms.join(':'),
  };
}

function mergedValidation(
  { own, secret }: PeerValidation,
  secrets: Secrets,
): ValidationContext | TlsProblem | undefined {
  if (secret === undefined) return own;
  const found = secretOf(secret, 'validation-context', secrets);
  if ('reason' in found || own === undefined) return found;
  return mergeValidationContexts(own, found);
}

function versionOf(version: TlsParameters['minVersion']): (typeof TlsVersion)[keyof typeof TlsVersion] {
  return version === '1.3' ? TlsVersion.tls13 : TlsVersion.tls12;
}

// Envoy's, in its order.
const DEFAULT_CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
].join(':');
// Of TLS 1.3, in Envoy's order: AES-128 first, whose key schedule hashes with SHA-256. OpenSSL's own order begins with AES-256 and
// SHA-384, for which processors have no instructions: 8 % of the CPU of a mutual handshake.
const CIPHER_SUITES = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';
// A star: a client sends its share at once, of both, so that nobody who has only the second costs a round trip.
const DEFAULT_GROUPS = '?*X25519MLKEM768:*X25519:P-256';

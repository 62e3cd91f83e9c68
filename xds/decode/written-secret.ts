// Secrets as messages have them, to where their parts are (`TlsCertificate`, `CertificateValidationContext`,
// `TlsSessionTicketKeys`). What is in the parts is read and checked elsewhere: `secret-loading.ts`.

import { dirname } from 'node:path';
import type { Problems } from '../../config/problems.ts';
import type { SecretPart, WrittenSecret } from '../../config/written-secret.ts';
import type {
  CertificateValidationContext,
  DataSource,
  GenericSecret,
  TlsCertificate,
  TlsSessionTicketKeys,
} from '../generated/messages.ts';
import { given } from './given.ts';
import { decodeSecretPart } from './secret-part.ts';
import { decodeTrustDomains, decodeValidationRules } from './validation-rules.ts';

export interface WrittenPlace {
  readonly name: string;
  /**
   * Without a `watched_directory`, files are read again when something moves in their own folders: so for secrets that
   * come by SDS, in Envoy too.
   */
  readonly watchesFiles: boolean;
}

/** Undefined when a part is missing (recorded). */
export function decodeWrittenCertificate(
  message: TlsCertificate,
  place: WrittenPlace,
  problems: Problems,
): WrittenSecret | undefined {
  const certificateChain = message.certificateChain && decodeSecretPart(message.certificateChain);
  const privateKey = message.privateKey && decodeSecretPart(message.privateKey);
  const password = message.password && decodeSecretPart(message.password);
  const ocspStaple = message.ocspStaple && decodeSecretPart(message.ocspStaple);
  if (certificateChain === undefined) problems.at('certificate_chain').add('certificate_chain is required');
  if (privateKey === undefined) problems.at('private_key').add('private_key is required');
  if (message.ocspStaple?.inlineString !== undefined) {
    problems.at('ocsp_staple').unsupported('text', 'it is DER: write inline_bytes or filename');
  }
  if (certificateChain === undefined || privateKey === undefined) return undefined;
  const parts = [certificateChain, privateKey, password, ocspStaple];
  return {
    kind: 'certificate',
    name: place.name,
    certificateChain,
    privateKey,
    ...given('password', password),
    ...given('ocspStaple', ocspStaple),
    watchedDirectories: foldersOf(message.watchedDirectory?.path, parts, place),
  };
}

export function decodeWrittenValidation(
  message: CertificateValidationContext,
  place: WrittenPlace,
  problems: Problems,
): WrittenSecret {
  const pem = message.trustedCa && decodeSecretPart(message.trustedCa);
  const revocationLists = message.crl && decodeSecretPart(message.crl);
  const trustDomains =
    message.customValidatorConfig && decodeTrustDomains(message, problems.at('custom_validator_config'));
  if (pem !== undefined && message.systemRootCerts !== undefined) {
    problems.at('system_root_certs').add('may not be set together with trusted_ca');
  }
  const parts = [pem, revocationLists, ...(trustDomains ?? []).map(({ roots }) => roots)];
  return {
    kind: 'validation-context',
    name: place.name,
    ...(pem !== undefined && { roots: { kind: 'pem', pem } }),
    ...(pem === undefined && message.systemRootCerts !== undefined && { roots: { kind: 'system' } }),
    ...given('revocationLists', revocationLists),
    ...given('trustDomains', trustDomains),
    rules: decodeValidationRules(message, problems),
    watchedDirectories: foldersOf(message.watchedDirectory?.path, parts, place),
  };
}

export function decodeWrittenTicketKeys({ keys = [] }: TlsSessionTicketKeys, place: WrittenPlace): WrittenSecret {
  const parts = keys.map(decodeSecretPart).filter((part) => part !== undefined);
  return {
    kind: 'session-ticket-keys',
    name: place.name,
    keys: parts,
    watchedDirectories: foldersOf(undefined, parts, place),
  };
}

/** Undefined when it has no value (recorded). */
export function decodeWrittenGeneric(
  { secret }: GenericSecret,
  place: WrittenPlace,
  problems: Problems,
): WrittenSecret | undefined {
  const value: SecretPart | undefined = secret && decodeSecretPart(secret as DataSource);
  if (value === undefined) problems.at('secret').add('secret is required');
  return (
    value && { kind: 'generic', name: place.name, value, watchedDirectories: foldersOf(undefined, [value], place) }
  );
}

function foldersOf(
  watched: string | undefined,
  parts: readonly (SecretPart | undefined)[],
  { watchesFiles }: WrittenPlace,
): readonly string[] {
  const files = parts.filter((part) => part?.kind === 'file');
  if (files.length === 0) return [];
  if (watched !== undefined) return [watched];
  return watchesFiles ? [...new Set(files.map(({ path }) => dirname(path)))] : [];
}

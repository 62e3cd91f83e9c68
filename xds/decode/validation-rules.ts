// What a peer's certificate must be like, beside being signed by those who are trusted (`CertificateValidationContext`).

import type { Problems } from '../../config/problems.ts';
import type { SubjectAltNameMatcher, SubjectAltNameType } from '../../config/secret.ts';
import type { WrittenValidation } from '../../config/written-secret.ts';
import type {
  CertificateValidationContext,
  SubjectAltNameMatcher as MatcherMessage,
  SPIFFECertValidatorConfig,
} from '../generated/messages.ts';
import { extensionType } from './extension.ts';
import { decodeStringMatcher } from './matcher.ts';
import { decodeSecretPart } from './secret-part.ts';

export function decodeValidationRules(
  message: CertificateValidationContext,
  problems: Problems,
): WrittenValidation['rules'] {
  return {
    subjectAltNames: decodeSubjectAltNames(message, problems),
    spkiHashes: decodeSpkiHashes(message.verifyCertificateSpki, problems.at('verify_certificate_spki')),
    certificateHashes: decodeCertificateHashes(message.verifyCertificateHash, problems.at('verify_certificate_hash')),
    ...(message.onlyVerifyLeafCertCrl === true && { onlyVerifiesLeafRevocation: true }),
    ...(message.allowExpiredCertificate === true && { allowsExpired: true }),
    ...(message.trustChainVerification === 'ACCEPT_UNTRUSTED' && { acceptsUntrusted: true }),
    ...(message.maxVerifyDepth !== undefined && { maxVerifyDepth: message.maxVerifyDepth }),
  };
}

const spiffe = 'envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig';
const validator = { what: 'certificate validator', known: [spiffe] } as const;

/** Of `custom_validator_config`, at which `problems` are. */
export function decodeTrustDomains(
  { customValidatorConfig }: CertificateValidationContext,
  problems: Problems,
): WrittenValidation['trustDomains'] {
  if (extensionType(customValidatorConfig!, validator, problems) === undefined) return undefined;
  const place = problems.at('typed_config').at('trust_domains');
  const { trustDomains = [] } = customValidatorConfig!.typedConfig!.message as SPIFFECertValidatorConfig;
  const domains = new Map<string, NonNullable<WrittenValidation['trustDomains']>[number]>();
  for (const [index, { name = '', trustBundle }] of trustDomains.entries()) {
    const roots = trustBundle && decodeSecretPart(trustBundle);
    if (roots === undefined) place.item(index).at('trust_bundle').add('trust_bundle is required');
    if (domains.has(name))
      place
        .item(index)
        .at('name')
        .add(`${JSON.stringify(name)} is a trust domain of another bundle`);
    if (name.includes('://')) place.item(index).at('name').add('is the name alone, such as cluster.local');
    if (roots !== undefined) domains.set(name, { name, roots });
  }
  return [...domains.values()];
}

const types = { EMAIL: 'email', DNS: 'dns', URI: 'uri', IP_ADDRESS: 'ip-address' } as const;

/** A matcher without a type, which is the older spelling, is for a name of any type. */
function decodeSubjectAltNames(
  message: CertificateValidationContext,
  problems: Problems,
): readonly SubjectAltNameMatcher[] {
  const names: SubjectAltNameMatcher[] = [];
  for (const [index, each] of (message.matchTypedSubjectAltNames ?? []).entries()) {
    const place = problems.at('match_typed_subject_alt_names').item(index);
    const type = decodeType(each, place);
    const matcher = each.matcher && decodeStringMatcher(each.matcher, place.at('matcher'));
    if (type !== undefined && matcher !== undefined) names.push({ ...type, matcher });
  }
  for (const [index, each] of (message.matchSubjectAltNames ?? []).entries()) {
    const matcher = decodeStringMatcher(each, problems.at('match_subject_alt_names').item(index));
    if (matcher !== undefined) names.push({ type: 'any', matcher });
  }
  return names;
}

/** `oid` says nothing of other types. */
function decodeType({ sanType, oid = '' }: MatcherMessage, problems: Problems): SubjectAltNameType | undefined {
  if (sanType !== undefined && sanType in types) return { type: types[sanType as keyof typeof types] };
  if (sanType === 'OTHER_NAME') {
    if (OID.test(oid)) return { type: 'other-name', oid };
    problems
      .at('oid')
      .add('must be an object identifier, such as 1.3.6.1.4.1.311.20.2.3, for names of type OTHER_NAME');
  } else {
    problems.at('san_type').add(`san_type must be one of ${[...Object.keys(types), 'OTHER_NAME'].join(', ')}`);
  }
  return undefined;
}

/** In numbers: its names are others in each library. */
const OID = /^[0-2](\.(0|[1-9]\d*))+$/;

/** `openssl … -pubkey | openssl … -outform DER | openssl dgst -sha256 -binary | openssl enc -base64`. */
function decodeSpkiHashes(hashes: readonly string[] | undefined, problems: Problems): readonly string[] {
  for (const [index, hash] of (hashes ?? []).entries()) {
    const bytes = Buffer.from(hash, 'base64');
    if (bytes.length !== 32 || bytes.toString('base64') !== hash) {
      problems.item(index).add('must be the base64 of a SHA-256, 44 characters');
    }
  }
  return hashes ?? [];
}

/** With or without colons. */
function decodeCertificateHashes(hashes: readonly string[] | undefined, problems: Problems): readonly string[] {
  const found: string[] = [];
  for (const [index, hash] of (hashes ?? []).entries()) {
    if (/^(?:[0-9a-f]{64}|[0-9a-f]{2}(?::[0-9a-f]{2}){31})$/i.test(hash)) {
      found.push(hash.replaceAll(':', '').toLowerCase());
    } else problems.item(index).add('must be a SHA-256 in hexadecimal, 64 digits with or without colons');
  }
  return found;
}

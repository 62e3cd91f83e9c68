// TLS of connections of our own (`extensions.transport_sockets.tls.v3.UpstreamTlsContext`). A peer is always verified, and
// what connections to endpoints have and these do not is refused.

import type { GrpcTls } from '../../config/config-source.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  CertificateValidationContext,
  StringMatcher,
  SubjectAltNameMatcher,
  TlsCertificate,
  UpstreamTlsContext,
} from '../generated/messages.ts';
import { decodeSecretText } from './data-source.ts';
import { given } from './given.ts';
import { decodeStringMatcher } from './matcher.ts';

export function decodeGrpcTls(message: UpstreamTlsContext, problems: Problems): GrpcTls {
  refuseSet(message, notOfContext, problems);
  refuseSet(message.commonTlsContext, notOfCommon, problems.at('common_tls_context'));
  const { tlsCertificates = [], validationContext } = message.commonTlsContext ?? {};
  const place = problems.at('common_tls_context');
  const [certificate, second] = tlsCertificates;
  if (second !== undefined) place.at('tls_certificates').unsupported('more than one certificate');
  return {
    ...decodeValidation(validationContext, place.at('validation_context')),
    ...(certificate && decodeCertificate(certificate, place.at('tls_certificates').item(0))),
    ...given('sni', message.sni),
  };
}

/** Without one Envoy would take any certificate. Here that is refused, not quietly made strict. */
function decodeValidation(
  message: CertificateValidationContext | undefined,
  problems: Problems,
): Pick<GrpcTls, 'roots' | 'subjectAltNames'> {
  refuseSet(message, notOfValidation, problems);
  const roots = message?.trustedCa && decodeSecretText(message.trustedCa);
  if (roots === undefined && message?.systemRootCerts === undefined) {
    problems.add('trusted_ca or system_root_certs is required: without it any certificate would be trusted');
  }
  return { ...given('roots', roots), subjectAltNames: decodeNames(message, problems) };
}

type Names = GrpcTls['subjectAltNames'];
type NameType = Names[number]['type'];

const nameTypes = { EMAIL: 'email', DNS: 'dns', URI: 'uri', IP_ADDRESS: 'ip-address' } as const;

/** A matcher without a type, which is the older spelling, is for a name of any type. */
function decodeNames(message: CertificateValidationContext | undefined, problems: Problems): Names {
  const names: { type: NameType; value: string }[] = [];
  for (const [index, matcher] of (message?.matchTypedSubjectAltNames ?? []).entries()) {
    const place = problems.at('match_typed_subject_alt_names').item(index);
    const type = decodeNameType(matcher, place.at('san_type'));
    const value = exactName(matcher.matcher, place.at('matcher'));
    if (type !== undefined && value !== undefined) names.push({ type, value });
  }
  for (const [index, matcher] of (message?.matchSubjectAltNames ?? []).entries()) {
    const value = exactName(matcher, problems.at('match_subject_alt_names').item(index));
    if (value !== undefined) names.push(...Object.values(nameTypes).map((type) => ({ type, value })));
  }
  return names;
}

function decodeNameType({ sanType }: SubjectAltNameMatcher, problems: Problems): NameType | undefined {
  if (sanType !== undefined && sanType in nameTypes) return nameTypes[sanType as keyof typeof nameTypes];
  problems.add(`san_type must be one of ${Object.keys(nameTypes).join(', ')}`);
  return undefined;
}

function exactName(message: StringMatcher | undefined, problems: Problems): string | undefined {
  const matcher = message && decodeStringMatcher(message, problems);
  if (matcher === undefined) return undefined;
  if (matcher.kind === 'exact' && !matcher.ignoreCase) return matcher.value;
  problems.unsupported('a matcher other than exact', 'write the name itself');
  return undefined;
}

function decodeCertificate(
  message: TlsCertificate,
  problems: Problems,
): Pick<GrpcTls, 'certificateChain' | 'privateKey'> {
  const { certificateChain, privateKey } = message;
  refuseSet(message, notOfCertificate, problems);
  if (certificateChain === undefined || privateKey === undefined) {
    problems.add('certificate_chain and private_key belong together');
  }
  return {
    ...given('certificateChain', certificateChain && decodeSecretText(certificateChain)),
    ...given('privateKey', privateKey && decodeSecretText(privateKey)),
  };
}

/** Fields by their key in memory: the name in the proto file, and what to write instead. */
interface Refused {
  readonly [key: string]: readonly [name: string, why: string];
}

const inPlace = 'write the certificates in place or name their files';
const byNames = 'write match_typed_subject_alt_names';
const unrevoked = 'revocation lists are not read';

const notOfContext: Refused = {
  autoHostSni: ['auto_host_sni', 'write sni'],
  autoSniSanValidation: ['auto_sni_san_validation', byNames],
};

const notOfCommon: Refused = {
  tlsParams: ['tls_params', 'TLS 1.2 or later is spoken, with the ciphers of Node.js'],
  tlsCertificateSdsSecretConfigs: ['tls_certificate_sds_secret_configs', inPlace],
  validationContextSdsSecretConfig: ['validation_context_sds_secret_config', inPlace],
  combinedValidationContext: ['combined_validation_context', inPlace],
};

const notOfCertificate: Refused = {
  password: ['password', 'write a key without a password, in a file that only this process may read'],
  ocspStaple: ['ocsp_staple', 'it is for servers'],
};

const notOfValidation: Refused = {
  verifyCertificateSpki: ['verify_certificate_spki', byNames],
  verifyCertificateHash: ['verify_certificate_hash', byNames],
  crl: ['crl', unrevoked],
  onlyVerifyLeafCertCrl: ['only_verify_leaf_cert_crl', unrevoked],
  allowExpiredCertificate: ['allow_expired_certificate', 'expired certificates are never taken'],
  trustChainVerification: ['trust_chain_verification', 'certificates are always verified'],
  customValidatorConfig: ['custom_validator_config', byNames],
  maxVerifyDepth: ['max_verify_depth', 'the depth of OpenSSL applies'],
};

/** What is set to its default says nothing. */
const defaults: ReadonlySet<unknown> = new Set([undefined, false, 'VERIFY_TRUST_CHAIN']);

function refuseSet(message: object | undefined, refused: Refused, problems: Problems): void {
  for (const [key, value] of Object.entries(message ?? {})) {
    const row = refused[key];
    if (row === undefined || defaults.has(value)) continue;
    const [name, why] = row;
    problems.at(name).unsupported(`${name} of a cluster of calls`, why);
  }
}

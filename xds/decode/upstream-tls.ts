// TLS of connections of our own (`extensions.transport_sockets.tls.v3.UpstreamTlsContext`). A peer is always verified.

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

export function decodeUpstreamTls(message: UpstreamTlsContext, problems: Problems): GrpcTls {
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
  { certificateChain, privateKey }: TlsCertificate,
  problems: Problems,
): Pick<GrpcTls, 'certificateChain' | 'privateKey'> {
  if (certificateChain === undefined || privateKey === undefined) {
    problems.add('certificate_chain and private_key belong together');
  }
  return {
    ...given('certificateChain', certificateChain && decodeSecretText(certificateChain)),
    ...given('privateKey', privateKey && decodeSecretText(privateKey)),
  };
}

// TLS of a filter chain (`extensions.transport_sockets.tls.v3.DownstreamTlsContext`).

import type { Problems } from '../../config/problems.ts';
import type { DownstreamTls, SecretReference } from '../../config/tls.ts';
import type { DownstreamTlsContext, TlsSessionTicketKeys } from '../generated/messages.ts';
import { decodeCommonTls } from './common-tls.ts';
import { decodeSecretReference, inlineReference } from './secret-reference.ts';
import { decodeWrittenTicketKeys } from './written-secret.ts';

export function decodeDownstreamTls(message: DownstreamTlsContext, problems: Problems): DownstreamTls {
  const place = problems.at('common_tls_context');
  const common = decodeCommonTls(message.commonTlsContext ?? {}, place);
  const { tlsCertificates = [], tlsCertificateSdsSecretConfigs = [] } = message.commonTlsContext ?? {};
  if (tlsCertificates.length === 0 && tlsCertificateSdsSecretConfigs.length === 0) {
    place.add(
      'one of tls_certificates, tls_certificate_sds_secret_configs is required: clients are shown a certificate',
    );
  }
  const ocspStaplePolicy = staplePolicies[message.ocspStaplePolicy ?? 'LENIENT_STAPLING'];
  if (ocspStaplePolicy === 'must-staple') requireStaples(common.certificates, place.at('tls_certificates'));
  return {
    ...common,
    requiresClientCertificate: message.requireClientCertificate ?? false,
    sessionTickets: decodeTickets(message, problems),
    // Envoy does not look at fractions of a second.
    sessionTimeoutMs: Math.floor((message.sessionTimeout ?? 0) / 1000) * 1000,
    ocspStaplePolicy,
    fullScanCertsOnSniMismatch: message.fullScanCertsOnSniMismatch ?? false,
  };
}

const staplePolicies = {
  LENIENT_STAPLING: 'lenient',
  STRICT_STAPLING: 'strict',
  MUST_STAPLE: 'must-staple',
} as const;

/** Of certificates that are written in place: those that come later are looked at then. */
function requireStaples(certificates: readonly SecretReference[], problems: Problems): void {
  for (const [index, { source }] of certificates.entries()) {
    if (source.kind !== 'inline' || source.secret.kind !== 'certificate') continue;
    if (source.secret.ocspStaple !== undefined) continue;
    problems.item(index).add('ocsp_staple is required by ocsp_staple_policy MUST_STAPLE');
  }
}

function decodeTickets(message: DownstreamTlsContext, problems: Problems): DownstreamTls['sessionTickets'] {
  const { sessionTicketKeys, sessionTicketKeysSdsSecretConfig: sds } = message;
  if (sessionTicketKeys !== undefined) {
    return { kind: 'keys', keys: inlineKeys(sessionTicketKeys, problems.at('session_ticket_keys')) };
  }
  const keys = sds && decodeSecretReference(sds, problems.at('session_ticket_keys_sds_secret_config'));
  if (keys !== undefined) return { kind: 'keys', keys };
  return message.disableStatelessSessionResumption === true ? { kind: 'off' } : { kind: 'own' };
}

function inlineKeys(message: TlsSessionTicketKeys, problems: Problems): SecretReference {
  return inlineReference(decodeWrittenTicketKeys(message, { name: '', watchesFiles: false }), problems);
}

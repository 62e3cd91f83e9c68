// Fields of TLS: of connections of clients and to endpoints, and towards a control plane, which takes fewer of them (what it
// does not take is refused by its decoder, `grpc-tls.ts`).

import type { SupportTable } from './support-table.ts';

const T = 'envoy.extensions.transport_sockets.tls.v3';
const noProviders = 'extensions cannot be loaded; write the certificates in place, name their files or use SDS';
const notInEnvoy = 'Envoy does not offer it either';

export const tlsSupport: SupportTable = {
  [`${T}.DownstreamTlsContext`]: {
    supported: [
      'common_tls_context',
      'require_client_certificate',
      'session_ticket_keys',
      'session_ticket_keys_sds_secret_config',
      'disable_stateless_session_resumption',
      'session_timeout',
      'ocsp_staple_policy',
      'full_scan_certs_on_sni_mismatch',
    ],
    ignored: { disable_stateful_session_resumption: 'sessions are resumed by tickets only, never by a memory of them' },
    unsupported: {
      require_sni: notInEnvoy,
      prefer_client_ciphers: { unless: [false], why: 'the order of the server counts' },
    },
  },
  [`${T}.UpstreamTlsContext`]: {
    supported: ['common_tls_context', 'sni', 'auto_host_sni', 'auto_sni_san_validation', 'max_session_keys'],
    ignored: { enforce_rsa_key_usage: 'key usage is always enforced, in Envoy too' },
    unsupported: { allow_renegotiation: { unless: [false], why: 'renegotiation is never allowed' } },
  },
  [`${T}.CommonTlsContext`]: {
    supported: [
      'tls_params',
      'tls_certificates',
      'tls_certificate_sds_secret_configs',
      'validation_context',
      'validation_context_sds_secret_config',
      'combined_validation_context',
      'alpn_protocols',
    ],
    unsupported: {
      tls_certificate_provider_instance: noProviders,
      tls_certificate_certificate_provider: noProviders,
      tls_certificate_certificate_provider_instance: noProviders,
      validation_context_certificate_provider: noProviders,
      validation_context_certificate_provider_instance: noProviders,
      custom_tls_certificate_selector: 'certificates are chosen by SNI and by the kind of key',
      custom_handshaker: 'extensions cannot be loaded',
      key_log: 'keys are never written',
    },
  },
  [`${T}.CommonTlsContext.CombinedCertificateValidationContext`]: {
    supported: ['default_validation_context', 'validation_context_sds_secret_config'],
    unsupported: {
      validation_context_certificate_provider: noProviders,
      validation_context_certificate_provider_instance: noProviders,
    },
  },
  [`${T}.SdsSecretConfig`]: { supported: ['name', 'sds_config'] },
  [`${T}.TlsParameters`]: {
    supported: [
      'tls_minimum_protocol_version',
      'tls_maximum_protocol_version',
      'cipher_suites',
      'ecdh_curves',
      'signature_algorithms',
    ],
    unsupported: {
      compliance_policies: 'write the versions, ciphers, curves and signature algorithms that the policy allows',
    },
  },
  [`${T}.TlsCertificate`]: {
    supported: ['certificate_chain', 'private_key', 'password', 'ocsp_staple', 'watched_directory'],
    unsupported: {
      pkcs12: 'write certificate_chain and private_key in PEM',
      private_key_provider: 'extensions cannot be loaded',
      signed_certificate_timestamp: notInEnvoy,
      tls_params: 'write tls_params of common_tls_context',
    },
  },
  [`${T}.TlsSessionTicketKeys`]: { supported: ['keys'] },
  [`${T}.CertificateValidationContext`]: {
    supported: [
      'trusted_ca',
      'system_root_certs',
      'watched_directory',
      'verify_certificate_spki',
      'verify_certificate_hash',
      'match_typed_subject_alt_names',
      'match_subject_alt_names',
      'crl',
      'allow_expired_certificate',
      'trust_chain_verification',
      'custom_validator_config',
      'only_verify_leaf_cert_crl',
      'max_verify_depth',
    ],
    unsupported: {
      suppress_client_ca_list: { unless: [false], why: 'clients are told whose certificates are taken' },
      ca_certificate_provider_instance: noProviders,
      require_signed_certificate_timestamp: { unless: [false], why: notInEnvoy },
    },
  },
  [`${T}.CertificateValidationContext.SystemRootCerts`]: { supported: [] },
  [`${T}.SubjectAltNameMatcher`]: {
    supported: ['san_type', 'matcher', 'oid'],
  },
  [`${T}.SPIFFECertValidatorConfig`]: {
    supported: ['trust_domains'],
    unsupported: { trust_bundles: 'write trust_domains, each with its trust_bundle' },
  },
  [`${T}.SPIFFECertValidatorConfig.TrustDomain`]: {
    supported: ['name', 'trust_bundle'],
    unsupported: { workload_trust_domain: 'certificates choose their bundle by their own trust domain' },
  },
};

// Fields of TLS towards a control plane: the one use of TLS so far.

import type { SupportTable } from './support-table.ts';

const T = 'envoy.extensions.transport_sockets.tls.v3';
const notFromSds = 'write the certificates in place or name their files';
const noProviders = 'extensions cannot be loaded; write the certificates in place or name their files';
const readAgain = 'files are read again for every connection';

export const tlsSupport: SupportTable = {
  [`${T}.UpstreamTlsContext`]: {
    supported: ['common_tls_context', 'sni'],
    ignored: { max_session_keys: 'a connection to a control plane lives long; its session is not resumed' },
    unsupported: {
      allow_renegotiation: 'renegotiation is never allowed',
      enforce_rsa_key_usage: { unless: [true], why: 'key usage is always enforced' },
    },
  },
  [`${T}.CommonTlsContext`]: {
    supported: ['tls_certificates', 'validation_context'],
    ignored: { alpn_protocols: 'gRPC always speaks h2' },
    unsupported: {
      tls_params: 'TLS 1.2 or later is spoken, with the ciphers of Node.js',
      tls_certificate_sds_secret_configs: notFromSds,
      tls_certificate_provider_instance: noProviders,
      tls_certificate_certificate_provider: noProviders,
      tls_certificate_certificate_provider_instance: noProviders,
      validation_context_sds_secret_config: notFromSds,
      combined_validation_context: notFromSds,
      validation_context_certificate_provider: noProviders,
      validation_context_certificate_provider_instance: noProviders,
      custom_handshaker: 'extensions cannot be loaded',
      key_log: 'keys are never written',
    },
  },
  [`${T}.TlsCertificate`]: {
    supported: ['certificate_chain', 'private_key'],
    ignored: { watched_directory: readAgain },
    unsupported: {
      pkcs12: 'write PEM',
      private_key_provider: 'extensions cannot be loaded',
      password: 'write a key without a password, in a file that only this process may read',
      ocsp_staple: 'it is for servers',
      signed_certificate_timestamp: 'it is for servers',
    },
  },
  [`${T}.CertificateValidationContext`]: {
    supported: ['trusted_ca', 'system_root_certs', 'match_typed_subject_alt_names', 'match_subject_alt_names'],
    ignored: { watched_directory: readAgain },
    unsupported: {
      ca_certificate_provider_instance: noProviders,
      verify_certificate_spki: 'write match_typed_subject_alt_names',
      verify_certificate_hash: 'write match_typed_subject_alt_names',
      require_signed_certificate_timestamp: 'Envoy does not offer it either',
      crl: 'revocation lists are not read',
      allow_expired_certificate: 'expired certificates are never taken',
      trust_chain_verification: { unless: ['VERIFY_TRUST_CHAIN'], why: 'certificates are always verified' },
      custom_validator_config: 'extensions cannot be loaded',
      only_verify_leaf_cert_crl: 'revocation lists are not read',
      max_verify_depth: 'the depth of OpenSSL applies',
    },
  },
  [`${T}.CertificateValidationContext.SystemRootCerts`]: { supported: [] },
  [`${T}.SubjectAltNameMatcher`]: {
    supported: ['san_type', 'matcher'],
    unsupported: { oid: 'it belongs to OTHER_NAME, which is not offered' },
  },
};

// What clients and endpoints have in common in TLS (`CommonTlsContext`).

import type { Problems } from '../../config/problems.ts';
import type { CommonTls, PeerValidation, SecretReference } from '../../config/tls.ts';
import type {
  CommonTlsContext_CombinedCertificateValidationContext as Combined,
  CommonTlsContext,
} from '../generated/messages.ts';
import { given } from './given.ts';
import { loadValidation } from './secret-loading.ts';
import { decodeSecretReference, inlineReference } from './secret-reference.ts';
import { decodeTlsParameters } from './tls-parameters.ts';
import { decodeWrittenCertificate, decodeWrittenValidation } from './written-secret.ts';

/** Files that are named in a listener or cluster are read again only where a `watched_directory` says so. */
const inPlace = { name: '', watchesFiles: false };

export function decodeCommonTls(message: CommonTlsContext, problems: Problems): CommonTls {
  return {
    parameters: decodeTlsParameters(message.tlsParams, problems.at('tls_params')),
    certificates: decodeCertificates(message, problems),
    ...given('validation', decodePeerValidation(message, problems)),
    alpnProtocols: decodeProtocols(message.alpnProtocols, problems.at('alpn_protocols')),
  };
}

/** Those that are written in place count before those of SDS, as in Envoy. */
function decodeCertificates(message: CommonTlsContext, problems: Problems): readonly SecretReference[] {
  const { tlsCertificates = [], tlsCertificateSdsSecretConfigs = [] } = message;
  const found: (SecretReference | undefined)[] = [];
  for (const [index, certificate] of tlsCertificates.entries()) {
    const place = problems.at('tls_certificates').item(index);
    const written = decodeWrittenCertificate(certificate, inPlace, place);
    found.push(written && inlineReference(written, place));
  }
  if (tlsCertificates.length === 0) {
    for (const [index, config] of tlsCertificateSdsSecretConfigs.entries()) {
      found.push(decodeSecretReference(config, problems.at('tls_certificate_sds_secret_configs').item(index)));
    }
  }
  return found.filter((reference) => reference !== undefined);
}

function decodePeerValidation(message: CommonTlsContext, problems: Problems): PeerValidation | undefined {
  const { validationContext, validationContextSdsSecretConfig: sds, combinedValidationContext: combined } = message;
  if (validationContext !== undefined) {
    const place = problems.at('validation_context');
    return { secret: inlineReference(decodeWrittenValidation(validationContext, inPlace, place), place) };
  }
  if (sds !== undefined) {
    return given('secret', decodeSecretReference(sds, problems.at('validation_context_sds_secret_config')));
  }
  return combined && decodeCombined(combined, problems.at('combined_validation_context'));
}

function decodeCombined(message: Combined, problems: Problems): PeerValidation {
  const place = problems.at('default_validation_context');
  const written = decodeWrittenValidation(message.defaultValidationContext ?? {}, inPlace, place);
  const own = written.kind === 'validation-context' ? loadValidation(written, place) : undefined;
  const config = message.validationContextSdsSecretConfig;
  const secret = config && decodeSecretReference(config, problems.at('validation_context_sds_secret_config'));
  return { ...given('own', own), ...given('secret', secret) };
}

/** Envoy takes several in one text, with commas. */
function decodeProtocols(written: readonly string[] | undefined, problems: Problems): readonly string[] {
  const found: string[] = [];
  for (const [index, text] of (written ?? []).entries()) {
    for (const protocol of text.split(',')) {
      const length = Buffer.byteLength(protocol);
      if (length === 0 || length > 255) problems.item(index).add('a protocol has 1 to 255 bytes');
      found.push(protocol);
    }
  }
  return found;
}

// `combined_validation_context`: what is written where it is used, with what a secret says merged into it, as protobuf
// merges messages. https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/transport_sockets/tls/v3/tls.proto

import type { ValidationContext } from './secret.ts';

/** Lists are appended; of all else that both have, what `secret` says counts. */
export function mergeValidationContexts(own: ValidationContext, secret: ValidationContext): ValidationContext {
  const { roots, ...rules } = { ...own, ...secret };
  const trustDomains = secret.trustDomains ?? own.trustDomains;
  return {
    ...rules,
    // A validator by trust domains does not look at other roots.
    ...(roots !== undefined && trustDomains === undefined && { roots }),
    subjectAltNames: [...own.subjectAltNames, ...secret.subjectAltNames],
    spkiHashes: [...own.spkiHashes, ...secret.spkiHashes],
    certificateHashes: [...own.certificateHashes, ...secret.certificateHashes],
  };
}

/**
 * Why a context on its own, or a merged one, is not to be used, as a sentence: it asks for what without trusted certificates
 * would mean nothing. Undefined when there is nothing wrong. Envoy refuses the same.
 */
export function validationProblem(context: ValidationContext): string | undefined {
  if (context.roots !== undefined || context.trustDomains !== undefined) return undefined;
  if (context.subjectAltNames.length > 0)
    return 'names are of no use without trusted_ca: whoever signs could write them';
  if (context.revocationLists !== undefined) return 'crl is of no use without trusted_ca';
  if (context.allowsExpired === true) return 'allow_expired_certificate is of no use without trusted_ca';
  return undefined;
}

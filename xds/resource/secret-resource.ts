// Certificates, what they are checked by, and other secrets (SDS).

import type { Problems } from '../../config/problems.ts';
import type { Secret } from '../../config/secret.ts';
import { decodeDataSource, decodeTextSource } from '../decode/data-source.ts';
import { given } from '../decode/given.ts';
import type {
  CertificateValidationContext,
  GenericSecret,
  Secret as Message,
  TlsCertificate,
} from '../generated/messages.ts';
import { makeResourceDecoder, type ResourceDecoder } from './resource-decoder.ts';

/** Files are read when the secret arrives. */
export const secretDecoder: ResourceDecoder<Secret> = makeResourceDecoder({
  messageName: 'envoy.extensions.transport_sockets.tls.v3.Secret',
  shortName: 'sds',
  decode(message: Message, problems) {
    const { name = '', tlsCertificate, validationContext, genericSecret } = message;
    if (tlsCertificate !== undefined) return decodeCertificate(name, tlsCertificate, problems.at('tls_certificate'));
    if (validationContext !== undefined) {
      return decodeValidationContext(name, validationContext, problems.at('validation_context'));
    }
    if (genericSecret !== undefined) return decodeGenericSecret(name, genericSecret, problems.at('generic_secret'));
    problems.add('one of tls_certificate, validation_context, generic_secret is required');
    return undefined;
  },
});

function decodeCertificate(name: string, message: TlsCertificate, problems: Problems): Secret | undefined {
  const chain = message.certificateChain ?? {};
  const key = message.privateKey ?? {};
  const certificateChain = decodeTextSource(chain, problems.at('certificate_chain'));
  const privateKey = decodeTextSource(key, problems.at('private_key'));
  if (certificateChain === undefined) problems.at('certificate_chain').add('certificate_chain is required');
  if (privateKey === undefined) problems.at('private_key').add('private_key is required');
  if (certificateChain === undefined || privateKey === undefined) return undefined;
  return { kind: 'certificate', name, certificateChain, privateKey };
}

function decodeValidationContext(
  name: string,
  { trustedCa, matchTypedSubjectAltNames, matchSubjectAltNames }: CertificateValidationContext,
  problems: Problems,
): Secret {
  const isMatched = matchTypedSubjectAltNames !== undefined || matchSubjectAltNames !== undefined;
  if (isMatched) problems.unsupported('a secret with names to match', 'write them where the secret is used');
  const pem = trustedCa && decodeTextSource(trustedCa, problems.at('trusted_ca'));
  return {
    kind: 'validation-context',
    name,
    subjectAltNames: [],
    spkiHashes: [],
    certificateHashes: [],
    ...given('roots', pem === undefined ? undefined : ({ kind: 'pem', pem } as const)),
  };
}

function decodeGenericSecret(name: string, message: GenericSecret, problems: Problems): Secret | undefined {
  const value = message.secret && decodeDataSource(message.secret, problems.at('secret'));
  if (message.secret === undefined) problems.at('secret').add('secret is required');
  return value && { kind: 'generic', name, value };
}

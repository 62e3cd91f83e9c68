// TLS of connections to endpoints (`extensions.transport_sockets.tls.v3.UpstreamTlsContext`).

import type { Problems } from '../../config/problems.ts';
import type { UpstreamTls } from '../../config/tls.ts';
import type { UpstreamHttpProtocolOptions, UpstreamTlsContext } from '../generated/messages.ts';
import { decodeCommonTls } from './common-tls.ts';

/** Envoy's default. */
const defaultSessionKeys = 1;

/** `options` are those of the cluster's requests. */
export function decodeUpstreamTls(
  message: UpstreamTlsContext,
  options: UpstreamHttpProtocolOptions | undefined,
  problems: Problems,
): UpstreamTls {
  const place = problems.at('common_tls_context');
  const common = decodeCommonTls(message.commonTlsContext ?? {}, place);
  const { tlsCertificates, tlsCertificateSdsSecretConfigs = [] } = message.commonTlsContext ?? {};
  const field = tlsCertificates === undefined ? 'tls_certificate_sds_secret_configs' : 'tls_certificates';
  if ((tlsCertificates ?? tlsCertificateSdsSecretConfigs).length > 1) {
    place.at(field).unsupported('more than one certificate of a client', 'Envoy does not offer it either');
  }
  if (message.sni?.includes('\0')) problems.at('sni').add('must not hold zero bytes');
  return {
    ...common,
    sni: message.sni ?? '',
    autoSni: options?.autoSni ?? false,
    autoHostSni: message.autoHostSni ?? false,
    autoSanValidation: (message.autoSniSanValidation ?? false) || (options?.autoSanValidation ?? false),
    maxSessionKeys: message.maxSessionKeys ?? defaultSessionKeys,
  };
}

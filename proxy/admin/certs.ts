// `/certs`: certificates in use, in Envoy's form, an element a secret. Our own fields are `secret_name` and `last_error`.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/admin/v3/certs.proto

import type { OcspValidity } from '../../native/tls-identity.ts';
import { type CertificateWatch, daysUntil, type WatchedSecret } from '../tls/certificate-watch.ts';
import { type AdminAnswer, json } from './admin-answer.ts';

export function certs(watch: Pick<CertificateWatch, 'secrets'>, nowMs: number): AdminAnswer {
  return json({
    certificates: watch
      .secrets()
      .filter(isShown)
      .map((secret) => describe(secret, nowMs)),
  });
}

function isShown({ chain, roots, lastError }: WatchedSecret): boolean {
  return chain.length + roots.length > 0 || lastError !== undefined;
}

function describe({ name, chain, roots, ocsp, lastError }: WatchedSecret, nowMs: number): object {
  return {
    ca_cert: roots.map((root) => details(root, nowMs)),
    cert_chain: chain.map((certificate, index) => ({
      ...details(certificate, nowMs),
      ...(index === 0 && ocsp !== undefined && { ocsp_details: ocspDetails(ocsp) }),
    })),
    secret_name: name,
    ...(lastError !== undefined && { last_error: lastError }),
  };
}

function details(facts: WatchedSecret['chain'][number], nowMs: number): object {
  return {
    path: '<inline>',
    serial_number: facts.serial,
    subject_alt_names: [
      ...facts.dnsNames.map((dns) => ({ dns })),
      ...facts.uris.map((uri) => ({ uri })),
      ...facts.ipAddresses.map((ip_address) => ({ ip_address })),
    ],
    days_until_expiration: String(daysUntil(facts.notAfterMs, nowMs)),
    valid_from: timestamp(facts.notBeforeMs),
    expiration_time: timestamp(facts.notAfterMs),
  };
}

function ocspDetails({ validFromMs, expiresAtMs }: OcspValidity): object {
  return {
    valid_from: timestamp(validFromMs),
    ...(Number.isFinite(expiresAtMs) && { expiration: timestamp(expiresAtMs) }),
  };
}

function timestamp(momentMs: number): string {
  return new Date(momentMs).toISOString().replace(/\.\d+Z$/, 'Z');
}

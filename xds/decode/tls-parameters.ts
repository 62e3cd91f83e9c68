// Versions, ciphers, curves and signature algorithms (`TlsParameters`), from the words of Envoy's BoringSSL to OpenSSL's.
//
// BoringSSL's ciphers in brackets, `[a|b]`, are equally liked, and the client chooses; OpenSSL knows no such thing, and takes
// them in their order.

import type { Problems } from '../../config/problems.ts';
import type { TlsParameters, TlsVersion } from '../../config/tls.ts';
import type { TlsParameters as Message, TlsParameters_TlsProtocol } from '../generated/messages.ts';
import { nearestName } from '../message/nearest-name.ts';
import { SharedParts } from './shared-parts.ts';

const shared = new SharedParts<TlsParameters>();

/** Without `tls_params` TLS 1.2 and 1.3 are spoken, as by Envoy. */
export function decodeTlsParameters(message: Message | undefined, problems: Problems): TlsParameters {
  const minVersion = decodeVersion(
    message?.tlsMinimumProtocolVersion,
    '1.2',
    problems.at('tls_minimum_protocol_version'),
  );
  const maxVersion = decodeVersion(
    message?.tlsMaximumProtocolVersion,
    '1.3',
    problems.at('tls_maximum_protocol_version'),
  );
  if (minVersion > maxVersion) {
    problems.at('tls_minimum_protocol_version').add('must not be later than tls_maximum_protocol_version');
  }
  return shared.share({
    minVersion,
    maxVersion,
    cipherSuites: decodeCiphers(message?.cipherSuites, problems.at('cipher_suites')),
    groups: decodeNames(message?.ecdhCurves, curves, problems.at('ecdh_curves')),
    signatureAlgorithms: decodeNames(message?.signatureAlgorithms, algorithms, problems.at('signature_algorithms')),
  });
}

function decodeVersion(
  version: TlsParameters_TlsProtocol | undefined,
  auto: TlsVersion,
  problems: Problems,
): TlsVersion {
  switch (version) {
    case undefined:
    case 'TLS_AUTO':
      return auto;
    case 'TLSv1_2':
      return '1.2';
    case 'TLSv1_3':
      return '1.3';
    case 'TLSv1_0':
    case 'TLSv1_1':
      problems.unsupported(version, 'write TLSv1_2 or TLSv1_3: RFC 8996 forbids what is older');
      return auto;
  }
}

/** Of TLS 1.2 with forward secrecy or without, the same in both libraries. */
const ciphers: ReadonlySet<string> = new Set([
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-SHA',
  'ECDHE-ECDSA-AES256-SHA',
  'ECDHE-RSA-AES128-SHA',
  'ECDHE-RSA-AES256-SHA',
  'ECDHE-RSA-AES128-SHA256',
  'AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
  'AES128-SHA',
  'AES256-SHA',
]);

/** The names of the standards, which BoringSSL takes as well. */
const standardCiphers: ReadonlyMap<string, string> = new Map(
  [...ciphers].map((name) => [standardName(name), name] as const),
);

/** `ECDHE-RSA-AES128-GCM-SHA256` is `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`. */
function standardName(name: string): string {
  const [, exchange = 'RSA', cipher = ''] = /^(?:(ECDHE-\w+)-)?(.*)$/.exec(name)!;
  if (cipher === 'CHACHA20-POLY1305') return `TLS_${exchange.replace('-', '_')}_WITH_CHACHA20_POLY1305_SHA256`;
  const [, bits, rest] = /^AES(\d+)-(.*)$/.exec(cipher)!;
  const mode = rest!.startsWith('GCM') ? rest!.replace('-', '_') : `CBC_${rest}`;
  return `TLS_${exchange.replace('-', '_')}_WITH_AES_${bits}_${mode}`;
}

function decodeCiphers(written: readonly string[] | undefined, problems: Problems): readonly string[] {
  const found = new Set<string>();
  for (const [index, text] of (written ?? []).entries()) {
    for (const name of text.replaceAll(/[[\]]/g, '').split(/[|:, ]/)) {
      const cipher = ciphers.has(name) ? name : standardCiphers.get(name);
      if (cipher === undefined) refuseCipher(name, problems.item(index));
      else found.add(cipher);
    }
  }
  return [...found];
}

function refuseCipher(name: string, problems: Problems): void {
  const instead = /^TLS_(?:AES|CHACHA20)_/.test(name)
    ? 'the ciphers of TLS 1.3 cannot be chosen, in Envoy neither'
    : /^[-+!@]/.test(name)
      ? 'write the names of the ciphers'
      : hint(name, ciphers);
  problems.unsupported(`cipher ${JSON.stringify(name)}`, instead);
}

/** By name, to what OpenSSL calls them. */
const curves: ReadonlyMap<string, string> = new Map([
  ['X25519MLKEM768', 'X25519MLKEM768'],
  ['X25519', 'X25519'],
  ['P-256', 'P-256'],
  ['P-384', 'P-384'],
  ['P-521', 'P-521'],
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp521r1', 'P-521'],
]);

/** Names of RFC 8446 4.2.3, which both libraries take; none with SHA-1. */
const algorithms: ReadonlyMap<string, string> = new Map(
  [
    'ecdsa_secp256r1_sha256',
    'ecdsa_secp384r1_sha384',
    'ecdsa_secp521r1_sha512',
    'rsa_pss_rsae_sha256',
    'rsa_pss_rsae_sha384',
    'rsa_pss_rsae_sha512',
    'rsa_pkcs1_sha256',
    'rsa_pkcs1_sha384',
    'rsa_pkcs1_sha512',
    'ed25519',
  ].map((name) => [name, name] as const),
);

function decodeNames(
  written: readonly string[] | undefined,
  known: ReadonlyMap<string, string>,
  problems: Problems,
): readonly string[] {
  const found = new Set<string>();
  for (const [index, name] of (written ?? []).entries()) {
    const meant = known.get(name);
    if (meant === undefined) problems.item(index).unsupported(JSON.stringify(name), hint(name, [...known.keys()]));
    else found.add(meant);
  }
  return [...found];
}

function hint(name: string, known: Iterable<string>): string {
  const names = [...known];
  const meant = nearestName(name, names);
  return meant === undefined ? `supported are ${names.join(', ')}` : `did you mean ${meant}?`;
}

import { createSecureContext } from 'node:tls';
import fc from 'fast-check';
import t from 'tap';
import { decodeTlsParameters } from '../../../xds/decode/tls-parameters.ts';
import type { TlsParameters } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const decoded = (yaml: string) =>
  decodedAs('envoy.extensions.transport_sockets.tls.v3.TlsParameters', yaml, (message: TlsParameters, problems) =>
    decodeTlsParameters(message, problems),
  );

t.test('without a word TLS 1.2 and 1.3 are spoken, with the ciphers and groups there are by default', async (t) => {
  const defaults = { minVersion: '1.2', maxVersion: '1.3', cipherSuites: [], groups: [], signatureAlgorithms: [] };
  t.same(decoded('{}'), { value: defaults, problems: [] });
  t.same(decoded('{tls_minimum_protocol_version: TLS_AUTO, tls_maximum_protocol_version: TLS_AUTO}').value, defaults);
});

t.test('what is written, in the words of OpenSSL', async (t) => {
  const rows: readonly [yaml: string, value: object][] = [
    ['tls_minimum_protocol_version: TLSv1_3', { minVersion: '1.3', maxVersion: '1.3' }],
    ['tls_maximum_protocol_version: TLSv1_2', { minVersion: '1.2', maxVersion: '1.2' }],
    [
      'cipher_suites: ["[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]", ECDHE-RSA-AES256-GCM-SHA384]',
      {
        cipherSuites: onlyItems(
          'ECDHE-ECDSA-AES128-GCM-SHA256',
          'ECDHE-ECDSA-CHACHA20-POLY1305',
          'ECDHE-RSA-AES256-GCM-SHA384',
        ),
      },
    ],
    ['cipher_suites: ["AES128-SHA:AES256-SHA", AES128-SHA]', { cipherSuites: onlyItems('AES128-SHA', 'AES256-SHA') }],
    [
      'cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, TLS_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA]',
      {
        cipherSuites: onlyItems(
          'ECDHE-RSA-AES128-GCM-SHA256',
          'ECDHE-RSA-CHACHA20-POLY1305',
          'AES128-SHA',
          'ECDHE-ECDSA-AES256-SHA',
        ),
      },
    ],
    ['ecdh_curves: [X25519MLKEM768, X25519, prime256v1]', { groups: onlyItems('X25519MLKEM768', 'X25519', 'P-256') }],
    [
      'signature_algorithms: [ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256]',
      { signatureAlgorithms: onlyItems('ecdsa_secp256r1_sha256', 'rsa_pss_rsae_sha256') },
    ],
  ];
  for (const [yaml, value] of rows) t.match(decoded(`{${yaml}}`), { value, problems: noItems });
});

t.test('OpenSSL knows what comes out', async (t) => {
  const ciphers = [
    ...['ECDHE-ECDSA', 'ECDHE-RSA'].flatMap((exchange) =>
      ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305', 'AES128-SHA', 'AES256-SHA'].map(
        (cipher) => `${exchange}-${cipher}`,
      ),
    ),
    ...['ECDHE-RSA-AES128-SHA256', 'AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'AES128-SHA', 'AES256-SHA'],
  ];
  for (const cipher of ciphers) {
    const { value, problems } = decoded(`{cipher_suites: [${cipher}]}`);
    t.same(problems, []);
    t.doesNotThrow(() => createSecureContext({ ciphers: value.cipherSuites.join(':'), maxVersion: 'TLSv1.2' }), cipher);
  }
  const curves = '[X25519MLKEM768, X25519, P-256, P-384, P-521, prime256v1, secp384r1, secp521r1]';
  const { value } = decoded(`{ecdh_curves: ${curves}}`);
  for (const group of value.groups) t.doesNotThrow(() => createSecureContext({ ecdhCurve: group }), group);
  const names = 'ecdsa_secp384r1_sha384, ecdsa_secp521r1_sha512, rsa_pss_rsae_sha512, rsa_pkcs1_sha256, ed25519';
  const sigalgs = decoded(`{signature_algorithms: [${names}]}`).value.signatureAlgorithms.join(':');
  t.doesNotThrow(() => createSecureContext({ sigalgs }));
});

t.test('problems', async (t) => {
  const rows: readonly [yaml: string, problem: RegExp][] = [
    ['tls_minimum_protocol_version: TLSv1_0', /^tls_minimum_protocol_version: TLSv1_0 is not supported; write TLSv1_2/],
    ['tls_maximum_protocol_version: TLSv1_1', /^tls_maximum_protocol_version: TLSv1_1 is not supported/],
    [
      'tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_2',
      /^tls_minimum_protocol_version: must not be later than/,
    ],
    ['cipher_suites: [TLS_AES_128_GCM_SHA256]', /^cipher_suites\[0\]: .*the ciphers of TLS 1\.3 cannot be chosen/],
    ['cipher_suites: ["-ALL"]', /^cipher_suites\[0\]: cipher "-ALL" is not supported; write the names/],
    [
      'cipher_suites: [AES128-SHA, ECDHE-RSA-AES128-GCM-SHA]',
      /^cipher_suites\[1\]: .*did you mean ECDHE-RSA-AES128-GCM-SHA256/,
    ],
    ['cipher_suites: [DES-CBC3-SHA]', /^cipher_suites\[0\]: cipher "DES-CBC3-SHA" is not supported/],
    ['ecdh_curves: [P-224]', /^ecdh_curves\[0\]: "P-224" is not supported/],
    ['signature_algorithms: [rsa_pkcs1_sha1]', /^signature_algorithms\[0\]: "rsa_pkcs1_sha1" is not supported/],
    ['compliance_policies: [FIPS_202205]', /^compliance_policies: compliance_policies is not supported/],
  ];
  for (const [yaml, problem] of rows) t.matchOnly(decoded(`{${yaml}}`).problems, [problem], yaml);
});

t.test('any text is a cipher that is known, or a problem', async () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { maxLength: 4 }), (cipherSuites) => {
      const { value, problems } = decoded(JSON.stringify({ cipher_suites: cipherSuites }));
      return problems.length > 0 || value.cipherSuites.every((name) => /^[A-Z0-9-]+$/.test(name));
    }),
  );
});

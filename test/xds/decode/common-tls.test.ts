import t from 'tap';
import { decodeCommonTls } from '../../../xds/decode/common-tls.ts';
import type { CommonTlsContext } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';
import { certificateYaml, makeSecretFiles } from '../../support/secret-fixtures.ts';

const files = makeSecretFiles(t.testdir());
const decoded = (yaml: string) =>
  decodedAs(
    'envoy.extensions.transport_sockets.tls.v3.CommonTlsContext',
    `{${yaml}}`,
    (message: CommonTlsContext, problems) => decodeCommonTls(message, problems),
  );

t.test('nothing written', async (t) => {
  const { value, problems } = decoded('');
  t.same(problems, []);
  t.match(value, { certificates: noItems, alpnProtocols: noItems, parameters: { minVersion: '1.2' } });
  t.notOk('validation' in value);
});

t.test('certificates in place count before those of SDS', async (t) => {
  const own = `tls_certificates: [${certificateYaml(files.leaf)}, ${certificateYaml(files.other, 'inline')}]`;
  const { value, problems } = decoded(`${own}, tls_certificate_sds_secret_configs: [{name: a}]`);
  t.same(problems, []);
  t.match(value.certificates, onlyItems({ source: { kind: 'inline' } }, { source: { kind: 'inline' } }));
  t.match(
    decoded('tls_certificate_sds_secret_configs: [{name: a}, {name: b}]').value.certificates,
    onlyItems({ name: 'a' }, { name: 'b' }),
  );
});

t.test('files are followed where a directory says so', async (t) => {
  const foldersOf = (yaml: string) => {
    const source = decoded(`tls_certificates: [${yaml}]`).value.certificates[0]!.source;
    return source.kind === 'inline' ? source.secret.watchedDirectories : undefined;
  };
  const yaml = certificateYaml(files.leaf);
  t.same(foldersOf(yaml), []);
  t.same(foldersOf(yaml.replace(/}$/, ', watched_directory: {path: /watched}}')), ['/watched']);
});

t.test('peers are judged by what is written, by a secret, or by both', async (t) => {
  const ca = `trusted_ca: {filename: ${files.root.certificate}}`;
  const names = 'match_typed_subject_alt_names: [{san_type: URI, matcher: {exact: "spiffe://t/a"}}]';
  t.match(decoded(`validation_context: {${ca}, ${names}}`), {
    problems: noItems,
    value: {
      validation: {
        own: undefined,
        secret: { source: { kind: 'inline', secret: { rules: { subjectAltNames: onlyItems({ type: 'uri' }) } } } },
      },
    },
  });
  t.match(decoded('validation_context_sds_secret_config: {name: roots}'), {
    problems: noItems,
    value: { validation: { own: undefined, secret: { name: 'roots', source: { kind: 'static' } } } },
  });
  const combined = `combined_validation_context: {default_validation_context: {${names}}, validation_context_sds_secret_config: {name: roots}}`;
  t.match(decoded(combined), {
    problems: noItems,
    value: {
      validation: { own: { roots: undefined, subjectAltNames: onlyItems({ type: 'uri' }) }, secret: { name: 'roots' } },
    },
  });
});

t.test('protocols, several of them in one text', async (t) => {
  t.same(decoded('alpn_protocols: [h2, "http/1.1,http/1.0"]').value.alpnProtocols, ['h2', 'http/1.1', 'http/1.0']);
  t.strictSame(decoded('alpn_protocols: ["h2,"]').problems, ['alpn_protocols[0]: a protocol has 1 to 255 bytes']);
  t.strictSame(decoded(`alpn_protocols: [${'a'.repeat(256)}]`).problems, [
    'alpn_protocols[0]: a protocol has 1 to 255 bytes',
  ]);
});

t.test('problems', async (t) => {
  const { leaf, other } = files;
  const mixed = `{certificate_chain: {filename: ${leaf.certificate}}, private_key: {filename: ${other.key}}}`;
  const rows: readonly [yaml: string, problem: RegExp][] = [
    [
      `tls_certificates: [${certificateYaml(leaf)}, ${mixed}]`,
      /^tls_certificates\[1\]\.private_key: does not belong to the certificate$/,
    ],
    [
      `tls_certificates: [{private_key: {filename: ${leaf.key}}}]`,
      /^tls_certificates\[0\]\.certificate_chain: .*required/,
    ],
    [
      'tls_certificates: [{certificate_chain: {filename: /no}, private_key: {filename: /no}}]',
      /^tls_certificates\[0\]\.certificate_chain\.filename: \/no cannot be read: ENOENT/,
    ],
    ['tls_certificates: [{pkcs12: {filename: /p}}]', /^tls_certificates\[0\]\.pkcs12: pkcs12 is not supported; write/],
    [
      'tls_certificates: [{private_key_provider: {provider_name: p}}]',
      /^tls_certificates\[0\]\.private_key_provider: .*not supported/,
    ],
    [
      'validation_context: {match_typed_subject_alt_names: [{san_type: URI, matcher: {exact: a}}]}',
      /^validation_context: names are of no use without trusted_ca/,
    ],
    ['validation_context: {crl: {filename: /no}}', /^validation_context\.crl\.filename: .*ENOENT/],
    [
      `validation_context: {trusted_ca: {filename: ${files.root.certificate}}, system_root_certs: {}}`,
      /^validation_context\.system_root_certs: may not be set together with trusted_ca/,
    ],
    [
      'combined_validation_context: {default_validation_context: {}}',
      /^combined_validation_context\.validation_context_sds_secret_config: .*required/,
    ],
    ['custom_handshaker: {name: h}', /^custom_handshaker: .*not supported/],
    ['key_log: {path: /k}', /^key_log: .*keys are never written/],
    ['custom_tls_certificate_selector: {name: s}', /^custom_tls_certificate_selector: .*not supported/],
    ['tls_certificate_provider_instance: {}', /^tls_certificate_provider_instance: .*not supported/],
  ];
  for (const [yaml, problem] of rows) t.match(decoded(yaml).problems[0], problem, yaml);
});

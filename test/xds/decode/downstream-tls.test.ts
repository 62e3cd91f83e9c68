import t from 'tap';
import { decodeDownstreamTls } from '../../../xds/decode/downstream-tls.ts';
import type { DownstreamTlsContext } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';
import { certificateYaml, makeSecretFiles } from '../../support/secret-fixtures.ts';

const files = makeSecretFiles(t.testdir());
const decoded = (fields: string, common = 'tls_certificate_sds_secret_configs: [{name: own}]') =>
  decodedAs(
    'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
    `{common_tls_context: {${common}}, ${fields}}`,
    (message: DownstreamTlsContext, problems) => decodeDownstreamTls(message, problems),
  );
const key = `{inline_bytes: ${Buffer.alloc(80, 1).toString('base64')}}`;

t.test('what is not written has the defaults of Envoy', async (t) => {
  t.match(decoded(''), {
    problems: noItems,
    value: {
      requiresClientCertificate: false,
      sessionTickets: { kind: 'own' },
      sessionTimeoutMs: 0,
      ocspStaplePolicy: 'lenient',
      fullScanCertsOnSniMismatch: false,
      certificates: onlyItems({ name: 'own' }),
    },
  });
});

t.test('what is written', async (t) => {
  const rows: readonly [fields: string, value: object][] = [
    ['require_client_certificate: true', { requiresClientCertificate: true }],
    ['session_timeout: 7200.9s', { sessionTimeoutMs: 7_200_000 }],
    ['ocsp_staple_policy: STRICT_STAPLING', { ocspStaplePolicy: 'strict' }],
    ['full_scan_certs_on_sni_mismatch: true', { fullScanCertsOnSniMismatch: true }],
    ['disable_stateless_session_resumption: true', { sessionTickets: { kind: 'off' } }],
    ['disable_stateless_session_resumption: false', { sessionTickets: { kind: 'own' } }],
    ['disable_stateful_session_resumption: true', { sessionTickets: { kind: 'own' } }],
    [
      `session_ticket_keys: {keys: [${key}]}`,
      { sessionTickets: { kind: 'keys', keys: { source: { secret: { kind: 'session-ticket-keys' } } } } },
    ],
    [
      'session_ticket_keys_sds_secret_config: {name: tickets}',
      { sessionTickets: { kind: 'keys', keys: { name: 'tickets', source: { kind: 'static' } } } },
    ],
    ['prefer_client_ciphers: false', {}],
  ];
  for (const [fields, value] of rows) t.match(decoded(fields), { problems: noItems, value }, fields);
});

t.test('problems', async (t) => {
  const rows: readonly [fields: string, problem: RegExp, common?: string][] = [
    ['', /^common_tls_context: one of tls_certificates, tls_certificate_sds_secret_configs is required/, ''],
    ['require_sni: true', /^require_sni: .*not supported/],
    ['prefer_client_ciphers: true', /^prefer_client_ciphers: .*not supported; the order of the server counts/],
    [
      'session_ticket_keys: {keys: []}',
      /^session_ticket_keys\.keys: .*at least 1|^session_ticket_keys\.keys: .*required/,
    ],
    [
      'session_ticket_keys: {keys: [{inline_string: a}]}',
      /^session_ticket_keys\.keys\[0\]: must have 80 bytes, has 1$/,
    ],
    [
      'ocsp_staple_policy: MUST_STAPLE',
      /^common_tls_context\.tls_certificates\[0\]: ocsp_staple is required by/,
      `tls_certificates: [${certificateYaml(files.leaf)}]`,
    ],
  ];
  for (const [fields, problem, common] of rows) t.match(decoded(fields, common).problems[0], problem, fields);
});

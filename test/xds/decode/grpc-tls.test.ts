import t from 'tap';
import { decodeGrpcTls } from '../../../xds/decode/grpc-tls.ts';
import type { UpstreamTlsContext } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const tls = (fields: string, more = '') =>
  decodedAs(
    'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    `{common_tls_context: {${fields}}${more}}`,
    (message: UpstreamTlsContext, problems) => decodeGrpcTls(message, problems),
  );
const roots = 'trusted_ca: {filename: /root.pem}';

t.test('TLS', async (t) => {
  const certificate =
    'tls_certificates: [{certificate_chain: {filename: /chain.pem}, private_key: {environment_variable: KEY}}]';
  const names =
    'match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: a}}, {san_type: URI, matcher: {exact: "spiffe://t/a"}}]';
  const { value, problems } = tls(
    `${certificate}, alpn_protocols: [h2], validation_context: {${roots}, ${names}}`,
    ', sni: istiod.example',
  );
  t.same(problems, []);
  t.same(value, {
    roots: { kind: 'file', path: '/root.pem' },
    certificateChain: { kind: 'file', path: '/chain.pem' },
    privateKey: { kind: 'environment', variable: 'KEY' },
    sni: 'istiod.example',
    subjectAltNames: [
      { type: 'dns', value: 'a' },
      { type: 'uri', value: 'spiffe://t/a' },
    ],
  });
  t.same(tls('validation_context: {system_root_certs: {}}').value, { subjectAltNames: [] });
  const older = tls(`validation_context: {${roots}, match_subject_alt_names: [{exact: a}]}`).value;
  t.same(
    older.subjectAltNames.map(({ type, value: name }) => `${type} ${name}`),
    ['email a', 'dns a', 'uri a', 'ip-address a'],
  );
});

t.test('a peer that nobody verifies is refused', async (t) => {
  const place = 'common_tls_context';
  t.matchOnly(tls('').problems, [`${place}.validation_context: trusted_ca or system_root_certs is required`]);
  t.matchOnly(tls(`validation_context: {${roots}, trust_chain_verification: ACCEPT_UNTRUSTED}`).problems, [
    /trust_chain_verification: trust_chain_verification of a cluster of calls is not supported; certificates are always/,
  ]);
  t.matchOnly(
    tls(`validation_context: {${roots}, match_typed_subject_alt_names: [{san_type: DNS, matcher: {prefix: a}}]}`)
      .problems,
    [/match_typed_subject_alt_names\[0\]\.matcher: a matcher other than exact is not supported/],
  );
  t.matchOnly(tls(`validation_context: {${roots}, match_typed_subject_alt_names: [{matcher: {exact: a}}]}`).problems, [
    /match_typed_subject_alt_names\[0\]\.san_type: san_type must be one of EMAIL, DNS, URI, IP_ADDRESS$/,
  ]);
  t.matchOnly(tls(`validation_context: {${roots}}, tls_certificates: [{certificate_chain: {filename: /a}}]`).problems, [
    /tls_certificates\[0\]: certificate_chain and private_key belong together$/,
  ]);
});

t.test(
  'what only connections to endpoints have is refused by its path, what is set to its default is not',
  async (t) => {
    const validation = `validation_context: {${roots}}`;
    const certificate = (more: string) =>
      `tls_certificates: [{certificate_chain: {filename: /a}, private_key: {filename: /b}, ${more}}], ${validation}`;
    const cases: readonly (readonly [fields: string, path: string, more?: string])[] = [
      [validation, 'auto_host_sni', ', auto_host_sni: true'],
      [`tls_params: {}, ${validation}`, 'common_tls_context.tls_params'],
      [
        `tls_certificate_sds_secret_configs: [{name: a}], ${validation}`,
        'common_tls_context.tls_certificate_sds_secret_configs',
      ],
      [certificate('password: {inline_string: secret}'), 'common_tls_context.tls_certificates[0].password'],
      [`validation_context: {${roots}, crl: {filename: /c}}`, 'common_tls_context.validation_context.crl'],
      [`validation_context: {${roots}, max_verify_depth: 1}`, 'common_tls_context.validation_context.max_verify_depth'],
    ];
    for (const [fields, path, more] of cases) {
      const { problems } = tls(fields, more);
      t.equal(problems.length, 1);
      t.match(problems[0], new RegExp(`^${path.replaceAll(/[.[\]]/g, '\\$&')}: .* is not supported`));
    }
    const unset = `validation_context: {${roots}, trust_chain_verification: VERIFY_TRUST_CHAIN}`;
    t.same(tls(unset, ', allow_renegotiation: false').problems, []);
  },
);

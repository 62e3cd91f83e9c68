import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { secretDecoder } from '../../../xds/resource/secret-resource.ts';
import { encodedOf } from '../../support/assembly-bench.ts';

function decoded(yaml: string) {
  const problems = new Problems();
  const value = secretDecoder.decode(encodedOf('envoy.extensions.transport_sockets.tls.v3.Secret', yaml), problems);
  return { value, problems: problems.list.map(({ path, message }) => `${path}: ${message}`) };
}

t.test('a certificate, what certificates are checked by, and any other secret', async (t) => {
  t.same(
    decoded('{name: a, tls_certificate: {certificate_chain: {inline_string: C}, private_key: {inline_bytes: Sw==}}}'),
    { value: { kind: 'certificate', name: 'a', certificateChain: 'C', privateKey: 'K' }, problems: [] },
  );
  t.same(decoded('{name: a, validation_context: {trusted_ca: {inline_string: R}}}'), {
    value: {
      kind: 'validation-context',
      name: 'a',
      roots: { kind: 'pem', pem: 'R' },
      subjectAltNames: [],
      spkiHashes: [],
      certificateHashes: [],
    },
    problems: [],
  });
  t.same(decoded('{name: a, generic_secret: {secret: {inline_string: k}}}').value, {
    kind: 'generic',
    name: 'a',
    value: new Uint8Array([107]),
  });
});

t.test('problems', async (t) => {
  const rows: readonly [yaml: string, problem: RegExp][] = [
    ['{name: a}', /^: one of tls_certificate, validation_context, generic_secret is required/],
    ['{name: a, tls_certificate: {certificate_chain: {inline_string: C}}}', /^tls_certificate.private_key: .*required/],
    ['{name: a, tls_certificate: {private_key: {inline_string: K}}}', /^tls_certificate.certificate_chain: .*required/],
    [
      '{name: a, tls_certificate: {certificate_chain: {filename: /does/not/exist}, private_key: {inline_string: K}}}',
      /^tls_certificate.certificate_chain.filename: .* cannot be read: ENOENT/,
    ],
    ['{name: a, generic_secret: {}}', /^generic_secret.secret: secret is required/],
    [
      '{name: a, validation_context: {trusted_ca: {inline_string: R}, match_subject_alt_names: [{exact: x}]}}',
      /^validation_context: .* not supported; write them where the secret is used/,
    ],
  ];
  for (const [yaml, problem] of rows) t.match(decoded(yaml).problems[0], problem, yaml);
});

import { readFileSync } from 'node:fs';
import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { secretDecoder } from '../../../xds/resource/secret-resource.ts';
import { encodedOf } from '../../support/assembly-bench.ts';
import { makeLeaf, makeRoot } from '../../support/certificates.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

function decoded(yaml: string) {
  const problems = new Problems();
  const value = secretDecoder.decode(encodedOf('envoy.extensions.transport_sockets.tls.v3.Secret', yaml), problems);
  return { value, problems: problems.list.map(({ path, message }) => `${path}: ${message}`) };
}

const directory = t.testdir();
const root = makeRoot(directory, 'root');
const leaf = makeLeaf({ directory, name: 'leaf', root, subjectAltName: 'DNS:a' });

t.test('a secret is what it says, with the folders of its files', async (t) => {
  const [chain, key] = [leaf.certificate, leaf.key].map((path) => readFileSync(path, 'utf8'));
  const pair = `certificate_chain: {filename: ${leaf.certificate}}, private_key: {filename: ${leaf.key}}`;
  t.match(decoded(`{name: a, tls_certificate: {${pair}}}`), {
    value: {
      secret: { kind: 'certificate', name: 'a', certificateChain: chain, privateKey: key },
      written: { watchedDirectories: onlyItems(directory) },
    },
    problems: noItems,
  });
  const watched = decoded(`{name: a, tls_certificate: {${pair}, watched_directory: {path: /other}}}`);
  t.same(watched.value?.written.watchedDirectories, ['/other']);
  t.match(decoded(`{name: a, validation_context: {trusted_ca: {filename: ${root.certificate}}}}`).value?.secret, {
    kind: 'validation-context',
    roots: { kind: 'pem', pem: readFileSync(root.certificate, 'utf8') },
  });
  t.same(decoded('{name: a, generic_secret: {secret: {inline_string: k}}}').value?.secret, {
    kind: 'generic',
    name: 'a',
    value: new Uint8Array([107]),
  });
});

t.test('problems', async (t) => {
  const rows: readonly [yaml: string, problem: RegExp][] = [
    ['{name: a}', /^: one of tls_certificate, session_ticket_keys, validation_context, generic_secret is required/],
    ['{name: a, tls_certificate: {certificate_chain: {inline_string: C}}}', /^tls_certificate.private_key: .*required/],
    ['{name: a, tls_certificate: {private_key: {inline_string: K}}}', /^tls_certificate.certificate_chain: .*required/],
    [
      '{name: a, tls_certificate: {certificate_chain: {filename: /does/not/exist}, private_key: {inline_string: K}}}',
      /^tls_certificate.certificate_chain.filename: .* cannot be read: ENOENT/,
    ],
    ['{name: a, generic_secret: {}}', /^generic_secret.secret: secret is required/],
    [
      '{name: a, session_ticket_keys: {keys: [{inline_string: short}]}}',
      /^session_ticket_keys.keys\[0\]: must have 80/,
    ],
  ];
  for (const [yaml, problem] of rows) t.match(decoded(yaml).problems[0], problem, yaml);
});

import t from 'tap';
import { decodeSecret } from '../../../xds/decode/secret.ts';
import type { Secret } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { certificateYaml, makeSecretFiles } from '../../support/secret-fixtures.ts';

const files = makeSecretFiles(t.testdir());
const decoded = (yaml: string, watchesFiles = false) =>
  decodedAs('envoy.extensions.transport_sockets.tls.v3.Secret', yaml, (message: Secret, problems) =>
    decodeSecret(message, { watchesFiles }, problems),
  );

t.test('a secret of each kind', async (t) => {
  const key = Buffer.alloc(80).toString('base64');
  const kinds: readonly [yaml: string, kind: string][] = [
    [`tls_certificate: ${certificateYaml(files.leaf)}`, 'certificate'],
    [`validation_context: {trusted_ca: {filename: ${files.root.certificate}}}`, 'validation-context'],
    [`session_ticket_keys: {keys: [{inline_bytes: ${key}}]}`, 'session-ticket-keys'],
    ['generic_secret: {secret: {inline_string: a}}', 'generic'],
  ];
  for (const [yaml, kind] of kinds) {
    t.match(decoded(`{name: a, ${yaml}}`), {
      value: { written: { name: 'a', kind }, secret: { name: 'a', kind } },
      problems: noItems,
    });
  }
  const { written } = decoded(`{name: a, tls_certificate: ${certificateYaml(files.leaf)}}`, true).value!;
  t.same(written.watchedDirectories, [files.directory]);
});

t.test('a secret is taken whole or not at all', async (t) => {
  const { leaf, other } = files;
  const mixed = `{certificate_chain: {filename: ${leaf.certificate}}, private_key: {filename: ${other.key}}}`;
  t.same(decoded(`{name: a, tls_certificate: ${mixed}}`), {
    value: undefined,
    problems: ['tls_certificate.private_key: does not belong to the certificate'],
  });
  t.strictSame(decoded('{name: a, validation_context: {trusted_ca: {inline_string: a}}}').problems, [
    'validation_context.trusted_ca: has no certificate in PEM',
  ]);
  t.matchOnly(decoded('{name: a}').problems, [/^: one of tls_certificate, .* is required$/]);
});

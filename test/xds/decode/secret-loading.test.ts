import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import type { WrittenSecret } from '../../../config/written-secret.ts';
import { decodeSecret } from '../../../xds/decode/secret.ts';
import { loadSecret } from '../../../xds/decode/secret-loading.ts';
import type { Secret } from '../../../xds/generated/messages.ts';
import { checkMessage } from '../../../xds/message/message-check.ts';
import { readProtoJson } from '../../../xds/message/proto-json.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';
import { makeSecretFiles } from '../../support/secret-fixtures.ts';

const { root, leaf, other } = makeSecretFiles(t.testdir());
const text = (value: string) => ({ kind: 'inline', bytes: new Uint8Array(Buffer.from(value)) }) as const;
const rules = { subjectAltNames: [], spkiHashes: [], certificateHashes: [] };
const common = { name: 'a', watchedDirectories: [] };

function loaded(written: WrittenSecret) {
  const problems = new Problems();
  const secret = loadSecret(written, problems);
  return { secret, problems: problems.list.map(({ path, message }) => `${path}: ${message}`) };
}

t.test('a certificate with its key, its password and its staple', async (t) => {
  const written = {
    ...common,
    kind: 'certificate',
    certificateChain: text(leaf.chainPem),
    privateKey: text(leaf.keyPem),
  } as const;
  t.same(loaded(written), {
    secret: { kind: 'certificate', name: 'a', certificateChain: leaf.chainPem, privateKey: leaf.keyPem },
    problems: [],
  });
  t.strictSame(loaded({ ...written, privateKey: text(other.keyPem) }), {
    secret: undefined,
    problems: ['private_key: does not belong to the certificate'],
  });
  t.same(loaded({ ...written, certificateChain: text('x'), ocspStaple: text('y') }).problems, [
    'certificate_chain: has no certificate in PEM',
    'ocsp_staple: is no OCSP response in DER',
  ]);
  t.same(loaded({ ...written, password: { kind: 'file', path: '/not/there' } }).problems, [
    'password.filename: /not/there cannot be read: ENOENT: there is no folder /not; put it there, or correct the path',
  ]);
});

t.test('what peers are judged by', async (t) => {
  const written = { ...common, kind: 'validation-context', rules } as const;
  const pem = { kind: 'pem', pem: text(root.chainPem) } as const;
  t.same(loaded({ ...written, roots: pem }).secret, {
    kind: 'validation-context',
    name: 'a',
    ...rules,
    roots: { kind: 'pem', pem: root.chainPem },
  });
  t.match(loaded({ ...written, roots: { kind: 'system' } }).secret, { roots: { kind: 'system' } });
  t.match(loaded({ ...written, trustDomains: [{ name: 'd', roots: text(root.chainPem) }] }).secret, {
    trustDomains: onlyItems({ name: 'd', roots: root.chainPem }),
  });
  t.same(loaded({ ...written, roots: pem, revocationLists: text('x') }).problems, [
    'crl: has no revocation list in PEM',
  ]);
  t.same(loaded({ ...written, trustDomains: [{ name: 'd', roots: text('x') }] }).problems, [
    'custom_validator_config.typed_config.trust_domains[0].trust_bundle: has no certificate in PEM',
  ]);
  t.matchOnly(loaded({ ...written, rules: { ...rules, allowsExpired: true } }).problems, [
    /of no use without trusted_ca/,
  ]);
});

t.test('ticket keys of 80 bytes', async (t) => {
  const key = (length: number) => ({ kind: 'inline', bytes: new Uint8Array(length) }) as const;
  const written = { ...common, kind: 'session-ticket-keys' } as const;
  t.match(loaded({ ...written, keys: [key(80), key(80)] }), { secret: { keys: { length: 2 } }, problems: noItems });
  t.same(loaded({ ...written, keys: [key(80), key(79)] }), {
    secret: undefined,
    problems: ['keys[1]: must have 80 bytes, has 79'],
  });
});

t.test('nothing of a key is in a problem, whatever is wrong', async (t) => {
  const type = 'envoy.extensions.transport_sockets.tls.v3.Secret';
  const fields = ['inline_string', 'inline_bytes'] as const;
  const damaged = fc.tuple(fc.constantFrom('cut', 'swapped', 'doubled'), fc.nat(leaf.keyPem.length), fc.boolean());
  const damage = ([kind, at]: readonly [string, number, boolean]) => {
    if (kind === 'cut') return leaf.keyPem.slice(0, at);
    if (kind === 'doubled') return leaf.keyPem.slice(0, at) + leaf.keyPem;
    return leaf.keyPem.slice(at) + leaf.keyPem.slice(0, at);
  };
  const secretWith = (place: string, value: object) => {
    const chain = { inline_string: leaf.chainPem };
    const certificate = { certificate_chain: chain, private_key: { inline_string: leaf.keyPem } };
    if (place === 'keys') return { name: 'a', session_ticket_keys: { keys: [value] } };
    if (place === 'secret') return { name: 'a', generic_secret: { secret: value } };
    if (place === 'trusted_ca') return { name: 'a', validation_context: { trusted_ca: value } };
    return { name: 'a', tls_certificate: { ...certificate, [place]: value } };
  };
  const places = fc.constantFrom(
    'private_key',
    'password',
    'certificate_chain',
    'pkcs12',
    'keys',
    'secret',
    'trusted_ca',
  );
  fc.assert(
    fc.property(places, fc.constantFrom(...fields), damaged, (place, field, how) => {
      const key = how[2] ? damage(how) : randomBytes(90).toString('base64');
      const { message, problems, unknownFields } = readProtoJson(secretWith(place, { [field]: key }), type);
      const found = new Problems();
      if (message !== undefined) {
        checkMessage(message, type, found);
        decodeSecret(message as Secret, { watchesFiles: false }, found);
      }
      const told = JSON.stringify([...problems, ...unknownFields, ...found.list]);
      const words = key.split(/\s|-----[A-Z ]+-----/).filter((word) => word.length >= 8);
      return words.every((word) => !told.includes(word.slice(0, 8)));
    }),
    { numRuns: 200 },
  );
  t.pass();
});

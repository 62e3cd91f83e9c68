import t from 'tap';
import type { Secret } from '../../../config/secret.ts';
import { digestOfTrust, SecretStore, secretProblem } from '../../../proxy/tls/secret-store.ts';
import { certificateSecret, trustSecret, validation } from '../../support/tls-config-fixtures.ts';
import { Authority } from '../../support/tls-fixtures.ts';

const mesh = Authority.make(t.testdir(), 'mesh');
const [leaf, other] = [mesh.issue(), mesh.issue()];
const good = certificateSecret('a', leaf);
const bad = certificateSecret('a', { ...leaf, privateKey: other.privateKey });
const pem = mesh.certificate;

t.test('what can be used is there, what cannot leaves the one before it', (t) => {
  const store = new SecretStore();
  t.same(store.apply({ set: [['k', bad]], removed: [] }), []);
  t.equal(store.get('k'), undefined);
  t.match(store.problem('k'), /^the private key does not go with/);
  t.same(store.apply({ set: [['k', good]], removed: [] }), ['k']);
  t.equal(store.problem('k'), undefined);
  t.same(store.apply({ set: [['k', bad]], removed: [] }), []);
  t.equal(store.get('k'), good);
  t.match(store.problem('k'), /does not go with/);
  t.same(store.apply({ set: [], removed: ['k', 'never'] }), ['k']);
  t.same([store.get('k'), [...store.keys()]], [undefined, []]);
  t.end();
});

t.test('secrets have the same digest when they are the same, whatever they are called', (t) => {
  const digestOf = (secret: Secret): string => {
    const store = new SecretStore();
    store.apply({ set: [['k', secret]], removed: [] });
    return store.digest('k');
  };
  t.equal(digestOf(good), digestOf({ ...good, name: 'b' }));
  const digests = [
    digestOf(good),
    digestOf(certificateSecret('a', other)),
    digestOf(trustSecret('a', { roots: { kind: 'pem', pem } })),
    digestOf(trustSecret('a', { roots: { kind: 'pem', pem }, allowsExpired: true })),
    digestOf(trustSecret('a', { trustDomains: [{ name: 'td', roots: pem }] })),
    digestOf({ kind: 'session-ticket-keys', name: 'a', keys: [Buffer.alloc(80)] }),
    digestOf({ kind: 'generic', name: 'a', value: Buffer.alloc(80) }),
  ];
  t.equal(new Set(digests).size, digests.length);
  t.notOk(digests.includes(''));
  const names = {
    subjectAltNames: [{ type: 'dns', matcher: { kind: 'exact', value: 'a', ignoreCase: false } }],
  } as const;
  t.equal(digestOfTrust(validation(names)), digestOfTrust(validation()), 'names are no part of trust');
  t.equal(new SecretStore().digest('k'), '');
  t.end();
});

t.test('each kind of secret is checked', (t) => {
  const problems: readonly [Secret, RegExp | undefined][] = [
    [good, undefined],
    [trustSecret('a', {}), undefined],
    [trustSecret('a', { roots: { kind: 'system' } }), undefined],
    [trustSecret('a', { roots: { kind: 'pem', pem: 'none' } }), /trust anchors are refused/],
    [trustSecret('a', { roots: { kind: 'pem', pem }, revocationLists: 'none' }), /revocation lists are refused/],
    [trustSecret('a', { roots: { kind: 'pem', pem: pem + mesh.revokeLast(0) } }), undefined],
    [trustSecret('a', { trustDomains: [{ name: 'td', roots: '' }] }), /no certificates/],
    [{ kind: 'session-ticket-keys', name: 'a', keys: [] }, /no key of tickets/],
    [{ kind: 'session-ticket-keys', name: 'a', keys: [Buffer.alloc(79)] }, /80 bytes/],
    [{ kind: 'generic', name: 'a', value: Buffer.alloc(0) }, undefined],
  ];
  for (const [secret, expected] of problems) {
    if (expected === undefined) t.equal(secretProblem(secret), undefined);
    else t.match(secretProblem(secret), expected);
  }
  t.end();
});

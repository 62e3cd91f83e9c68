import t from 'tap';
import { TlsContext } from '../../../native/tls-context.ts';
import { expiriesOf } from '../../../proxy/tls/expiry.ts';
import { nativeParameters, referencesOf, resolveTls, secretOf } from '../../../proxy/tls/resolved-tls.ts';
import { SecretStore } from '../../../proxy/tls/secret-store.ts';
import {
  certificateSecret,
  downstreamTls,
  reference,
  trustSecret,
  upstreamTls,
  validation,
} from '../../support/tls-config-fixtures.ts';
import { Authority } from '../../support/tls-fixtures.ts';

const mesh = Authority.make(t.testdir(), 'mesh');
const leaf = mesh.issue({ notAfter: '20491231000000Z' });
const dns = (value: string) => ({ type: 'dns', matcher: { kind: 'exact', value, ignoreCase: false } }) as const;

function storeOf(...secrets: Parameters<SecretStore['apply']>[0]['set'][number][1][]): SecretStore {
  const store = new SecretStore();
  store.apply({ set: secrets.map((secret) => [secret.name, secret]), removed: [] });
  return store;
}

t.test('what is written where it is used and what its secret says are one validation', (t) => {
  const store = storeOf(
    certificateSecret('server', leaf),
    trustSecret('trust', { roots: { kind: 'pem', pem: mesh.certificate }, subjectAltNames: [dns('b')] }),
  );
  const own = validation({ subjectAltNames: [dns('a')] });
  const resolved = resolveTls(downstreamTls({ validation: { own, secret: reference('trust') } }), store);
  if ('reason' in resolved) throw new Error(resolved.reason);
  t.same(resolved.validation?.subjectAltNames, [dns('a'), dns('b')]);
  t.equal(resolved.rules?.hasRoots, true);
  t.equal(resolved.certificates.length, 1);
  const { validation: _, ...careless } = upstreamTls({ certificates: [] });
  t.same(resolveTls(careless, store), { certificates: [], validation: undefined, rules: undefined });
  t.end();
});

t.test('what is missing is waited for, what is wrong is not', (t) => {
  const store = storeOf(certificateSecret('server', leaf));
  t.same(resolveTls(downstreamTls(), store), { isWaiting: true, reason: 'the secret trust has not come' });
  t.same(secretOf(reference('server'), 'validation-context', store), {
    isWaiting: false,
    reason: 'the secret server is a certificate, and no validation-context',
  });
  const broken = storeOf(certificateSecret('server', { ...leaf, certificateChain: '' }));
  t.match(secretOf(reference('server'), 'certificate', broken), {
    isWaiting: false,
    reason: /^the secret server cannot be used: /,
  });
  t.same(
    referencesOf(downstreamTls()).map(({ key }) => key),
    ['server', 'trust'],
  );
  t.end();
});

t.test('parameters are those of OpenSSL, which takes the defaults', (t) => {
  const { parameters } = upstreamTls();
  const defaults = nativeParameters({ ...parameters, groups: [] });
  t.match(defaults, {
    minVersion: 0x0303,
    maxVersion: 0x0304,
    groups: /X25519MLKEM768/,
    signatureAlgorithms: undefined,
  });
  const given = {
    ...parameters,
    minVersion: '1.3',
    cipherSuites: ['AES128-SHA', 'AES256-SHA'],
    groups: ['P-256', 'P-384'],
  } as const;
  const signatureAlgorithms = ['ecdsa_secp256r1_sha256', 'rsa_pss_rsae_sha256'];
  const native = nativeParameters({ ...given, signatureAlgorithms });
  t.match(native, { minVersion: 0x0304, ciphers: 'AES128-SHA:AES256-SHA', groups: 'P-256:P-384' });
  for (const taken of [defaults, native]) {
    const context = TlsContext.create({ ...taken, side: 'client', verification: 'none' });
    if (typeof context === 'string') throw new Error(context);
    context.close();
  }
  t.end();
});

t.test('expiries are by names of secrets; what is written in place has none', (t) => {
  const store = storeOf(
    certificateSecret('server', leaf),
    trustSecret('trust', { roots: { kind: 'pem', pem: mesh.certificate } }),
  );
  const expiries = expiriesOf(downstreamTls(), store);
  t.equal(expiries.get('server'), Date.UTC(2049, 11, 31));
  t.ok(expiries.get('trust')! < Date.now() + 3 * 86_400_000);
  t.same(expiriesOf(downstreamTls({ validation: { own: validation() } }), new SecretStore()), new Map());
  t.end();
});

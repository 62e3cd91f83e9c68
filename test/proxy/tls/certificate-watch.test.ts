import t from 'tap';
import type { Secret } from '../../../config/secret.ts';
import { CertificateWatch, daysUntil } from '../../../proxy/tls/certificate-watch.ts';
import { onlyItems } from '../../support/only-items.ts';
import { certificateSecret, trustSecret } from '../../support/tls-config-fixtures.ts';
import { Authority } from '../../support/tls-fixtures.ts';

const mesh = Authority.make(t.testdir(), 'mesh');
const leaf = mesh.issue({ notBefore: '20300101000000Z', notAfter: '20300111000000Z' });
const nextLeaf = mesh.issue({ notBefore: '20300110000000Z', notAfter: '20300120000000Z' });
const DAY_MS = 86_400_000;
const beginMs = Date.UTC(2030, 0, 1);

function watchOf(...secrets: readonly Secret[]) {
  const clock = { nowMs: beginMs };
  const watch = new CertificateWatch(() => clock.nowMs);
  const follow = (...given: readonly Secret[]) =>
    watch.follow(new Map(given.map((secret) => [secret.name, secret])), () => new Map());
  follow(...secrets);
  return { watch, clock, follow };
}

t.test('a certificate is told of in the last tenth of its life, once, and again when it has expired', (t) => {
  const { watch, clock, follow } = watchOf(certificateSecret('default', leaf));
  clock.nowMs = beginMs + 9 * DAY_MS - 1;
  t.same([watch.problems(), watch.takeNewProblems()], [[], []]);
  clock.nowMs = beginMs + 9 * DAY_MS + 1;
  const near = {
    name: 'default',
    isExpired: false,
    words:
      'the certificate default expires at 2030-01-11T00:00:00Z, in the last tenth of its life, and was not replaced',
  };
  t.same(watch.takeNewProblems(), [near]);
  t.same(watch.takeNewProblems(), []);
  t.same(watch.problems(), [near], 'as long as it is so');
  clock.nowMs = beginMs + 10 * DAY_MS + 1;
  t.same(
    watch.takeNewProblems().map(({ isExpired }) => isExpired),
    [true],
  );
  t.match(
    watch.problems()[0]!.words,
    /^the certificate default expired at 2030-01-11T00:00:00Z, and was not replaced$/,
  );
  follow(certificateSecret('default', nextLeaf));
  t.same(watch.problems(), [], 'it was replaced');
  t.end();
});

t.test('a certificate that is written in place is told of by its place', (t) => {
  const watch = new CertificateWatch(() => beginMs + 11 * DAY_MS);
  watch.follow(
    new Map([['inline 1', certificateSecret('', leaf)]]),
    () => new Map([['inline 1', 'in x of listener l']]),
  );
  t.match(watch.problems()[0]!.words, /^the certificate in x of listener l expired at 2030-01-11T00:00:00Z, /);
  t.equal(watch.secrets()[0]!.name, 'in x of listener l');
  t.end();
});

t.test('the tenth is of what was left when the certificate came, whatever the CA has dated back', (t) => {
  const { watch, clock, follow } = watchOf();
  clock.nowMs = beginMs + 9.5 * DAY_MS;
  follow(certificateSecret('default', leaf));
  t.same(watch.problems(), [], 'half a day is all that it ever had');
  clock.nowMs += 0.44 * DAY_MS;
  follow({ ...certificateSecret('default', leaf), password: 'another' } as Secret);
  t.same(watch.problems(), []);
  clock.nowMs += 0.02 * DAY_MS;
  t.match(watch.problems()[0]!.words, /in the last tenth of its life/, 'the same in another secret has not come anew');
  clock.nowMs += DAY_MS;
  follow();
  follow(certificateSecret('default', leaf));
  t.match(
    watch.problems(),
    onlyItems({ name: 'default', isExpired: true }),
    'what has ended when it comes is told of at once',
  );
  t.end();
});

t.test('a secret that cannot be used leaves what was there, with its error, and no key in it', (t) => {
  const { watch, clock, follow } = watchOf(certificateSecret('default', leaf));
  follow(certificateSecret('default', { ...nextLeaf, privateKey: leaf.privateKey }));
  const [secret] = watch.secrets();
  t.match(secret!.lastError, /^the private key does not go with the certificate/);
  t.equal(secret!.chain[0]!.notAfterMs, beginMs + 10 * DAY_MS);
  clock.nowMs = beginMs + 11 * DAY_MS;
  t.match(watch.problems()[0]!.words, /and what came in its place cannot be used: the private key does not go/);
  follow(certificateSecret('default', nextLeaf));
  t.equal(watch.secrets()[0]!.lastError, undefined);
  t.end();
});

t.test('days count to the first that expires, own or trusted', (t) => {
  const roots = trustSecret('roots', { roots: { kind: 'pem', pem: mesh.certificate } });
  const { watch, clock, follow } = watchOf();
  t.equal(watch.daysUntilFirstExpiring, undefined);
  follow(certificateSecret('default', leaf));
  t.equal(watch.daysUntilFirstExpiring, 10);
  clock.nowMs += 60 * DAY_MS;
  t.equal(watch.daysUntilFirstExpiring, 0);
  follow(certificateSecret('default', leaf), roots);
  t.equal(watch.secrets()[1]!.roots[0]!.subject, 'CN=mesh');
  follow(trustSecret('domains', { trustDomains: [{ name: 'td', roots: mesh.certificate }] }));
  t.equal(watch.secrets()[0]!.roots.length, 1);
  t.equal(daysUntil(3 * DAY_MS - 1, 0), 2);
  t.end();
});

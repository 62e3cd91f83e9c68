import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import type { ValidationContext } from '../../../config/secret.ts';
import { certificateOf } from '../../../proxy/tls/certificate-facts.ts';
import { compilePeerRules, type PresentedPeer, refusalOf } from '../../../proxy/tls/peer-rules.ts';
import { NOW_MS, validation } from '../../support/tls-config-fixtures.ts';
import { Authority } from '../../support/tls-fixtures.ts';

const mesh = Authority.make(t.testdir(), 'mesh');
const der = new X509Certificate(mesh.issue({ subjectAltName: 'DNS:a.test,URI:spiffe://td/a' }).certificateChain).raw;
const peer: PresentedPeer = {
  ...certificateOf(der)!,
  verifyResult: 0,
  isResumed: false,
  verifiedChain: () => [],
  verifiedName: undefined,
};
const roots = { kind: 'pem', pem: mesh.certificate } as const;
const dns = (value: string) => ({ type: 'dns', matcher: { kind: 'exact', value, ignoreCase: false } }) as const;

function refusal(changes: Partial<ValidationContext>, presented: Partial<PresentedPeer> = {}, nowMs = NOW_MS) {
  const rules = compilePeerRules(validation(changes));
  if (rules === undefined || typeof rules === 'string') throw new Error(`${rules}`);
  return refusalOf(rules, { ...peer, ...presented }, nowMs);
}

t.test('rules that ask nothing are none, and those that cannot be true are refused', (t) => {
  t.equal(compilePeerRules(validation()), undefined);
  t.match(compilePeerRules(validation({ subjectAltNames: [dns('a.test')] })), /no roots by which they are true/);
  t.match(
    compilePeerRules(validation({ trustDomains: [{ name: 'td', roots: '' }] })),
    /^the roots of the trust domain td/,
  );
  t.end();
});

t.test('reasons say what was presented and what was expected', (t) => {
  const start = 'the certificate is for spiffe://td/a, a.test, and';
  t.equal(refusal({ roots }), undefined);
  t.equal(refusal({ roots, subjectAltNames: [dns('a.test')] }), undefined);
  t.same(refusal({ roots, subjectAltNames: [dns('b.test')] }), {
    stat: 'failVerifySan',
    reason: `${start} not for b.test`,
  });
  t.equal(
    refusal({ roots, subjectAltNames: [dns('b.test'), dns('c.test')] })?.reason,
    `${start} none of 2 names that are allowed`,
  );
  const prefix = { type: 'uri', matcher: { kind: 'prefix', value: 'spiffe://other/', ignoreCase: false } } as const;
  t.equal(
    refusal({ roots, subjectAltNames: [prefix] })?.reason,
    `${start} its name must match the prefix spiffe://other/`,
  );
  t.equal(refusal({ roots }, { verifyResult: 10 })?.reason, 'the certificate is not good: certificate has expired');
  t.end();
});

t.test('a name that must be is asked for in place of those of the rules', (t) => {
  const rules = { roots, subjectAltNames: [dns('b.test')] };
  t.equal(refusal(rules, { verifiedName: 'a.test' }), undefined);
  t.match(
    refusal({ roots, subjectAltNames: [dns('a.test')] }, { verifiedName: 'b.test' })?.reason,
    /and not for b\.test$/,
  );
  t.match(refusal({ roots }, { verifiedName: '' })?.stat, 'failVerifySan', 'an empty one is nobody');
  t.end();
});

t.test('a session that goes on is judged by the clock', (t) => {
  const later = NOW_MS + 9 * 86_400_000;
  t.match(refusal({ roots }, { isResumed: true }, later)?.reason, /expired since the session began/);
  t.equal(refusal({ roots, allowsExpired: true }, { isResumed: true }, later), undefined);
  t.equal(refusal({ roots }, { isResumed: false }, later), undefined, 'OpenSSL has looked');
  t.end();
});

t.test('names of peers end no line of a log, however they are', (t) => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 400 }), { maxLength: 12 }), (uris) => {
      const certificate = { ...peer.certificate, uris, dnsNames: [] };
      const found = refusal({ roots, subjectAltNames: [dns('none.test')] }, { certificate });
      return found !== undefined && found.reason.length < 1400 && !/[\n\r\0]/.test(found.reason);
    }),
    { seed: 5, numRuns: 300 },
  );
  t.end();
});

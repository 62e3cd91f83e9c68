import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { certificateOf } from '../../../proxy/tls/certificate-facts.ts';
import { compileTrustDomains, trustDomainProblem } from '../../../proxy/tls/trust-domains.ts';
import { Authority } from '../../support/tls-fixtures.ts';

const folder = t.testdir();
const [one, two] = [Authority.make(`${folder}/one`, 'one'), Authority.make(`${folder}/two`, 'two')];
const USAGE = 'keyUsage=critical,digitalSignature';
const read = (authority: Authority, subjectAltName: string, extensions = USAGE) =>
  certificateOf(new X509Certificate(authority.issue({ subjectAltName, extensions }).certificateChain).raw)!.certificate;
const rootOf = (authority: Authority) => new X509Certificate(authority.certificate).raw;
const domains = compileTrustDomains([
  { name: 'one.test', roots: one.certificate },
  { name: 'two.test', roots: two.certificate },
]);
if (typeof domains === 'string') throw new Error(domains);

t.test('a peer is of the domain in its id, and its chain ends in a root of that domain', (t) => {
  const good = read(one, 'URI:spiffe://one.test/a');
  t.equal(trustDomainProblem(domains, good, [rootOf(one)]), undefined);
  t.equal(
    trustDomainProblem(domains, good, [rootOf(two)]),
    'the certificate of spiffe://one.test/a was signed in another trust domain than one.test',
  );
  t.match(
    trustDomainProblem(domains, read(one, 'URI:spiffe://three.test/a'), [rootOf(one)]),
    /of the trust domain three.test/,
  );
  t.match(
    trustDomainProblem(domains, read(one, 'URI:spiffe://one.test/a,URI:spiffe://two.test/a'), [rootOf(one)]),
    /exactly one URI/,
  );
  t.match(trustDomainProblem(domains, read(one, 'DNS:one.test'), [rootOf(one)]), /has 0/);
  t.end();
});

t.test('a session that goes on has no chain: it may where there is one domain', (t) => {
  const good = read(one, 'URI:spiffe://one.test/a');
  t.match(trustDomainProblem(domains, good, []), /signed in another trust domain/);
  const alone = compileTrustDomains([{ name: 'one.test', roots: one.certificate }]);
  t.equal(typeof alone !== 'string' && trustDomainProblem(alone, good, []), undefined);
  t.end();
});

t.test('roots that cannot be read are refused by the name of their domain', (t) => {
  t.match(
    compileTrustDomains([{ name: 'one.test', roots: 'none' }]),
    /^the roots of the trust domain one.test are refused: /,
  );
  t.end();
});

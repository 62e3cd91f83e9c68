import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Errno } from '../../native/errno.ts';
import type { TlsServerOptions } from '../../native/tls-context.ts';
import { type TlsTrust, trustProblem } from '../../native/tls-trust.ts';
import { Authority, type IssuedIdentity, sessionPair, shakeHands } from '../support/tls-fixtures.ts';

const folder = t.testdir();
const mesh = Authority.make(join(folder, 'mesh'), 'mesh');
const stranger = Authority.make(join(folder, 'stranger'), 'stranger');
const leaf = mesh.issue();
const expired = mesh.issue({ notBefore: '20200101000000Z', notAfter: '20200102000000Z' });
const early = mesh.issue({ notBefore: '20490101000000Z', notAfter: '20490102000000Z' });
const strangers = stranger.issue();
const ISSUER = 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash';
const intermediate = mesh.issue({
  extensions: ISSUER,
  subjectAltName: '',
});
const below = signedBy(intermediate);

const outcomeOf = (identity: IssuedIdentity, trust: TlsTrust, changes: Partial<TlsServerOptions> = {}) => {
  const server = { identity: leaf, verification: 'required', trust, ...changes } as const;
  const client = { identity, verification: 'none' } as const;
  const pair = sessionPair(t, server, client);
  return { result: shakeHands(pair)[0], problem: pair.server.problem, session: pair.server };
};

const roots = mesh.certificate;

t.test('dates are looked at unless they are to be ignored', (t) => {
  t.match(outcomeOf(expired, { roots }).problem, /certificate has expired/);
  t.match(outcomeOf(early, { roots }).problem, /not yet valid/);
  t.equal(outcomeOf(expired, { roots, ignoresDates: true }).result, 0);
  t.equal(outcomeOf(early, { roots, ignoresDates: true }).result, 0);
  t.match(outcomeOf(strangers, { roots, ignoresDates: true }).problem, /unable to get local issuer/);
  t.end();
});

t.test('an untrusted chain is let in where it decides nothing, and the result is kept', (t) => {
  const accepted = outcomeOf(strangers, { roots }, { acceptsUntrusted: true });
  t.equal(accepted.result, 0);
  t.ok(accepted.session.verifyResult !== 0);
  t.equal(accepted.session.peerCertificates().length, 1);
  const good = outcomeOf(leaf, { roots }, { acceptsUntrusted: true });
  t.same([good.result, good.session.verifyResult], [0, 0]);
  t.same(
    outcomeOf(expired, { roots }, { acceptsUntrusted: true }).session.verifyResult,
    10,
    'X509_V_ERR_CERT_HAS_EXPIRED',
  );
  t.end();
});

t.test('an issuer that is trusted by itself ends a chain, and only where that is allowed', (t) => {
  const trust = { roots: intermediate.certificateChain };
  t.equal(outcomeOf(below, trust).result, -Errno.EPROTO);
  t.equal(outcomeOf(below, { ...trust, allowsPartialChain: true }).result, 0);
  t.equal(outcomeOf(leaf, { ...trust, allowsPartialChain: true }).result, -Errno.EPROTO, 'signed by its issuer');
  t.end();
});

t.test('a chain may be as deep as is said', (t) => {
  t.equal(outcomeOf(below, { roots, maxDepth: 1 }).result, 0);
  t.match(outcomeOf(below, { roots, maxDepth: 0 }).problem, /certificate chain too long|unable to get/);
  t.equal(outcomeOf(leaf, { roots, maxDepth: 0 }).result, 0);
  t.end();
});

t.test('the verified chain goes from the certificate to the root, whatever was sent with it', (t) => {
  const extra = { ...below, certificateChain: below.certificateChain + stranger.certificate };
  const { session } = outcomeOf(extra, { roots });
  const chain = session.verifiedChain();
  t.equal(chain.length, 3);
  t.same(chain[0], session.peerCertificates()[0]);
  t.equal(session.ownCertificate() !== undefined, true);
  t.same(
    outcomeOf(strangers, { roots }, { acceptsUntrusted: true }).session.verifiedChain().length,
    1,
    'as far as it went',
  );
  t.end();
});

t.test('a certificate that is for servers alone is no client', (t) => {
  const serverOnly = mesh.issue({ extensions: 'extendedKeyUsage=serverAuth' });
  const either = mesh.issue({ extensions: 'extendedKeyUsage=serverAuth,clientAuth' });
  t.match(outcomeOf(serverOnly, { roots }).problem, /unsuitable certificate purpose|unsupported certificate purpose/);
  t.equal(outcomeOf(either, { roots }).result, 0);
  t.end();
});

t.test('revocation of a leaf and of an issuer', (t) => {
  const revoked = mesh.issue();
  const lists = mesh.revokeLast(1);
  t.match(outcomeOf(revoked, { roots, revocationLists: lists }).problem, /certificate revoked/);
  t.equal(outcomeOf(leaf, { roots, revocationLists: lists }).result, 0);
  const noListOfIssuer = outcomeOf(below, { roots, revocationLists: lists });
  t.match(noListOfIssuer.problem, /unable to get certificate CRL/, 'every issuer must have a list');
  t.end();
});

t.test('a revoked issuer takes all with it that it has signed, unless only leaves are looked for', (t) => {
  const root = Authority.make(join(folder, 'root'), 'root');
  const issuer = root.issue({ extensions: ISSUER, subjectAltName: '' });
  const leafBelow = signedBy(issuer);
  const before = root.revokeLast(0) + emptyList();
  const trust = { roots: root.certificate };
  t.equal(outcomeOf(leafBelow, { ...trust, revocationLists: before }).result, 0);
  const lists = root.revokeLast(1) + emptyList();
  t.match(outcomeOf(leafBelow, { ...trust, revocationLists: lists }).problem, /certificate revoked/);
  t.equal(outcomeOf(leafBelow, { ...trust, revocationLists: lists, revokesIssuers: false }).result, 0);
  t.end();
});

t.test('what cannot be read is said', (t) => {
  t.equal(trustProblem({ roots }), undefined);
  t.match(trustProblem({ roots: 'none' }), /^the trust anchors are refused: there is no certificate in it$/);
  t.match(trustProblem({ roots, revocationLists: roots }), /^the revocation lists are refused: /);
  t.end();
});

function signedBy(issuer: IssuedIdentity): IssuedIdentity {
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const [certificate, key] = [file('i.pem', issuer.certificateChain), file('i.key', issuer.privateKey)];
  const run = (...args: string[]): unknown => execFileSync('openssl', args, { stdio: 'pipe' });
  const [ownKey, request, own] = ['b.key', 'b.csr', 'b.pem'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  run(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    ownKey,
    '-out',
    request,
    '-subj',
    '/CN=b',
  );
  run('x509', '-req', '-in', request, '-CA', certificate, '-CAkey', key, '-days', '2', '-out', own);
  return {
    certificateChain: readFileSync(own, 'utf8') + issuer.certificateChain,
    privateKey: readFileSync(ownKey, 'utf8'),
  };
}

/** Of the issuer that `signedBy` was given last: it has revoked nothing. */
function emptyList(): string {
  const config = join(folder, 'list.conf');
  const index = join(folder, 'list.index');
  writeFileSync(index, '');
  writeFileSync(config, `[ca]\ndefault_ca=d\n[d]\ndatabase=${index}\ndefault_md=sha256\n`);
  const own = ['-keyfile', join(folder, 'i.key'), '-cert', join(folder, 'i.pem')];
  const list = join(folder, 'list.pem');
  execFileSync('openssl', ['ca', '-config', config, '-gencrl', '-crldays', '2', ...own, '-out', list], {
    stdio: 'pipe',
  });
  return readFileSync(list, 'utf8');
}

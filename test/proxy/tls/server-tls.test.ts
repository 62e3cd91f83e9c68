// Who is let in by real handshakes: the client's certificate on one side, the rules of a listener on the other.

import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import type { ValidationContext } from '../../../config/secret.ts';
import type { DownstreamTls } from '../../../config/tls.ts';
import { tlsFactsOf } from '../../../proxy/tls/facts.ts';
import {
  certificateSecret,
  downstreamTls,
  meet,
  reference,
  tlsRig,
  trustSecret,
  upstreamTls,
} from '../../support/tls-config-fixtures.ts';
import { Authority, type IssuedIdentity, type LeafTerms } from '../../support/tls-fixtures.ts';

const folder = t.testdir();
const mesh = Authority.make(`${folder}/mesh`, 'mesh');
const stranger = Authority.make(`${folder}/stranger`, 'stranger');
const ID = 'spiffe://td.test/ns/a/sa/productpage';
const USAGE = 'keyUsage=critical,digitalSignature';
const issue = (terms: LeafTerms = {}, authority = mesh) =>
  authority.issue({ subjectAltName: `URI:${ID}`, extensions: USAGE, ...terms });
const serverLeaf = mesh.issue({ subjectAltName: 'DNS:reviews.test' });
const caller = issue();
const pem = mesh.certificate;
const byRoots: Partial<ValidationContext> = { roots: { kind: 'pem', pem } };
const byName: Partial<ValidationContext> = {
  ...byRoots,
  subjectAltNames: [{ type: 'uri', matcher: { kind: 'exact', value: ID, ignoreCase: false } }],
};
const byDomain: Partial<ValidationContext> = {
  trustDomains: [
    { name: 'td.test', roots: pem },
    { name: 'other.test', roots: stranger.certificate },
  ],
};

interface Outcome {
  /** Empty when the client was let in. */
  readonly problem: string;
  readonly isVerified: boolean;
  readonly stat: (name: string) => number | undefined;
  readonly ids: readonly string[] | undefined;
}

function outcomeOf(
  ...[t, client, rules, changes]: [
    Test,
    IssuedIdentity | undefined,
    Partial<ValidationContext>,
    Partial<DownstreamTls>?,
  ]
): Outcome {
  const rig = tlsRig();
  rig.give(certificateSecret('server', serverLeaf), trustSecret('trust', rules));
  if (client !== undefined) rig.give(certificateSecret('client', client));
  const certificates = client === undefined ? [] : [reference('client')];
  const { validation: _, ...careless } = upstreamTls({ certificates });
  const met = meet(t, {
    server: rig.contexts.server(downstreamTls({ requiresClientCertificate: true, ...changes }), 'l'),
    client: rig.contexts.client(careless, 'c'),
  });
  const stat = (name: string): number | undefined => rig.stat(`listener.l.ssl.${name}`);
  if (met.results[0] !== 0) return { problem: met.server.problem, isVerified: false, stat, ids: undefined };
  const facts = tlsFactsOf(met.server);
  return { problem: '', isVerified: facts.isPeerVerified, stat, ids: facts.peer?.uris };
}

t.test('a client with a good certificate is let in, by roots, by name and by trust domain', (t) => {
  for (const rules of [byRoots, byName, byDomain]) {
    const { problem, isVerified, ids, stat } = outcomeOf(t, caller, rules);
    t.same([problem, isVerified, ids, stat('handshake')], ['', true, [ID], 1]);
  }
  t.end();
});

const AUTHORITY = 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,digitalSignature';
/** What is wrong, the client, the rules, the reason, and the counter. */
const table: readonly [string, IssuedIdentity, Partial<ValidationContext>, RegExp, string][] = [
  [
    'expired',
    issue({ notBefore: '20200101000000Z', notAfter: '20200102000000Z' }),
    byRoots,
    /certificate has expired/,
    'fail_verify_error',
  ],
  [
    'not yet valid',
    issue({ notBefore: '20490101000000Z', notAfter: '20490102000000Z' }),
    byRoots,
    /not yet valid/,
    'fail_verify_error',
  ],
  [
    'the name is right, the signature is of another root',
    issue({}, stranger),
    byName,
    /unable to get local issuer/,
    'fail_verify_error',
  ],
  [
    'for servers only',
    issue({ extensions: 'extendedKeyUsage=serverAuth' }),
    byRoots,
    /certificate purpose/,
    'fail_verify_error',
  ],
  [
    'another name',
    issue({ subjectAltName: 'URI:spiffe://td.test/ns/a/sa/other' }),
    byName,
    /^the certificate is for spiffe:\/\/td\.test\/ns\/a\/sa\/other, and not for spiffe:\/\/td\.test\/ns\/a\/sa\/productpage$/,
    'fail_verify_san',
  ],
  [
    'no name',
    issue({ subjectAltName: '' }),
    byName,
    /^the certificate is for CN=leaf\d+ without other names, and not for /,
    'fail_verify_san',
  ],
  [
    'the name as another type',
    issue({ subjectAltName: `DNS:${ID.replaceAll('/', '-').replaceAll(':', '-')}` }),
    byName,
    /and not for/,
    'fail_verify_san',
  ],
  [
    'a trust domain that is unknown',
    issue({ subjectAltName: 'URI:spiffe://third.test/a' }),
    byDomain,
    /of the trust domain third\.test, and none of its roots are known/,
    'fail_verify_error',
  ],
  [
    'the id of another trust domain than its root',
    issue({ subjectAltName: 'URI:spiffe://other.test/a' }),
    byDomain,
    /signed in another trust domain than other\.test/,
    'fail_verify_error',
  ],
  [
    'two ids',
    issue({ subjectAltName: `URI:${ID},URI:${ID}b` }),
    byDomain,
    /exactly one URI, and this certificate has 2/,
    'fail_verify_error',
  ],
  [
    'an authority as a leaf',
    issue({ extensions: AUTHORITY }),
    byDomain,
    /authority is no identity/,
    'fail_verify_error',
  ],
  [
    'one that may sign others',
    issue({ extensions: 'keyUsage=critical,digitalSignature,cRLSign' }),
    byDomain,
    /may sign certificates/,
    'fail_verify_error',
  ],
  [
    'an id for one side',
    issue({ extensions: `${USAGE}\nextendedKeyUsage=clientAuth` }),
    byDomain,
    /both sides/,
    'fail_verify_error',
  ],
];

t.test('certificates that are not good are told apart, and each is counted once', (t) => {
  for (const [what, client, rules, expected, counter] of table) {
    const { problem, stat } = outcomeOf(t, client, rules);
    t.match(problem, expected, what);
    t.equal(stat(counter), 1, `${what}: ${counter}`);
    t.equal(stat('handshake'), 0, what);
    t.equal(stat('connection_error'), 0, what);
  }
  t.end();
});

t.test('a certificate that signed itself, and one that was revoked', (t) => {
  const self = {
    certificateChain: stranger.certificate,
    privateKey: readFileSync(`${folder}/stranger/ca.key`, 'utf8'),
  };
  t.match(outcomeOf(t, self, byRoots).problem, /self-signed certificate|unable to get local issuer/);
  const revoked = issue();
  const revocationLists = mesh.revokeLast(1);
  t.match(outcomeOf(t, revoked, { ...byRoots, revocationLists }).problem, /certificate revoked/);
  t.equal(outcomeOf(t, caller, { ...byRoots, revocationLists }).problem, '');
  const among = { roots: { kind: 'pem', pem: pem + revocationLists } } as const;
  t.match(outcomeOf(t, revoked, among).problem, /certificate revoked/, 'lists may stand among the roots');
  t.end();
});

t.test('what is pinned is let in, by its own hash or that of its key, with roots or without', (t) => {
  const own = new X509Certificate(caller.certificateChain);
  const certificateHash = own.fingerprint256.replaceAll(':', '').toLowerCase();
  const keyHash = createHash('sha256')
    .update(own.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');
  for (const pins of [
    { certificateHashes: [certificateHash] },
    { spkiHashes: [keyHash] },
    { certificateHashes: ['00'], spkiHashes: [keyHash] },
  ]) {
    t.same(
      [outcomeOf(t, caller, pins).problem, outcomeOf(t, caller, pins).isVerified],
      ['', false],
      'a pin is no root',
    );
    t.equal(outcomeOf(t, caller, { ...byRoots, ...pins }).isVerified, true);
    const other = outcomeOf(t, issue(), { ...byRoots, ...pins });
    t.match(other.problem, /^the certificate [0-9a-f]{64} is none of \d that are pinned/);
    t.equal(other.stat('fail_verify_cert_hash'), 1);
  }
  t.end();
});

t.test('a certificate may be left out where none is asked for by name or hash', (t) => {
  const optional = { requiresClientCertificate: false };
  const letIn = outcomeOf(t, undefined, byRoots, optional);
  t.same([letIn.problem, letIn.stat('no_certificate'), letIn.ids], ['', 1, undefined]);
  t.match(outcomeOf(t, undefined, byName, optional).problem, /did not return a certificate/);
  t.match(outcomeOf(t, undefined, byRoots).problem, /did not return a certificate/);
  t.match(
    outcomeOf(t, issue({}, stranger), byRoots, optional).problem,
    /unable to get local issuer/,
    'a bad one is not',
  );
  t.end();
});

t.test('who is let in untrusted is no identity', (t) => {
  const untrusted = { ...byName, acceptsUntrusted: true };
  for (const client of [issue({}, stranger), issue({ subjectAltName: 'URI:spiffe://td.test/other' })]) {
    const { problem, isVerified } = outcomeOf(t, client, untrusted);
    t.same([problem, isVerified], ['', false]);
  }
  t.equal(outcomeOf(t, caller, untrusted).isVerified, true);
  const expired = issue({ notBefore: '20200101000000Z', notAfter: '20200102000000Z' });
  t.equal(outcomeOf(t, expired, { ...byRoots, allowsExpired: true }).isVerified, true, 'as it was asked for');
  t.end();
});

t.test('names without roots by which they are true are refused', (t) => {
  const rig = tlsRig();
  rig.give(certificateSecret('server', serverLeaf), trustSecret('trust', { subjectAltNames: byName.subjectAltNames! }));
  t.match(rig.contexts.server(downstreamTls(), 'l').begin(0), /there are no roots by which they are true/);
  t.end();
});

t.test('names that a peer made up come to the log cut, and without what ends a line', (t) => {
  const sly = issue({ subjectAltName: `URI:spiffe://td.test/${'x'.repeat(2000)}` });
  const { problem } = outcomeOf(t, sly, byName);
  t.ok(problem.length < 700, `${problem.length}`);
  t.end();
});

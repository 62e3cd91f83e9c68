import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { Errno } from '../../native/errno.ts';
import { close } from '../../native/socket.ts';
import { chooseByName, namesOf, type StapleOutcome, type StaplePolicy, stapleFor } from '../../native/tls-choice.ts';
import { TlsContext, type TlsServerOptions, TlsVersion } from '../../native/tls-context.ts';
import { TlsSession } from '../../native/tls-session.ts';
import { connectedPair } from '../support/socket-pair.ts';
import { Authority, contextFor, type IssuedIdentity, sessionFor, shakeHands } from '../support/tls-fixtures.ts';

const folder = t.testdir();
const mesh = Authority.make(folder, 'mesh');
const issue = (subjectAltName: string, keyType: 'ec' | 'rsa' = 'ec') => mesh.issue({ subjectAltName, keyType });
const first = issue('DNS:first.test');
const other = issue('DNS:other.test,DNS:*.wild.test');
const otherRsa = issue('DNS:other.test', 'rsa');
const unnamed = mesh.issue({ subjectAltName: '' }); // CN=leaf4

const trust = { roots: mesh.certificate };

t.test('the certificate is the one that has the name, by itself or with a star, and the first for all others', (t) => {
  const context = serverOf(t, first, other, unnamed);
  const shownTo = (serverName?: string) => meet(t, context, { serverName }).shown;
  t.equal(shownTo('other.test'), serialOf(other));
  t.equal(shownTo('OTHER.test'), serialOf(other), 'names have no case');
  t.equal(shownTo('a.wild.test'), serialOf(other));
  t.equal(shownTo('a.b.wild.test'), serialOf(first), 'a star is one label');
  t.equal(shownTo('wild.test'), serialOf(first));
  t.equal(shownTo('leaf4'), serialOf(unnamed), 'a common name counts where there are no others');
  t.equal(shownTo('stranger.test'), serialOf(first));
  t.equal(shownTo(), serialOf(first), 'nothing asked for');
  t.end();
});

t.test('of two kinds of keys a client is shown the one that it can', (t) => {
  const context = serverOf(t, first, otherRsa, other);
  const onlyRsa = { maxVersion: TlsVersion.tls12, ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' };
  t.equal(meet(t, context, { serverName: 'other.test', ...onlyRsa }).shown, serialOf(otherRsa));
  t.equal(meet(t, context, { serverName: 'other.test' }).shown, serialOf(other), 'ECDSA costs less');
  t.equal(meet(t, context, { serverName: 'first.test', ...onlyRsa }).results[0], -Errno.EPROTO, 'none of that name');
  t.end();
});

t.test('a client whose name nobody has gets any that it can when all are tried, and the first alone otherwise', (t) => {
  const onlyRsa = { serverName: 'none.test', maxVersion: TlsVersion.tls12, ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' };
  t.equal(meet(t, serverOf(t, first, otherRsa), onlyRsa).results[0], -Errno.EPROTO);
  const context = contextFor(t, { ...optionsOf(first, otherRsa), triesAllIdentities: true });
  t.equal(meet(t, context, onlyRsa).shown, serialOf(otherRsa));
  t.end();
});

t.test('a context with several certificates is freed with its last connection, and so is what they are', (t) => {
  const context = TlsContext.create(optionsOf(first, other)) as TlsContext;
  const [one, two] = connectedPair();
  const server = TlsSession.create(context, one) as TlsSession;
  const client = TlsSession.create(
    contextFor(t, { side: 'client', trust, verification: 'required' }),
    two,
  ) as TlsSession;
  context.close();
  t.same(shakeHands({ server, client }), [0, 0], 'the choice is made after the owner has let go');
  server.free();
  t.equal(context.isFreed, true);
  client.free();
  close(one);
  close(two);
  t.end();
});

t.test('200 contexts with several certificates and staples leave no memory behind', (t) => {
  const round = (): void => {
    const context = TlsContext.create({ ...optionsOf(first, other, otherRsa), staples: policyOf('lenient') });
    if (typeof context !== 'string') context.close();
  };
  for (let count = 0; count < 50; count++) round();
  global.gc?.();
  const before = process.memoryUsage().rss;
  for (let count = 0; count < 200; count++) round();
  global.gc?.();
  t.ok(process.memoryUsage().rss - before < 16 << 20, `${process.memoryUsage().rss - before} bytes`);
  t.end();
});

t.test('an OCSP response is sent to clients that ask, as long as it is good', (t) => {
  const staple = { der: Buffer.from('x'), validFromMs: 0, expiresAtMs: 1000 };
  const late = { der: Buffer.from('x'), validFromMs: 0, expiresAtMs: 10 };
  const outcomes = (['lenient', 'strict', 'must-staple'] as const).map((kind) => {
    const policy = policyOf(kind);
    return [
      stapleFor(staple, false, policy)[0],
      stapleFor(late, false, policy)[0],
      stapleFor(undefined, false, policy)[0],
    ];
  });
  t.same(outcomes, [
    ['sent', 'omitted', 'omitted'],
    ['sent', 'failed', 'omitted'],
    ['sent', 'failed', 'failed'],
  ]);
  t.equal(stapleFor(undefined, true, policyOf('lenient'))[0], 'failed', 'a certificate may insist on it');
  t.end();
});

t.test('names of any bytes are found where they are, and never throw', (t) => {
  const name = fc.string({ maxLength: 12 });
  fc.assert(
    fc.property(fc.array(fc.array(name), { maxLength: 4 }), name, (certificates, wanted) => {
      const identities = certificates.map((dnsNames) => ({ facts: { dnsNames, commonName: '', hasAltNames: true } }));
      const found = chooseByName(namesOf(identities), wanted);
      const lower = wanted.toLowerCase();
      const holders = identities.filter(({ facts }) => facts.dnsNames.some((one) => one.toLowerCase() === lower));
      if (holders.length > 0) t.same(found, holders);
      else t.ok(found === undefined || found.length > 0);
    }),
    { seed: 7, numRuns: 300 },
  );
  t.end();
});

function policyOf(kind: StaplePolicy['kind'], onRequest: (outcome: StapleOutcome) => void = () => {}): StaplePolicy {
  return { kind, wallClock: () => 500, onRequest };
}

function optionsOf(identity: IssuedIdentity, ...otherIdentities: readonly IssuedIdentity[]): TlsServerOptions {
  return { side: 'server', identity, otherIdentities, verification: 'none' };
}

function serverOf(
  ...[t, identity, ...others]: [Parameters<typeof contextFor>[0], IssuedIdentity, ...IssuedIdentity[]]
) {
  return contextFor(t, optionsOf(identity, ...others));
}

interface Asked {
  readonly serverName?: string | undefined;
  readonly maxVersion?: TlsVersion;
  readonly ciphers?: string;
}

function meet(...[t, context, { serverName, ...parameters }]: [Parameters<typeof contextFor>[0], TlsContext, Asked]) {
  const [one, two] = connectedPair();
  const server = sessionFor(t, context, one);
  const client = sessionFor(
    t,
    contextFor(t, { side: 'client', trust, verification: 'required', ...parameters }),
    two,
    serverName,
  );
  t.teardown(() => {
    close(one);
    close(two);
  });
  const results = shakeHands({ server, client });
  const [shown] = client.peerCertificates();
  return { results, shown: shown && new X509Certificate(shown).serialNumber };
}

function serialOf({ certificateChain }: IssuedIdentity): string {
  return new X509Certificate(certificateChain).serialNumber;
}

import { rootCertificates } from 'node:tls';
import t from 'tap';
import { Errno } from '../../native/errno.ts';
import { close } from '../../native/socket.ts';
import { TlsContext, type TlsContextOptions, type TlsServerOptions, TlsVersion } from '../../native/tls-context.ts';
import { TlsSession } from '../../native/tls-session.ts';
import { connectedPair } from '../support/socket-pair.ts';
import { Authority, contextFor, encryptKey, passText, sessionPair, shakeHands } from '../support/tls-fixtures.ts';

const folder = t.testdir();
const mesh = Authority.make(`${folder}/mesh`, 'mesh');
const stranger = Authority.make(`${folder}/stranger`, 'stranger');
const leaf = mesh.issue();
const otherLeaf = mesh.issue();
const rsaLeaf = mesh.issue({ keyType: 'rsa' });
const strangersLeaf = stranger.issue();

const trust = { roots: mesh.certificate };
const plainServer = { identity: leaf, verification: 'none' } as const;
const plainClient = { trust, verification: 'required' } as const;

t.test('certificates of both kinds of keys serve', (t) => {
  for (const identity of [leaf, rsaLeaf]) {
    const pair = sessionPair(t, { identity, verification: 'none' }, plainClient);
    t.same(shakeHands(pair), [0, 0]);
    t.equal(pair.client.verifyResult, 0);
  }
  t.end();
});

t.test('PEM may be bytes, with text around it and its key in the same file', (t) => {
  const everything = Buffer.from(`a note\n${leaf.privateKey}\n# more\n${leaf.certificateChain}\nthe end`);
  const identity = { certificateChain: everything, privateKey: everything };
  t.same(shakeHands(sessionPair(t, { identity, verification: 'none' }, plainClient)), [0, 0]);
  t.end();
});

t.test('a key under a password serves, and only with the password', (t) => {
  const privateKey = encryptKey(leaf.privateKey, 'hünter2');
  const refusalOf = (password?: string) => refusal({ ...leaf, privateKey, password });
  t.equal(refusalOf('hünter2'), undefined);
  t.equal(refusalOf(), 'the private key is encrypted, and there is no password for it');
  t.match(refusalOf('wrong-password'), /^the private key cannot be read with its password: /);
  t.notMatch(refusalOf('wrong-password'), /wrong-password|hünter2/);
  t.match(refusalOf('hünter2\0'), /a zero byte/);
  t.match(refusalOf('x'.repeat(1024)), /more than 1023 bytes/);
  t.end();
});

t.test('what cannot be used is refused with a sentence that holds no key material', (t) => {
  const cut = leaf.privateKey.slice(0, 120);
  const secrets = leaf.privateKey.split('\n').filter((line) => line.length > 20 && !line.startsWith('-'));
  const refusals: readonly [string | undefined, RegExp][] = [
    [
      refusal({ ...leaf, privateKey: otherLeaf.privateKey }),
      /^the private key does not go with the certificate: key values mismatch$/,
    ],
    [refusal({ ...leaf, privateKey: rsaLeaf.privateKey }), /^the private key does not go with the certificate: /],
    [refusal({ ...leaf, privateKey: cut }), /^the private key cannot be read: /],
    [refusal({ ...leaf, privateKey: '' }), /^the private key cannot be read: /],
    [refusal({ ...leaf, certificateChain: '' }), /^the certificate chain is refused: there is no certificate in it$/],
    [refusal({ ...leaf, certificateChain: leaf.privateKey }), /there is no certificate in it$/],
    [
      refusal({ ...leaf, certificateChain: leaf.certificateChain.replace('MII', 'MIX') }),
      /certificate 1 cannot be read: /,
    ],
    [
      refusal({ ...leaf, certificateChain: leaf.certificateChain + mesh.certificate.slice(0, 200) }),
      /certificate 2 cannot be read: /,
    ],
  ];
  for (const [words, expected] of refusals) {
    t.match(words, expected);
    for (const secret of secrets) t.notOk(words?.includes(secret));
  }
  t.end();
});

t.test('trust anchors and revocation lists that cannot be read are refused', (t) => {
  t.match(create({ trust: { roots: 'nothing' } }), /^the trust anchors are refused: there is no certificate in it$/);
  t.match(create({ trust: { ...trust, revocationLists: mesh.certificate } }), /there is no revocation list in it$/);
  t.match(create({ verification: 'required' }), /cannot be verified without trust anchors/);
  t.end();
});

t.test('parameters that mean nothing are refused with their own words', (t) => {
  t.match(create({ ciphers: 'ROT13' }), /^the ciphers "ROT13" are unknown: no cipher match$/);
  t.match(create({ cipherSuites: 'TLS_ROT_13' }), /^the cipher suites "TLS_ROT_13" are unknown/);
  t.match(create({ groups: 'P-13' }), /^the groups "P-13" are unknown/);
  t.match(
    create({ minVersion: TlsVersion.tls13, maxVersion: TlsVersion.tls12 }),
    /lowest TLS version is above the highest/,
  );
  t.match(create({ alpn: { protocols: ['h2', ''], otherwise: 'decline' } }), /1 to 255 bytes/);
  t.match(create({ tickets: { identity: 'a', keys: () => [Buffer.alloc(48)] } }), /80 bytes/);
  t.end();
});

t.test('versions, ciphers and groups are those that were asked for', (t) => {
  const cases = [
    [
      { maxVersion: TlsVersion.tls12, ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' },
      [0x0303, 'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256'],
    ],
    [
      { minVersion: TlsVersion.tls13, cipherSuites: 'TLS_AES_128_GCM_SHA256', groups: 'P-256' },
      [0x0304, 'TLS_AES_128_GCM_SHA256', 'secp256r1'],
    ],
    [{ groups: 'X25519MLKEM768:X25519' }, [0x0304, undefined, 'X25519MLKEM768']],
    [{ groups: 'X25519' }, [0x0304, undefined, 'x25519']],
  ] as const;
  for (const [parameters, [version, cipher, group]] of cases) {
    const pair = sessionPair(t, { ...plainServer, ...parameters }, plainClient);
    t.same(shakeHands(pair), [0, 0]);
    t.equal(pair.client.version, version);
    if (cipher !== undefined) t.equal(pair.client.cipher, cipher);
    if (group !== undefined) t.equal(pair.server.group, group);
  }
  t.end();
});

t.test('sides without a version in common do not meet', (t) => {
  const pair = sessionPair(
    t,
    { ...plainServer, minVersion: TlsVersion.tls13 },
    { ...plainClient, maxVersion: TlsVersion.tls12 },
  );
  t.same(shakeHands(pair), [-Errno.EPROTO, -Errno.EPROTO]);
  t.match(pair.server.problem, /unsupported protocol|version/);
  t.match(pair.client.problem, /alert protocol version/);
  t.end();
});

t.test('ALPN is chosen in the order of the server, and declined or refused when nothing is common', (t) => {
  const alpnOf = (otherwise: 'decline' | 'refuse', offered: string[]) => {
    const alpn = { protocols: ['istio-peer-exchange', 'h2'], otherwise };
    const pair = sessionPair(t, { ...plainServer, alpn }, { ...plainClient, alpn: offered });
    return { results: shakeHands(pair), pair };
  };
  const both = alpnOf('refuse', ['http/1.1', 'h2', 'istio-peer-exchange']);
  t.same([both.pair.server.alpn, both.pair.client.alpn], ['istio-peer-exchange', 'istio-peer-exchange']);
  const declined = alpnOf('decline', ['http/1.1', 'h3']);
  t.same(declined.results, [0, 0]);
  t.same([declined.pair.server.alpn, declined.pair.client.alpn], [undefined, undefined]);
  t.equal(passText(declined.pair.client, declined.pair.server, 'on we go'), 'on we go');
  const refused = alpnOf('refuse', ['http/1.1', 'h3']);
  t.same(refused.results, [-Errno.EPROTO, -Errno.EPROTO]);
  t.match(refused.pair.client.problem, /no application protocol/);
  t.same(alpnOf('refuse', []).results, [0, 0], 'a client that offers nothing is no offence');
  t.end();
});

t.test('a revoked certificate is refused, and one that is not is taken', (t) => {
  const good = mesh.issue();
  const revoked = mesh.issue();
  const revocationLists = mesh.revokeLast(1);
  const server = { ...plainServer, trust: { ...trust, revocationLists }, verification: 'required' } as const;
  t.same(shakeHands(sessionPair(t, server, { ...plainClient, identity: good })), [0, 0]);
  const pair = sessionPair(t, server, { ...plainClient, identity: revoked });
  t.equal(shakeHands(pair)[0], -Errno.EPROTO);
  t.equal(pair.server.problem, 'certificate verify failed: certificate revoked');
  t.end();
});

t.test('an issuer without a list is refused once there are lists, unless only leaves are looked for', (t) => {
  const lists = stranger.revokeLast(0);
  const roots = mesh.certificate + stranger.certificate;
  const resultFor = (revokesIssuers: boolean) => {
    const server = {
      ...plainServer,
      trust: { roots, revocationLists: lists, revokesIssuers },
      verification: 'required',
    } as const;
    return shakeHands(sessionPair(t, server, { ...plainClient, identity: leaf }))[0];
  };
  t.equal(resultFor(true), -Errno.EPROTO);
  t.equal(resultFor(false), -Errno.EPROTO);
  const server = { ...plainServer, trust: { roots, revocationLists: lists }, verification: 'required' } as const;
  t.equal(shakeHands(sessionPair(t, server, { ...plainClient, identity: strangersLeaf }))[0], 0);
  t.end();
});

t.test('roots of a whole platform are read', (t) => {
  const context = contextFor(t, {
    side: 'client',
    trust: { roots: rootCertificates.join('\n') },
    verification: 'required',
  });
  t.type(context, TlsContext);
  t.end();
});

t.test('a connection keeps its context alive after the owner has let go', (t) => {
  const context = contextFor(t, { ...plainServer, side: 'server' });
  const [one, other] = connectedPair();
  const client = TlsSession.create(contextFor(t, { ...plainClient, side: 'client' }), one) as TlsSession;
  const server = TlsSession.create(context, other) as TlsSession;
  context.close();
  t.equal(context.isFreed, false);
  t.equal(context.openSessions, 1);
  t.same(shakeHands({ server, client }), [0, 0], 'the handshake that has begun goes on');
  t.equal(TlsSession.create(context, other), 'the owner of the TLS context has let go of it');
  server.free();
  t.equal(context.isFreed, true);
  server.free();
  context.close();
  t.equal(context.openSessions, 0, 'freed once');
  client.free();
  close(one);
  close(other);
  t.end();
});

function create(options: Partial<TlsServerOptions>): string | undefined {
  return outcomeOf({ side: 'server', ...plainServer, ...options });
}

function refusal(identity: TlsServerOptions['identity']): string | undefined {
  return outcomeOf({ side: 'server', identity, verification: 'none' });
}

function outcomeOf(options: TlsContextOptions): string | undefined {
  const context = TlsContext.create(options);
  if (typeof context === 'string') return context;
  context.close();
  return undefined;
}

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer as createPlainServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import t, { type Test } from 'tap';
import type { GrpcTls } from '../../../config/config-source.ts';
import type { Secret } from '../../../config/secret.ts';
import type { UpstreamTls } from '../../../config/tls.ts';
import type { EndpointTls } from '../../../proxy/export/collector-address.ts';
import { secureConnection } from '../../../proxy/export/collector-tls.ts';
import { certificateSecret, trustSecret, upstreamTls } from '../../support/tls-config-fixtures.ts';
import { Authority, type IssuedIdentity } from '../../support/tls-fixtures.ts';

const COLLECTOR = 'spiffe://mesh.test/ns/a/sa/otel';

interface Scene {
  readonly folder: string;
  readonly authority: Authority;
  readonly collector: IssuedIdentity;
  readonly secrets: Map<string, Secret>;
  readonly port: number;
  /** Of the clients that the collector let in, newest last: their name, and the name that they asked for. */
  readonly seen: { readonly name: string; readonly sni: unknown; readonly alpn: unknown }[];
}

/** A collector that asks for a certificate, and the secrets `client` and `trust`. */
async function makeScene(t: Test, options: TlsOptions = {}): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'collector-tls-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const authority = Authority.make(`${folder}/ca`, 'mesh');
  const collector = authority.issue({ subjectAltName: `URI:${COLLECTOR},DNS:otel.test` });
  const own = authority.issue({ subjectAltName: 'URI:spiffe://mesh.test/ns/a/sa/web' });
  const seen: Scene['seen'] = [];
  const { certificateChain: cert, privateKey: key } = collector;
  const asked = { ca: authority.certificate, requestCert: true, rejectUnauthorized: true };
  const server = createServer({ cert, key, ...asked, ...options }, (socket: TLSSocket) => {
    const { subjectaltname = '' } = socket.getPeerCertificate();
    seen.push({ name: subjectaltname, sni: socket.servername, alpn: socket.alpnProtocol });
    socket.on('error', () => undefined);
    socket.end('welcome');
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const secrets = new Map<string, Secret>([
    ['client', certificateSecret('client', own)],
    ['trust', trustSecret('trust', { roots: { kind: 'pem', pem: authority.certificate } })],
  ]);
  return { folder, authority, collector, secrets, port: (server.address() as AddressInfo).port, seen };
}

interface Dial {
  readonly config?: UpstreamTls;
  readonly hostname?: string;
  readonly protocol?: 'h2' | 'http/1.1';
  readonly handshakeTimeoutMs?: number;
}

/** `welcome`, or the sentence that says why not. */
function dial({ secrets, port }: Pick<Scene, 'secrets' | 'port'>, dialed: Dial = {}): Promise<string> {
  const { config = upstreamTls(), hostname = '', protocol = 'h2', handshakeTimeoutMs = 5000 } = dialed;
  const tls: EndpointTls = { kind: 'cluster', config, hostname, secrets: () => secrets, handshakeTimeoutMs };
  return greeting(port, tls, protocol);
}

async function greeting(port: number, tls: EndpointTls, protocol: 'h2' | 'http/1.1' = 'h2'): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const spoken = { authority: 'otel.test:4317', protocol };
  const secured = await secureConnection(socket, tls, spoken).catch((error: Error) => error.message);
  if (typeof secured === 'string') return `${secured}${socket.destroyed ? '' : ', and the socket is left'}`;
  const [chunk] = (await once(secured, 'data')) as [Buffer];
  secured.destroy();
  return chunk.toString();
}

t.test('a collector is shown our certificate and asked for by the name that is configured', async (t) => {
  const scene = await makeScene(t, { ALPNProtocols: ['h2', 'http/1.1'] });
  t.equal(await dial(scene, { config: upstreamTls({ sni: 'otel.test' }) }), 'welcome');
  t.strictSame(scene.seen, [{ name: 'URI:spiffe://mesh.test/ns/a/sa/web', sni: 'otel.test', alpn: 'h2' }]);
});

t.test('names are asked by the endpoint, by the call, or not at all', async (t) => {
  const scene = await makeScene(t);
  await dial(scene, { config: upstreamTls({ sni: 'a.test', autoHostSni: true }), hostname: 'b.test' });
  await dial(scene, { config: upstreamTls({ sni: 'a.test', autoHostSni: true }) });
  await dial(scene, { config: upstreamTls({ sni: 'a.test', autoSni: true }) });
  await dial(scene, { config: upstreamTls({ sni: '127.0.0.1' }) });
  t.same(
    scene.seen.map(({ sni }) => sni),
    ['b.test', 'a.test', 'otel.test', false],
  );
});

t.test('HTTP/1.1 offers what is configured, never HTTP/2', async (t) => {
  const scene = await makeScene(t, { ALPNProtocols: ['h2', 'istio'] });
  const config = upstreamTls({ alpnProtocols: ['istio', 'h2'] });
  await dial(scene, { config, protocol: 'http/1.1' });
  await dial(scene, { config });
  await dial(scene, { protocol: 'http/1.1' });
  t.same(
    scene.seen.map(({ alpn }) => alpn),
    ['istio', 'h2', false],
  );
});

t.test('only who has a name that is allowed is sent anything', async (t) => {
  const scene = await makeScene(t);
  const allow = (value: string) => {
    const matcher = { kind: 'exact', value, ignoreCase: false } as const;
    const roots = { kind: 'pem', pem: scene.authority.certificate } as const;
    scene.secrets.set('trust', trustSecret('trust', { roots, subjectAltNames: [{ type: 'uri', matcher }] }));
    return dial(scene);
  };
  t.equal(await allow(COLLECTOR), 'welcome');
  t.match(await allow('spiffe://mesh.test/ns/a/sa/other'), /^the certificate is for .*otel.* not for .*other$/);
  const named = { sni: 'otel.test', autoSanValidation: true, validation: { secret: { ...trustReference } } };
  scene.secrets.set('trust', trustSecret('trust', { roots: { kind: 'pem', pem: scene.authority.certificate } }));
  t.equal(await dial(scene, { config: upstreamTls(named) }), 'welcome');
  t.match(await dial(scene, { config: upstreamTls({ ...named, sni: 'else.test' }) }), /not for else\.test$/);
  t.match(await dial(scene, { config: upstreamTls({ ...named, sni: '' }) }), /^no name is known/);
  t.match(
    await dial(scene, { config: upstreamTls({ sni: 'otel.test', autoSanValidation: true, validation: {} }) }),
    /no roots/,
  );
});

const trustReference = upstreamTls().validation!.secret!;

t.test('a chain that is of other roots, over or revoked is refused', async (t) => {
  const scene = await makeScene(t);
  const others = Authority.make(`${scene.folder}/others`, 'others');
  const trust = (changes: Parameters<typeof trustSecret>[1]) =>
    scene.secrets.set('trust', trustSecret('trust', changes));
  trust({ roots: { kind: 'pem', pem: others.certificate } });
  t.match(await dial(scene), /^self-signed|unable to (get|verify)/);
  trust({ roots: { kind: 'system' } });
  t.match(await dial(scene), /^self-signed|unable to (get|verify)/);
  const roots = { kind: 'pem', pem: scene.authority.certificate } as const;
  const late = scene.authority.issue({ notBefore: '20200101000000Z', notAfter: '20200102000000Z' });
  const old = await makeScene(t, {
    cert: late.certificateChain,
    key: late.privateKey,
    ca: scene.authority.certificate,
  });
  trust({ roots });
  t.match(await dial({ ...scene, port: old.port }), /expired/);
  const revoked = scene.authority.issue({ subjectAltName: 'DNS:otel.test' });
  const revocationLists = scene.authority.revokeLast(1);
  const { certificateChain: cert, privateKey: key } = revoked;
  const gone = await makeScene(t, { cert, key, ca: scene.authority.certificate });
  trust({ roots, revocationLists });
  t.match(await dial({ ...scene, port: gone.port }), /revoked/);
  t.equal(await dial(scene), 'welcome', 'others of the same authority are not');
});

t.test('a certificate can be pinned without roots, and nobody else has it', async (t) => {
  const scene = await makeScene(t);
  const hash = new X509Certificate(scene.collector.certificateChain).fingerprint256.replaceAll(':', '').toLowerCase();
  scene.secrets.set('trust', trustSecret('trust', { certificateHashes: [hash] }));
  t.equal(await dial(scene), 'welcome');
  scene.secrets.set('trust', trustSecret('trust', { certificateHashes: ['00'.repeat(32)] }));
  t.match(await dial(scene), /none of 1 that are pinned/);
});

t.test('what is not asked for is not judged, as of requests', async (t) => {
  const scene = await makeScene(t);
  const { validation: _, ...config } = upstreamTls();
  t.equal(await dial(scene, { config }), 'welcome');
  const roots = { kind: 'pem', pem: Authority.make(`${scene.folder}/others`, 'others').certificate } as const;
  scene.secrets.set('trust', trustSecret('trust', { roots, acceptsUntrusted: true }));
  t.equal(await dial(scene), 'welcome', 'ACCEPT_UNTRUSTED');
});

t.test('the next connection has the secrets that there are then', async (t) => {
  const scene = await makeScene(t);
  const client = scene.secrets.get('client')!;
  scene.secrets.delete('client');
  t.equal(await dial(scene), 'the secret client has not come');
  scene.secrets.set('client', client);
  t.equal(await dial(scene), 'welcome');
  const next = scene.authority.issue({ subjectAltName: 'URI:spiffe://mesh.test/ns/a/sa/next' });
  scene.secrets.set('client', certificateSecret('client', next));
  t.equal(await dial(scene), 'welcome');
  t.equal(scene.seen.at(-1)!.name, 'URI:spiffe://mesh.test/ns/a/sa/next');
  scene.secrets.set('client', certificateSecret('client', { ...next, privateKey: scene.collector.privateKey }));
  t.match(await dial(scene), /key values mismatch/);
});

t.test('what cannot be judged here as of requests is refused by its name', async (t) => {
  const scene = await makeScene(t);
  const roots = { kind: 'pem', pem: scene.authority.certificate } as const;
  const revocationLists = scene.authority.revokeLast(0);
  const cases: readonly (readonly [string, Parameters<typeof trustSecret>[1]])[] = [
    ['allow_expired_certificate', { roots, allowsExpired: true }],
    ['max_verify_depth', { roots, maxVerifyDepth: 1 }],
    ['only_verify_leaf_cert_crl', { roots, revocationLists, onlyVerifiesLeafRevocation: true }],
    ['SPIFFE trust domains', { trustDomains: [{ name: 'mesh.test', roots: scene.authority.certificate }] }],
  ];
  for (const [name, changes] of cases) {
    scene.secrets.set('trust', trustSecret('trust', changes));
    t.equal(await dial(scene), `${name}: not offered for collectors`);
  }
});

t.test('a collector that says nothing, or speaks no TLS, is given up', async (t) => {
  const scene = await makeScene(t);
  const open = new Set<{ destroy(): void }>();
  const silent = createPlainServer((socket) => open.add(socket)).listen(0, '127.0.0.1');
  const plain = createPlainServer((socket) => socket.on('error', () => undefined).end('HTTP/1.1 400\r\n\r\n'));
  plain.listen(0, '127.0.0.1');
  await Promise.all([once(silent, 'listening'), once(plain, 'listening')]);
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    silent.close();
    plain.close();
  });
  const at = (server: typeof silent) => ({ ...scene, port: (server.address() as AddressInfo).port });
  t.equal(await dial(at(silent), { handshakeTimeoutMs: 50 }), 'no TLS handshake within 50 ms');
  t.match(await dial(at(plain)), /wrong version number/);
});

t.test(
  'the TLS of calls is judged by its names, or by that of its endpoint, and its files are read each time',
  async (t) => {
    const scene = await makeScene(t);
    const own = scene.authority.issue({ subjectAltName: 'URI:spiffe://mesh.test/ns/a/sa/call' });
    const folder = t.testdir({
      'ca.pem': scene.authority.certificate,
      'cert.pem': own.certificateChain,
      'key.pem': own.privateKey,
    });
    const file = (name: string) => ({ kind: 'file', path: `${folder}/${name}` }) as const;
    const tls: GrpcTls = {
      roots: file('ca.pem'),
      certificateChain: file('cert.pem'),
      privateKey: file('key.pem'),
      subjectAltNames: [],
    };
    const call = (config: GrpcTls, host = 'otel.test') =>
      greeting(scene.port, { kind: 'call', config, host, handshakeTimeoutMs: 5000 });
    t.equal(await call(tls), 'welcome');
    t.match(scene.seen.at(-1), { name: 'URI:spiffe://mesh.test/ns/a/sa/call', sni: 'otel.test' });
    t.match(await call(tls, 'else.test'), /not for else\.test$/);
    t.match(await call(tls, '127.0.0.1'), /not for 127\.0\.0\.1$/);
    t.equal(await call({ ...tls, sni: 'otel.test' }, '127.0.0.1'), 'welcome');
    t.equal(await call({ ...tls, subjectAltNames: [{ type: 'uri', value: COLLECTOR }] }, 'else.test'), 'welcome');
    t.match(await call({ ...tls, subjectAltNames: [{ type: 'dns', value: 'else.test' }] }), /not for else\.test$/);
    t.match(
      await call({ ...tls, roots: file('none.pem') }),
      /^the trusted certificates in .*none\.pem cannot be read: ENOENT/,
    );
    const { roots: _, ...bySystem } = tls;
    t.match(await call(bySystem), /^self-signed|unable to (get|verify)/);
  },
);

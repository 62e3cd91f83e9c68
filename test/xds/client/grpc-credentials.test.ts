import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';
import t from 'tap';
import type { GrpcTls, SecretText } from '../../../config/config-source.ts';
import { callMetadata } from '../../../xds/client/grpc-call.ts';
import { peersOf } from '../../../xds/client/grpc-peer.ts';
import { identityProblem } from '../../../xds/client/peer-identity.ts';
import { type CertificateFiles, makeLeaf, makeRoot } from '../../support/certificates.ts';
import { clusterTransport, loopback, openStream, startEcho, uriTransport } from '../../support/grpc-streams.ts';

const directory = t.testdir();
const root = makeRoot(directory, 'root');
const stranger = makeRoot(directory, 'stranger');
const subjectAltName = 'DNS:istiod.example,URI:spiffe://mesh/ns/a/sa/b,IP:127.0.0.1';
const server = makeLeaf({ directory, name: 'server', root, subjectAltName });
const named = makeLeaf({ directory, name: 'named', root, subjectAltName: 'DNS:istiod.example' });
const expired = makeLeaf({ directory, name: 'expired', root, subjectAltName, isExpired: true });
const client = makeLeaf({ directory, name: 'client', root, subjectAltName: 'URI:spiffe://mesh/ns/c/sa/d' });

const file = (path: string): SecretText => ({ kind: 'file', path });
const trusting = (certificates: CertificateFiles): GrpcTls => ({
  roots: file(certificates.certificate),
  subjectAltNames: [],
});
const serving = ({ certificate, key }: CertificateFiles, clients: CertificateFiles | null = null) =>
  ServerCredentials.createSsl(
    clients && readFileSync(clients.certificate),
    [{ cert_chain: readFileSync(certificate), private_key: readFileSync(key) }],
    clients !== null,
  );

t.test('a peer that the roots vouch for, with the right name', async (t) => {
  const { port } = await startEcho(t, { credentials: serving(server) });
  const dns = { type: 'dns', value: 'istiod.example' } as const;
  const uri = { type: 'uri', value: 'spiffe://mesh/ns/a/sa/b' } as const;
  const settings: readonly GrpcTls[] = [
    trusting(root),
    { ...trusting(root), sni: 'istiod.example' },
    { ...trusting(root), sni: 'other.example', subjectAltNames: [dns] },
    { ...trusting(root), subjectAltNames: [{ type: 'dns', value: 'other' }, uri] },
    { roots: { kind: 'inline', text: readFileSync(root.certificate, 'utf8') }, subjectAltNames: [] },
  ];
  for (const tls of settings) {
    const transport = clusterTransport({ endpoints: [loopback(port)], tls });
    t.equal(await openStream(transport).ask('a'), 'a control');
    transport.close();
  }
});

t.test('any other peer is refused, and why is told', async (t) => {
  const refusal = async (credentials: ServerCredentials, tls: GrpcTls) => {
    const { port } = await startEcho(t, { credentials });
    const { code, reason } = await openStream(clusterTransport({ endpoints: [loopback(port)], tls })).ended;
    t.equal(code, 14);
    t.notMatch(reason, /PRIVATE|BEGIN/);
    return reason;
  };
  t.match(
    await refusal(serving(named), trusting(root)),
    /certificate is for DNS:istiod.example, not for 127.0.0.1 \(where that is the right one.*--upstream-san.*ISTIOD_SAN/,
  );
  t.match(
    await refusal(serving(server), { ...trusting(root), sni: 'other' }),
    /not for other \(where.* match_typed_subject_alt_names of its cluster/,
  );
  const other = { type: 'uri', value: 'spiffe://mesh/ns/a/sa/x' } as const;
  t.match(await refusal(serving(server), { ...trusting(root), subjectAltNames: [other] }), /not for spiffe:.*\/x \(/);
  t.match(await refusal(serving(server), trusting(stranger)), /signed by one of the trusted roots\?/);
  t.match(await refusal(serving(server), { subjectAltNames: [] }), /signed by one of the trusted roots\?/);
  t.match(await refusal(serving(expired), trusting(root)), /certificate has expired \(check the rotation/);
});

t.test('TLS for clear text, clear text for TLS, and what is no HTTP/2 are told in plain words', async (t) => {
  const files = { cert: readFileSync(server.certificate), key: readFileSync(server.key) };
  const portOf = async (listener: Server): Promise<number> => {
    await once(listener.listen(0, '127.0.0.1'), 'listening');
    t.teardown(() => listener.close());
    return (listener.address() as AddressInfo).port;
  };
  const reason = async (port: number, tls?: GrpcTls): Promise<string> => {
    const transport = clusterTransport({ endpoints: [loopback(port)], ...(tls && { tls }) });
    return (await openStream(transport).ended).reason.replace(/^14 UNAVAILABLE: no connection to [\d.:]*: /, '');
  };
  const grpc = await startEcho(t);
  t.equal(
    await reason(grpc.port, trusting(root)),
    'TLS: wrong version number (it speaks clear text, and TLS is configured: is there another port for TLS?)',
  );
  // Some end the connection, some reset it, or the kernel does.
  const ended = /^[\w ]+ \(it closed the connection at once: does it want TLS, which is not configured\?\)$/;
  for (const clients of [null, root]) {
    const secured = await startEcho(t, { credentials: serving(server, clients) });
    t.match(await reason(secured.port), ended);
  }
  t.match(await reason(await portOf(createServer({ ...files, ALPNProtocols: ['h2'] }))), ended);
  t.equal(
    await reason(await portOf(createHttpServer())),
    'Protocol error (what it says is no HTTP/2: is that the port for gRPC?)',
  );
  t.equal(
    await reason(await portOf(createServer({ ...files, ALPNProtocols: ['http/1.1'] })), trusting(root)),
    'TLS: tlsv1 alert no application protocol (it speaks TLS and no HTTP/2: is that the port for gRPC?)',
  );
  const closing = await portOf(createTcpServer((socket) => socket.destroy()));
  t.match(
    await reason(closing, trusting(root)),
    /secure TLS connection was established \(does that port speak TLS\?\)$/,
  );
});

t.test('a certificate of our own is shown to those who ask', async (t) => {
  const { port } = await startEcho(t, { credentials: serving(server, root) });
  const shown = { certificateChain: file(client.certificate), privateKey: file(client.key) };
  const transport = clusterTransport({ endpoints: [loopback(port)], tls: { ...trusting(root), ...shown } });
  t.equal(await openStream(transport).ask('a'), 'a control');
  transport.close();
  const none = clusterTransport({ endpoints: [loopback(port)], tls: trusting(root) });
  t.equal((await openStream(none).ended).code, 14);
});

t.test('a peer is asked for by its name, never by an address', async (t) => {
  const asked: (string | false | null)[] = [];
  const files = { cert: readFileSync(server.certificate), key: readFileSync(server.key) };
  const listener = createServer({ ...files, ALPNProtocols: ['h2'] }, (socket) => {
    asked.push(socket.servername);
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.teardown(() => listener.close());
  const { port } = listener.address() as AddressInfo;
  for (const sni of [{ sni: 'istiod.example' }, {}]) {
    await openStream(clusterTransport({ endpoints: [loopback(port)], tls: { ...trusting(root), ...sni } })).ended;
  }
  t.same(asked, ['istiod.example', false]);
});

t.test('roots and tokens are read again for each connection', async (t) => {
  const { port } = await startEcho(t, { credentials: serving(server) });
  const roots = join(directory, 'mounted.pem');
  const token = join(directory, 'token');
  writeFileSync(roots, readFileSync(stranger.certificate));
  writeFileSync(token, 'first\n');
  const transport = uriTransport(`127.0.0.1:${port}`, {
    tls: { roots: file(roots), subjectAltNames: [] },
    accessToken: file(token),
  });
  t.match((await openStream(transport).ended).reason, /trusted roots/);
  writeFileSync(roots, readFileSync(root.certificate));
  t.match(await openStream(transport).ask('a'), /^a 127\.0\.0\.1:\d+ Bearer first$/);
  writeFileSync(token, 'second');
  t.match(await openStream(transport).ask('a'), /Bearer second$/);
  transport.close();
});

t.test('a secret that cannot be read or used ends the stream with its place, not with what it is', async (t) => {
  const reasonOf = async (tls: Partial<GrpcTls>, accessToken?: SecretText) => {
    const credentials = { tls: { ...trusting(root), ...tls }, ...(accessToken && { accessToken }) };
    const { reason } = await openStream(uriTransport('127.0.0.1:1', credentials)).ended;
    t.notMatch(reason, /hidden/);
    return reason;
  };
  const hidden = { kind: 'inline', text: 'hid\u0000hidden' } as const;
  const rows: readonly [Promise<string>, RegExp][] = [
    [
      reasonOf({ roots: file('/nowhere') }),
      /no connection to 127.0.0.1:1: the trusted certificates in \/nowhere cannot be read: ENOENT/,
    ],
    [reasonOf({ roots: hidden }), /the trusted certificates of the configuration is not PEM/],
    [
      reasonOf({}, { kind: 'environment', variable: 'NOT_SET_ANYWHERE' }),
      /access token in the environment variable NOT_SET_ANYWHERE cannot be read/,
    ],
    [reasonOf({}, hidden), /the access token of the configuration is empty or no token/],
    [reasonOf({}, { kind: 'inline', text: ' ' }), /is empty or no token/],
    [
      reasonOf({ certificateChain: file(server.certificate), privateKey: file(client.key) }),
      /server\.pem, .*client\.key: cannot be used/,
    ],
  ];
  for (const [reason, expected] of rows) t.match(await reason, expected);
});

t.test('names are compared whole and by their type', async (t) => {
  const problem = (type: 'dns' | 'uri' | 'ip-address' | 'email', value: string, certificate = server.certificate) =>
    identityProblem(
      new X509Certificate(readFileSync(certificate)),
      { subjectAltNames: [{ type, value }] },
      'unused.example',
    );
  t.equal(problem('uri', 'spiffe://mesh/ns/a/sa/b'), undefined);
  t.match(problem('uri', 'spiffe://mesh/ns/a/sa'), /not for spiffe/);
  t.match(problem('dns', 'spiffe://mesh/ns/a/sa/b'), /not for/);
  t.equal(problem('ip-address', '127.0.0.1'), undefined);
  t.match(problem('ip-address', 'no address'), /not for/);
  const rest = makeLeaf({ directory, name: 'rest', root, subjectAltName: 'email:a@b.example,DNS:*.wild.example' });
  t.equal(problem('email', 'a@b.example', rest.certificate), undefined);
  t.equal(problem('dns', 'one.wild.example', rest.certificate), undefined, 'as Envoy compares host names');
  t.match(problem('dns', 'two.one.wild.example', rest.certificate), /not for/);
});

t.test('a common name is no name: only subject alternative names are', async (t) => {
  // Of a certificate without any.
  const x509 = new X509Certificate(readFileSync(root.certificate));
  t.match(x509.subject, 'CN=root');
  for (const type of ['dns', 'email', 'uri'] as const) {
    t.match(identityProblem(x509, { subjectAltNames: [{ type, value: 'root' }] }, 'root'), /for nobody, not for root$/);
  }
  t.match(identityProblem(x509, { subjectAltNames: [] }, 'root'), /for nobody, not for root$/);
});

t.test('a key of metadata may have several values', async (t) => {
  const initialMetadata = ['1', '2'].map((value) => ({ key: 'k', value }));
  const service = { target: { kind: 'uri', uri: 'a:1', credentials: {} }, initialMetadata } as const;
  const [peer] = peersOf(service, new Map());
  t.strictSame(callMetadata(service, peer!).get('k'), ['1', '2']);
});

t.test('a name that is written into another is not taken for it', async (t) => {
  const configuration = join(directory, 'quoted.cnf');
  writeFileSync(configuration, '[san]\nsubjectAltName=@names\n[names]\nDNS.1=a.example\\, URI:spiffe://mesh/admin\n');
  const certificate = join(directory, 'quoted.pem');
  const key = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    join(directory, 'quoted.key'),
  ];
  const request = [
    'req',
    '-x509',
    ...key,
    '-out',
    certificate,
    '-subj',
    '/CN=q',
    '-config',
    configuration,
    '-extensions',
    'san',
  ];
  writeFileSync(configuration, `${readFileSync(configuration, 'utf8')}[req]\ndistinguished_name=dn\n[dn]\n`);
  execFileSync('openssl', request, { stdio: 'pipe' });
  const x509 = new X509Certificate(readFileSync(certificate));
  t.match(x509.subjectAltName, /URI:spiffe/, 'it is there as text');
  const subjectAltNames = [{ type: 'uri', value: 'spiffe://mesh/admin' }] as const;
  t.match(identityProblem(x509, { subjectAltNames }, 'x'), /not for spiffe/);
});

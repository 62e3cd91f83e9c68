import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type handleUnaryCall, Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import protobuf from 'protobufjs/minimal.js';
import t, { type Test } from 'tap';
import { IstioCa } from '../../../xds/identity/istio-ca.ts';
import { makeLeaf, makeRoot } from '../../support/certificates.ts';
import { onlyItems } from '../../support/only-items.ts';

const uri = 'spiffe://cluster.local/ns/shop/sa/cart';

interface SeenCall {
  readonly csr: string;
  readonly seconds: number;
  readonly authorization: string;
}

/** A CA whose answers a test makes: certificates in PEM, or the status it ends the call with. */
async function startCa(t: Test, answer: (call: SeenCall) => readonly string[] | { code: number; details: string }) {
  const seen: SeenCall[] = [];
  const handler: handleUnaryCall<Buffer, Buffer> = ({ request, metadata }, callback) => {
    const call = { ...readRequest(request), authorization: String(metadata.get('authorization')[0] ?? '') };
    seen.push(call);
    const found = answer(call);
    if ('code' in found) callback({ name: '', message: found.details, ...found, metadata: new Metadata() });
    else callback(null, writeResponse(found));
  };
  const server = new Server();
  const bytes = (value: Buffer) => value;
  const method = { path: METHOD, requestStream: false, responseStream: false } as const;
  const codec = {
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  server.addService({ CreateCertificate: { ...method, ...codec } }, { CreateCertificate: handler });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
    error === null ? resolve(port) : reject(error),
  );
  const port = await promise;
  t.teardown(() => server.forceShutdown());
  const ca = new IstioCa({
    service: { target: { kind: 'uri', uri: `127.0.0.1:${port}`, credentials: { accessToken } }, initialMetadata: [] },
    clusters: new Map(),
    spiffeId: uri,
    keyKind: 'ecdsa-p256',
    lifetimeMs: 3_600_000,
  });
  return { ca, seen };
}

const METHOD = '/istio.v1.auth.IstioCertificateService/CreateCertificate';
const accessToken = { kind: 'inline', text: 'the-token' } as const;

function readRequest(bytes: Uint8Array): { readonly csr: string; readonly seconds: number } {
  const reader = protobuf.Reader.create(bytes);
  let [csr, seconds] = ['', 0];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) csr = reader.string();
    else if (tag >>> 3 === 3) seconds = Number(reader.int64());
    else reader.skipType(tag & 7);
  }
  return { csr, seconds };
}

function writeResponse(chain: readonly string[]): Buffer {
  const writer = protobuf.Writer.create();
  for (const pem of chain) writer.uint32((1 << 3) | 2).string(pem);
  return Buffer.from(writer.finish());
}

t.test('a certificate for the key of the request, its chain, and the roots that came last', async (t) => {
  const folder = t.testdir();
  const root = makeRoot(folder, 'root');
  const { ca, seen } = await startCa(t, ({ csr }) => {
    const [request, certificate] = [join(folder, 'csr'), join(folder, 'own.pem')];
    writeFileSync(request, csr);
    const signing = ['-CA', root.certificate, '-CAkey', root.key, '-copy_extensions', 'copy', '-days', '1'];
    execFileSync('openssl', ['x509', '-req', '-in', request, ...signing, '-out', certificate], { stdio: 'pipe' });
    return [readFileSync(certificate, 'utf8').trimEnd(), 'AN INTERMEDIATE', readFileSync(root.certificate, 'utf8')];
  });
  const identity = await ca.request();
  const certificate = new X509Certificate(identity.certificateChain);
  t.ok(certificate.checkPrivateKey(createPrivateKey(identity.privateKey)));
  t.equal(certificate.subjectAltName, `URI:${uri}`);
  t.match(identity.certificateChain, /-----END CERTIFICATE-----\nAN INTERMEDIATE\n$/, 'the chain, without the root');
  t.equal(identity.roots, readFileSync(root.certificate, 'utf8'));
  t.equal(identity.notAfterMs, Date.parse(certificate.validTo));
  t.match(seen, onlyItems({ seconds: 3600, authorization: 'Bearer the-token' }));
});

t.test('what is no answer is refused in words without the token', async (t) => {
  const folder = t.testdir();
  const other = makeLeaf({
    directory: folder,
    name: 'other',
    root: makeRoot(folder, 'root'),
    subjectAltName: `URI:${uri}`,
  });
  const certificate = readFileSync(other.certificate, 'utf8');
  const rows: readonly [answer: Parameters<typeof startCa>[1], words: RegExp][] = [
    [() => [], /without a certificate and a root/],
    [() => [certificate], /without a certificate and a root/],
    [() => ['nonsense', 'R'], /the answer of the CA has a certificate that cannot be read/],
    [() => [certificate, 'R'], /the answer of the CA has a certificate for another key/],
    [() => ({ code: status.UNAUTHENTICATED, details: 'no such caller' }), /16 UNAUTHENTICATED.*no such caller/],
  ];
  for (const [answer, words] of rows) {
    const { ca } = await startCa(t, answer);
    const error = await ca.request().catch((reason: Error) => reason);
    t.match(error, { message: words });
    t.notMatch(String(error), /the-token/);
  }
});

t.test('a CA that cannot be reached is named', async (t) => {
  const service = { target: { kind: 'uri', uri: '127.0.0.1:1', credentials: {} }, initialMetadata: [] } as const;
  const ca = new IstioCa({ service, clusters: new Map(), spiffeId: uri, keyKind: 'ecdsa-p256', lifetimeMs: 1000 });
  t.equal(ca.name, 'the CA at 127.0.0.1:1');
  await t.rejects(ca.request(), { message: /no connection to 127\.0\.0\.1:1.*ECONNREFUSED/ });
});

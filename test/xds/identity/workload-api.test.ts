import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type handleServerStreamingCall, Server, ServerCredentials, type ServerWritableStream } from '@grpc/grpc-js';
import fc from 'fast-check';
import protobuf from 'protobufjs/minimal.js';
import t, { type Test } from 'tap';
import { WorkloadApi } from '../../../xds/identity/workload-api.ts';
import { makeLeaf, makeRoot } from '../../support/certificates.ts';
import { HandClock } from '../../support/discovery-fixtures.ts';

const uri = 'spiffe://td/workload';
type Call = ServerWritableStream<Buffer, Buffer>;

/** An agent on a Unix socket; a test writes what it streams. */
async function startAgent(t: Test) {
  // A path of a Unix socket has 107 bytes at most.
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-spiffe-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const socket = join(folder, 'agent.sock');
  const calls: Call[] = [];
  let onCall = (): void => undefined;
  const handler: handleServerStreamingCall<Buffer, Buffer> = (call) => {
    calls.push(call);
    onCall();
  };
  const bytes = (value: Buffer) => value;
  const codec = {
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  const method = { path: '/SpiffeWorkloadAPI/FetchX509SVID', requestStream: false, responseStream: true } as const;
  const server = new Server();
  server.addService({ Fetch: { ...method, ...codec } }, { Fetch: handler });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.bindAsync(`unix://${socket}`, ServerCredentials.createInsecure(), (error) =>
    error === null ? resolve() : reject(error),
  );
  await promise;
  t.teardown(() => server.forceShutdown());
  const next = async () => {
    const { promise: called, resolve: heard } = Promise.withResolvers<void>();
    onCall = heard;
    if (calls.length === 0) await called;
    return calls.shift()!;
  };
  return { target: `unix://${socket}`, next };
}

function follow(t: Test, target: string) {
  const clock = new HandClock();
  const lines: string[] = [];
  let wake = (): void => undefined;
  const api = new WorkloadApi({
    target,
    random: () => 1,
    schedule: clock.schedule,
    log: (level, text, facts) => {
      lines.push(`${level} ${text} ${JSON.stringify(facts)}`);
      wake();
    },
  });
  t.teardown(() => api.stop());
  api.start();
  const logged = async (count: number) => {
    while (lines.length < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      await promise;
    }
    return lines;
  };
  return { api, clock, logged };
}

function svid(folder: string, name: string) {
  const root = makeRoot(folder, `${name}-root`);
  const leaf = makeLeaf({ directory: folder, name, root, subjectAltName: `URI:${uri}` });
  const certificate = new X509Certificate(readFileSync(leaf.certificate)).raw;
  const key = createPrivateKey(readFileSync(leaf.key)).export({ type: 'pkcs8', format: 'der' });
  const bundle = new X509Certificate(readFileSync(root.certificate)).raw;
  return { certificate, key, bundle, chain: Buffer.concat([certificate, bundle]) };
}

function response(fields: readonly (readonly [number, Uint8Array])[]): Buffer {
  const inner = protobuf.Writer.create().uint32(10).string(uri);
  for (const [field, bytes] of fields) inner.uint32((field << 3) | 2).bytes(bytes);
  return Buffer.from(protobuf.Writer.create().uint32(10).bytes(inner.finish()).finish());
}

t.test('each certificate that the agent streams is held, with its chain, key and bundle', async (t) => {
  const { target, next } = await startAgent(t);
  const { api, logged } = follow(t, target);
  const call = await next();
  t.same(call.metadata.get('workload.spiffe.io'), ['true']);
  const folder = t.testdir();
  const seen: string[] = [];
  api.subscribe(({ certificateChain }) => seen.push(new X509Certificate(certificateChain).serialNumber));
  for (const name of ['first', 'second']) {
    const { certificate, key, bundle, chain } = svid(folder, name);
    call.write(
      response([
        [2, chain],
        [3, key],
        [4, bundle],
      ]),
    );
    await logged(seen.length + 1);
    t.equal(seen.at(-1), new X509Certificate(certificate).serialNumber);
    t.equal(api.current!.certificateChain.match(/BEGIN CERTIFICATE/g)?.length, 2);
    t.ok(new X509Certificate(api.current!.roots).raw.equals(bundle));
    t.equal(api.current!.notAfterMs, Date.parse(new X509Certificate(certificate).validTo));
  }
});

t.test('what is sent in part, or is no certificate, is told, and what was held stays', async (t) => {
  const { target, next } = await startAgent(t);
  const { api, logged } = follow(t, target);
  const call = await next();
  const folder = t.testdir();
  const [first, other] = [svid(folder, 'first'), svid(folder, 'other')];
  call.write(
    response([
      [2, first.chain],
      [3, first.key],
      [4, first.bundle],
    ]),
  );
  await logged(1);
  const held = api.current;
  const rows: readonly [message: Buffer, words: RegExp][] = [
    [Buffer.alloc(0), /has no identity for this workload/],
    [
      response([
        [2, first.chain],
        [4, first.bundle],
      ]),
      /without its certificate, key or bundle/,
    ],
    [
      response([
        [2, first.chain.subarray(0, -1)],
        [3, first.key],
        [4, first.bundle],
      ]),
      /certificate that cannot be read/,
    ],
    [
      response([
        [2, first.chain],
        [3, other.key],
        [4, first.bundle],
      ]),
      /a certificate for another key/,
    ],
    [
      response([
        [2, first.chain],
        [3, Buffer.from('no key')],
        [4, first.bundle],
      ]),
      /a key that cannot be read/,
    ],
  ];
  for (const [index, [message, words]] of rows.entries()) {
    call.write(message);
    t.match((await logged(index + 2)).at(-1), words);
  }
  t.equal(api.current, held);
});

t.test('an agent that goes is asked again, and what was held serves meanwhile', async (t) => {
  const { target, next } = await startAgent(t);
  const { api, clock, logged } = follow(t, target);
  const call = await next();
  const { chain, key, bundle } = svid(t.testdir(), 'first');
  call.write(
    response([
      [2, chain],
      [3, key],
      [4, bundle],
    ]),
  );
  await logged(1);
  call.end();
  t.match((await logged(2)).at(-1), /^warning no certificate comes from .*: the certificate that is held serves on/);
  t.ok(api.current);
  clock.advance(clock.waits[0]!);
  (await next()).write(
    response([
      [2, chain],
      [3, key],
      [4, bundle],
    ]),
  );
  t.match((await logged(3)).at(-1), /^info a certificate came/);
});

t.test('without an agent the socket is named, and asked for again', async (t) => {
  const { clock, logged } = follow(t, `unix://${join(t.testdir(), 'none.sock')}`);
  t.match((await logged(1)).at(-1), /^warning no certificate comes from unix:.*none\.sock: mutual TLS waits for it/);
  t.equal(clock.waits.length, 1);
});

t.test('no bytes of an agent throw out of the stream', async (t) => {
  const { target, next } = await startAgent(t);
  const { api, logged } = follow(t, target);
  const call = await next();
  const messages = fc.sample(fc.uint8Array({ maxLength: 200 }), { numRuns: 100, seed: 7 });
  for (const message of messages) call.write(Buffer.from(message));
  const lines = await logged(messages.length);
  t.ok(lines.every((line) => line.startsWith('error what the agent has sent cannot be used')));
  t.equal(api.current, undefined);
});

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { DiscoveryServer, type KeepAlive, type ServerTls } from '../../control-plane/discovery-server.ts';
import { servedTypes } from '../../control-plane/served-type.ts';
import { everyNode, SnapshotCache } from '../../control-plane/snapshot-cache.ts';
import { encodeRequest } from '../../xds/client/discovery-wire.ts';
import { encodeMessage } from '../../xds/message/wire-message.ts';
import { resourcesOfText, serviceText, typeUrls } from '../support/control-plane-fixtures.ts';
import { CuttableLink } from '../support/cuttable-link.ts';
import { DiscoveryCall } from '../support/discovery-call.ts';
import { onlyItems } from '../support/only-items.ts';

async function startServer(t: Test, tls?: ServerTls, keepAlive?: KeepAlive) {
  const cache = new SnapshotCache();
  const refusals: string[] = [];
  const server = new DiscoveryServer({
    cache,
    clock: () => 1,
    onRefusal: ({ node }, { typeUrl, text }) => refusals.push(`${node?.id} ${typeUrl} ${text}`),
    ...(keepAlive && { keepAlive }),
  });
  const port = await server.listen('127.0.0.1:0', tls);
  t.teardown(() => server.close());
  const publish = (text: string) => cache.update(new Map([[everyNode, { resources: resourcesOfText(text) }]]));
  return { server, refusals, publish, address: `localhost:${port}`, cache };
}

/** Resolves when the server has taken so many requests of clients: for each it looks what there is to send. */
function requestsTaken(cache: SnapshotCache, count: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const snapshotFor = cache.snapshotFor.bind(cache);
  let taken = 0;
  cache.snapshotFor = (nodeId) => {
    if (++taken === count) resolve();
    return snapshotFor(nodeId);
  };
  return promise;
}

/** Resolves when one of the clients that are yet to come does not follow the cache any more. */
function clientLeft(cache: SnapshotCache): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const follow = cache.follow.bind(cache);
  cache.follow = (follower) => {
    const unfollow = follow(follower);
    return () => {
      unfollow();
      resolve();
    };
  };
  return promise;
}

t.test('every type has services of its own, in both protocols', async (t) => {
  const { address, publish } = await startServer(t);
  publish(serviceText('a'));
  for (const { deltaMethod, stateOfTheWorldMethod, typeUrl, shortName } of servedTypes) {
    const delta = new DiscoveryCall(t, { address, method: deltaMethod });
    delta.ask('');
    const count = ['cds', 'eds'].includes(shortName) ? 1 : 0;
    t.match(await delta.next(), { typeUrl, resources: { length: count } }, deltaMethod);
    if (stateOfTheWorldMethod === undefined) continue;
    const whole = new DiscoveryCall(t, { address, method: stateOfTheWorldMethod, protocol: 'state-of-the-world' });
    whole.askWhole('');
    t.match(await whole.next(), { typeUrl, resources: { length: count } }, stateOfTheWorldMethod);
  }
});

t.test('a client that vanished without a word is let go of when it answers no ping', async (t) => {
  const { address, publish, server, cache } = await startServer(t, undefined, { intervalMs: 50, timeoutMs: 50 });
  publish(serviceText('a'));
  const left = clientLeft(cache);
  const link = await CuttableLink.to(t, Number(address.split(':')[1]));
  const call = new DiscoveryCall(t, { address: link.address });
  call.ask('cds');
  t.match(await call.next(), { resources: { length: 1 } });
  t.equal(server.clients.size, 1);
  link.fallSilent();
  await left;
  t.equal(server.clients.size, 0, 'its state is gone');
});

t.test('a client waits until there is something to serve', async (t) => {
  const { address, publish, server, cache } = await startServer(t);
  const taken = requestsTaken(cache, 3);
  const call = new DiscoveryCall(t, { address });
  call.ask('lds');
  call.ask('cds');
  call.ask('cds', { nonce: 'x' });
  await taken;
  publish(serviceText('a'));
  t.match(
    await call.next(),
    { resources: onlyItems({ name: 'a' }) },
    'an empty answer before would take away what it has',
  );
  t.equal(server.clients.size, 1);
});

t.test('a refusal is told with who refused what', async (t) => {
  const { address, publish, refusals } = await startServer(t);
  publish(serviceText('a'));
  const call = new DiscoveryCall(t, { address, nodeId: 'n1' });
  call.ask('cds');
  const { nonce, typeUrl } = await call.next();
  call.ask('cds', { nonce, refusal: 'it is wrong' });
  call.ask('eds', { subscribe: ['a'] });
  await call.next();
  t.same(refusals, [`n1 ${typeUrl} it is wrong`]);
});

t.test('a request of more than the library takes by itself is taken', async (t) => {
  const { address, publish, cache, refusals } = await startServer(t);
  publish(serviceText('a'));
  const call = new DiscoveryCall(t, { address });
  const taken = requestsTaken(cache, 1);
  const ended = new Promise((resolve) => call.stream.once('error', resolve));
  call.ask('cds', { refusal: 'x'.repeat(5 * 1024 * 1024) });
  t.equal(await Promise.race([taken, ended]), undefined);
  t.equal(refusals.length, 1);
});

t.test('a client that goes away is forgotten', async (t) => {
  const { address, publish, server, cache } = await startServer(t);
  publish(serviceText('a'));
  const left = clientLeft(cache);
  const call = new DiscoveryCall(t, { address });
  call.ask('cds');
  await call.next();
  const [client] = server.clients;
  const other = new DiscoveryCall(t, { address });
  other.ask('cds');
  await other.next();
  call.stream.cancel();
  await left;
  t.equal(server.clients.size, 1);
  t.notOk(server.clients.has(client!));
});

t.test('requests without a node, and bytes that are no request, end the stream', async (t) => {
  const { address, publish } = await startServer(t);
  publish(serviceText('a'));
  const nameless = new DiscoveryCall(t, { address });
  nameless.stream.write(Buffer.from([0x12, 1, 0x78]));
  t.match(await nameless.ended, { code: 3, details: 'the first request needs a node' });
  const garbage = new DiscoveryCall(t, { address });
  garbage.stream.write(Buffer.from([0xff]));
  t.match(await garbage.ended, { code: 3, details: 'not a DeltaDiscoveryRequest' });
});

t.test('a client that does not read is sent the newest state when it reads again, not all that were', async (t) => {
  const { address, publish } = await startServer(t);
  // Larger than the 64 KiB that HTTP/2 takes from a server before the client has read any of it.
  const bulky = (port: number) =>
    `service: a\nendpoints: [${Array.from({ length: 4_000 }, (_, index) => `"127.0.${index >> 8}.${index & 255}:${port}"`)}]\n`;
  publish(bulky(1));
  const client = connect(`http://${address}`);
  t.teardown(() => client.destroy());
  const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const stream = client.request(headers, { endStream: false });
  const node = encodeMessage({ id: 'n' }, 'envoy.config.core.v3.Node');
  const subscription = { typeUrl: typeUrls['eds']!, subscribe: ['a'], unsubscribe: [], initialVersions: [], nonce: '' };
  stream.write(framed(encodeRequest({ kind: 'delta', ...subscription }, node)));
  await once(stream, 'response');
  for (let port = 2; port <= 8; port++) {
    // There and back: what the server could send meanwhile, it has sent.
    await pinged(client);
    publish(bulky(port));
  }
  publish(serviceText('a'));
  const sizes: number[] = [];
  let received = Buffer.alloc(0);
  for await (const chunk of stream) {
    received = Buffer.concat([received, chunk]);
    for (; received.length > 5; received = received.subarray(5 + sizes.at(-1)!)) {
      if (received.length < 5 + received.readUInt32BE(1)) break;
      sizes.push(received.readUInt32BE(1));
    }
    if ((sizes.at(-1) ?? 1e9) < 1000) break;
  }
  t.equal(sizes.length, 2, 'the one that was on its way, and the newest');
});

t.test('a server that stops tells its clients to come back', async (t) => {
  const { address, publish, server } = await startServer(t);
  publish(serviceText('a'));
  const call = new DiscoveryCall(t, { address });
  call.ask('cds');
  await call.next();
  const closed = server.close();
  t.match(await call.ended, { code: 14, details: 'the control plane is stopping' });
  await closed;
});

t.test('by TLS, only clients with a certificate are served when an authority is named', async (t) => {
  const folder = t.testdir();
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'key.pem', '-out', 'cert.pem', '-days', '2', ...subject);
  const pem = (file: string) => readFileSync(join(folder, file));
  const pair = { certificateChain: pem('cert.pem'), privateKey: pem('key.pem') };
  const { address, publish } = await startServer(t, { ...pair, clientAuthority: pem('cert.pem') });
  publish(serviceText('a'));
  const authority = pem('cert.pem');
  const known = new DiscoveryCall(t, {
    address,
    tls: { authority, certificate: pem('cert.pem'), key: pem('key.pem') },
  });
  known.ask('cds');
  t.match(await known.next(), { resources: onlyItems({ name: 'a' }) });
  const unknown = new DiscoveryCall(t, { address, tls: { authority } });
  unknown.ask('cds');
  t.match(await unknown.ended, { code: 14 });
});

/** A message with its length, as gRPC has it. */
function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function pinged(client: ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => {
    client.ping((error) => (error === null ? resolve() : reject(error)));
  });
}

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { freePorts } from '../../../bench/peers/free-ports.ts';
import { makeGrpcTransport } from '../../../xds/client/grpc-transport.ts';
import { byteMethod, startByteServer } from '../../support/byte-server.ts';
import { clusterTransport, loopback, openStream, startEcho, uriTransport } from '../../support/grpc-streams.ts';

t.test('bytes go both ways, also those that were sent before there was a connection', async (t) => {
  const { port } = await startEcho(t);
  const transport = clusterTransport({ endpoints: [loopback(port)] });
  t.equal(transport.target, `127.0.0.1:${port}`);
  const stream = openStream(transport);
  t.equal(stream.handle.pendingMessages?.(), 0);
  const answer = stream.ask('a');
  t.equal(stream.handle.pendingMessages?.(), 1, 'it waits for the connection');
  t.equal(await answer, 'a control', 'the authority is the name of the cluster, as in Envoy');
  t.equal(await stream.ask('b'), 'b control');
  t.equal(stream.handle.pendingMessages?.(), 0);
  transport.close();
});

t.test('calls carry their metadata and authority', async (t) => {
  const { port } = await startEcho(t);
  const transport = clusterTransport(
    { endpoints: [loopback(port)] },
    {
      target: { kind: 'cluster', cluster: 'control', authority: 'istiod.example' },
      initialMetadata: [{ key: 'clusterid', value: 'Kubernetes' }],
    },
  );
  t.equal(await openStream(transport).ask('a'), 'a istiod.example Kubernetes');
  transport.close();
});

t.test("Unix sockets, names, and targets in gRPC's own naming", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'grpc-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'socket');
  await startEcho(t, { address: `unix:${path}` });
  const abstract = `outrigger-test-${process.pid}`;
  await startEcho(t, { address: `unix:\0${abstract}` });
  const { port } = await startEcho(t);
  const transports = [
    clusterTransport({ endpoints: [{ kind: 'pipe', path: `@${abstract}` }] }),
    clusterTransport({ endpoints: [{ kind: 'pipe', path }] }),
    clusterTransport({ endpoints: [{ kind: 'host', hostname: 'localhost', port }] }),
    uriTransport(`unix:${path}`),
    uriTransport(`dns:///localhost:${port}`),
    uriTransport(`127.0.0.1:${port}`),
  ];
  for (const transport of transports) {
    t.match(await openStream(transport).ask('a'), /^a /, transport.target);
    transport.close();
  }
});

t.test('endpoints are tried in their order', async (t) => {
  const [closed] = (await freePorts(1)) as [number];
  const { port } = await startEcho(t);
  const transport = clusterTransport({ endpoints: [loopback(closed), loopback(port)] });
  t.equal(await openStream(transport).ask('a'), 'a control', 'what was sent goes to the one that answers');
  transport.close();
  const nowhere = clusterTransport({ endpoints: [loopback(closed), { kind: 'pipe', path: '/nowhere/socket' }] });
  const { code, reason } = await openStream(nowhere).ended;
  t.equal(code, 14);
  t.match(
    reason,
    new RegExp(`^14 UNAVAILABLE: no connection to 127.0.0.1:${closed}: .*ECONNREFUSED.*does the control`),
  );
  t.match(reason, /; 14 UNAVAILABLE: no connection to \/nowhere\/socket: .*ENOENT.*does the process run/);
});

t.test('a peer that accepts connections and says nothing is given up', async (t) => {
  const silent = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const accepted = once(silent, 'connection');
  const transport = clusterTransport({ endpoints: [loopback(port)], connectTimeoutMs: 500 });
  const { ended } = openStream(transport);
  t.match(await ended, { code: 14, reason: `no connection to 127.0.0.1:${port}: no answer within 500 ms` });
  const [socket] = await accepted;
  if (!socket.closed) await once(socket, 'close');
  t.pass('and so is the connection');
});

t.test('a control plane that falls silent behind its connection is noticed by keep-alive', async (t) => {
  const { port } = await startEcho(t);
  let isFrozen = false;
  const relay = createServer((socket) => {
    const server = connect(port, '127.0.0.1');
    const forward = (from: Socket, to: Socket): void => {
      from.on('data', (bytes) => !isFrozen && to.write(bytes));
      // Either may be reset when the other is given up.
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    };
    forward(socket, server);
    forward(server, socket);
  });
  await once(relay.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => relay.close());
  const keepAlive = { intervalMs: 100, timeoutMs: 100 };
  const transport = clusterTransport({ endpoints: [loopback((relay.address() as AddressInfo).port)], keepAlive });
  // On a machine that stands still a connection that answers is dropped, too: then the next one is asked.
  let stream = openStream(transport);
  const isAnswered = () => Promise.race([stream.ask('a').then(() => true), stream.ended.then(() => false)]);
  for (let tries = 1; !(await isAnswered()); tries++) {
    if (tries === 50) throw new Error('no connection lasts until an answer');
    stream = openStream(transport);
  }
  isFrozen = true;
  t.match(await stream.ended, { code: 14, reason: /ended: Connection dropped$/ });
  transport.close();
});

t.test('a control plane that wants fewer pings is sent half as many on the next connection', async (t) => {
  const pings: number[][] = [];
  const server = createHttp2Server();
  server.on('session', (session) => {
    const own: number[] = [];
    pings.push(own);
    session.on('ping', () => {
      own.push(performance.now());
      // As Go's server does.
      if (pings.length < 3)
        session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0x7fffffff, Buffer.from('too_many_pings'));
      else if (own.length === 2) server.emit('pings');
    });
    // It is closed by its client.
    session.on('error', () => undefined);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  const keepAlive = { intervalMs: 50, timeoutMs: 60_000 };
  const transport = clusterTransport({ endpoints: [loopback((server.address() as AddressInfo).port)], keepAlive });
  for (let count = 0; count < 2; count++) {
    t.match(await openStream(transport).ended, { code: 8, reason: /connection_keepalive\)$/ });
  }
  const isPinged = once(server, 'pings');
  openStream(transport);
  await isPinged;
  const [first, second] = pings[2] as [number, number];
  t.ok(second - first >= 199, `${second - first} ms between two pings`);
  transport.close();
});

t.test('a message of 100 MB', async (t) => {
  const size = 100 * 1000 * 1000;
  const server = await startByteServer({ onMessage: (stream) => stream.send(Buffer.alloc(size, 'x')) });
  t.teardown(() => server.close());
  const transport = clusterTransport({ endpoints: [loopback(server.port)] });
  const stream = openStream(transport);
  const text = await stream.ask('a');
  t.equal(text.length, size);
  t.equal(stream.messages.length, 1);
  transport.close();
});

t.test('how a stream ended is told in words', async (t) => {
  const ends: readonly [code: number, expected: RegExp][] = [
    [0, /^the stream was ended by 127/],
    [7, /^7 PERMISSION_DENIED: the stream to 127[\d.:]* ended: no \(check the node id/],
    [12, /^12 UNIMPLEMENTED: .*api_type/],
    [14, /^14 UNAVAILABLE: the stream to 127[\d.:]* ended: no$/],
    [16, /^16 UNAUTHENTICATED: .*check the token/],
  ];
  for (const [code, expected] of ends) {
    const server = await startByteServer({ onMessage: (stream) => stream.end(code, 'no') });
    t.teardown(() => server.close());
    const stream = openStream(clusterTransport({ endpoints: [loopback(server.port)] }));
    stream.handle.send(() => Buffer.from('a'));
    const end = await stream.ended;
    t.equal(end.code, code);
    t.match(end.reason, expected);
  }
});

t.test('a server that goes away ends the stream, and one that comes back is found', async (t) => {
  const first = await startEcho(t);
  const transport = clusterTransport({ endpoints: [loopback(first.port)] });
  const stream = openStream(transport);
  await stream.ask('a');
  first.close();
  t.match((await stream.ended).reason, /: the stream to 127[\d.:]* ended/);
  t.match((await openStream(transport).ended).reason, /ECONNREFUSED/);
  await startEcho(t, { address: `127.0.0.1:${first.port}` });
  t.equal(await openStream(transport).ask('b'), 'b control');
  transport.close();
});

t.test('a stream outlives the GOAWAY that asks for no new ones', async (t) => {
  const server = await startEcho(t);
  const transport = clusterTransport({ endpoints: [loopback(server.port)] });
  const stream = openStream(transport);
  await stream.ask('a');
  const drained = server.drain();
  t.equal(await stream.ask('b'), 'b control');
  stream.handle.cancel();
  await drained;
  t.pass('and lets the server go when it ends');
});

t.test('nothing is called back after a stream was cancelled, and nothing is sent', async (t) => {
  const { port } = await startEcho(t);
  const transport = clusterTransport({ endpoints: [loopback(port)] });
  const cancelled = openStream(transport);
  await cancelled.ask('a');
  cancelled.handle.send(() => Buffer.from('b'));
  cancelled.handle.cancel();
  cancelled.handle.send(() => Buffer.from('c'));
  cancelled.handle.cancel();
  const early = openStream(transport);
  early.handle.send(() => Buffer.from('d'));
  early.handle.cancel();
  let hasEnded = false;
  for (const { ended } of [cancelled, early]) void ended.then(() => (hasEnded = true));
  await openStream(transport).ask('e');
  t.equal(hasEnded, false);
  t.equal(cancelled.messages.length, 1);
  t.equal(early.messages.length, 0);
  transport.close();
});

t.test('a service of a cluster that is not there is a fault of the caller', async (t) => {
  const service = { target: { kind: 'cluster' as const, cluster: 'c' }, initialMetadata: [] };
  t.throws(() => makeGrpcTransport({ service, clusters: new Map(), method: byteMethod }), /no gRPC cluster c/);
});

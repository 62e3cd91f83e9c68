// One exchange after the other over undici, through a listener: what an endpoint and a client get, which connection
// carries it, and what is counted. How endpoints misbehave is in test/integration/hostile-origin.test.ts.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import t, { type Test } from 'tap';
import type { Cluster } from '../../../../config/cluster.ts';
import type { RouteAction } from '../../../../config/route.ts';
import { clusterStats } from '../../../../proxy/telemetry/cluster-stats.ts';
import {
  clusterOf,
  forwardTo,
  httpListener,
  managerOf,
  routeOf,
  startDataPlane,
  virtualHostOf,
} from '../../../support/data-plane.ts';
import { Pattern } from '../../../support/patterned-stream.ts';
import { nextTurn, RawClient } from '../../../support/raw-client.ts';
import { onEachRequest, RawOrigin } from '../../../support/raw-origin.ts';
import { retryPolicy } from '../../../support/route-fixtures.ts';

interface Options {
  readonly cluster?: Partial<Cluster>;
  readonly action?: Partial<Extract<RouteAction, { kind: 'forward' }>>;
}

async function open(t: Test, port: number, { cluster, action }: Options = {}) {
  const plane = await startDataPlane({
    upstream: 'undici',
    listeners: [httpListener('http', managerOf([virtualHostOf([routeOf('/', forwardTo('app', action))])]))],
    clusters: [clusterOf('app', [port], cluster)],
  });
  t.teardown(() => plane.stop());
  const count = (name: keyof typeof clusterStats) =>
    plane.stats.get(clusterStats, 'app')!.value(clusterStats[name] as number);
  return { port: plane.ports.get('http')!, count };
}

/** Sends back every body as it comes, and its length in front when the client has said it. */
async function startEcho(t: Test): Promise<number> {
  const server: Server = createServer((incoming, outgoing) => {
    const length = incoming.headers['content-length'];
    outgoing.writeHead(200, length === undefined ? {} : { 'content-length': length });
    incoming.pipe(outgoing);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => void server.close());
  return (server.address() as { port: number }).port;
}

/** Sends `bytes` of a pattern and returns the digests of what was sent and of what came back. */
async function echo(port: number, bytes: number, isChunked: boolean): Promise<readonly [string, string]> {
  const headers = isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': bytes };
  const outgoing = request({ port, host: '127.0.0.1', method: 'POST', headers, agent: false });
  const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
  const [sent, received] = [createHash('sha256'), createHash('sha256')];
  const read = answered.then(async ([incoming]) => {
    for await (const chunk of incoming) received.update(chunk as Buffer);
  });
  const pattern = new Pattern(bytes);
  for (let at = 0; at < bytes; ) {
    const chunk = pattern.next(Math.min(100_000, bytes - at));
    at += chunk.length;
    sent.update(chunk);
    if (!outgoing.write(chunk)) await once(outgoing, 'drain');
  }
  outgoing.end();
  await read;
  return [sent.digest('hex'), received.digest('hex')];
}

for (const isChunked of [false, true]) {
  t.test(`bodies both ways are exact, ${isChunked ? 'chunked' : 'by length'}`, async (t) => {
    const { port } = await open(t, await startEcho(t), { action: { timeoutMs: 0 } });
    for (const bytes of [0, 1, 65_535, 65_536, 1_000_003, 10 * 1024 * 1024]) {
      const [sent, received] = await echo(port, bytes, isChunked);
      t.equal(received, sent, `${bytes} bytes`);
    }
  });
}

t.test('a hundred at once, each its own answer', async (t) => {
  const { port, count } = await open(t, await startEcho(t));
  const all = await Promise.all(Array.from({ length: 100 }, (_, index) => echo(port, 1000 + index, index % 2 === 0)));
  t.ok(all.every(([sent, received]) => sent === received));
  t.equal(count('upstreamRqTotal'), 100);
  t.equal(count('upstreamRqActive'), 0);
});

const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const get = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';

async function ask(client: RawClient, text: string): Promise<string> {
  const before = client.text.length;
  await client.write(text);
  return (await client.until((all) => all.endsWith('hello') && all.length > before)).slice(before);
}

t.test('requests follow each other on one connection, and all is counted', async (t) => {
  const origin = await RawOrigin.start(t, (connection) => onEachRequest(connection, () => connection.write(hello)));
  const { port, count } = await open(t, origin.port);
  const client = await RawClient.open(port);
  for (let index = 0; index < 3; index++) t.match(await ask(client, get), /^HTTP\/1\.1 200 OK\r\n/);
  client.close();
  t.equal(origin.connections.length, 1);
  t.same([count('upstreamCxTotal'), count('upstreamCxActive'), count('upstreamRqTotal')], [1, 1, 3]);
  t.equal(count('upstreamCxTxBytesTotal'), origin.text.length);
  t.equal(count('upstreamCxRxBytesTotal'), hello.length * 3);
});

t.test('heads go on to the byte, interim ones too, in whatever pieces they come', async (t) => {
  const heads =
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 F\xffne\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok';
  const origin = await RawOrigin.start(t, (connection) =>
    onEachRequest(connection, async ({ firstLine }) => {
      const piece = Number(firstLine[1].slice(1));
      for (let at = 0; at < heads.length; at += piece) {
        connection.write(heads.slice(at, at + piece));
        await nextTurn();
      }
    }),
  );
  const { port } = await open(t, origin.port);
  for (const piece of [1, 7, 45, heads.length]) {
    const client = await RawClient.open(port);
    await client.write(`GET /${piece} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const all = await client.until((text) => text.endsWith('\r\n\r\nok'));
    t.match(all, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>\r\n\r\nHTTP\/1\.1 200 F\xffne\r\nX-A: 1\r\n/, `${piece}`);
    client.close();
  }
  t.equal(origin.connections.length, 1);
});

t.test('a connection retires after max_requests_per_connection', async (t) => {
  const origin = await RawOrigin.start(t, (connection) => onEachRequest(connection, () => connection.write(hello)));
  const upstreamHttp = { ...clusterOf('app', []).upstreamHttp, maxRequestsPerConnection: 2 };
  const { port } = await open(t, origin.port, { cluster: { upstreamHttp } });
  const client = await RawClient.open(port);
  for (let index = 0; index < 4; index++) await ask(client, get);
  client.close();
  t.equal(origin.connections.length, 2);
});

for (const method of ['GET', 'POST']) {
  t.test(`${method} on a connection that the endpoint has just ended is answered on a fresh one`, async (t) => {
    const origin = await RawOrigin.start(t, (connection) => onEachRequest(connection, () => connection.write(hello)));
    const { port } = await open(t, origin.port);
    const client = await RawClient.open(port);
    await ask(client, get);
    // No turn in between: the end and the request are there together, and undici looks before it writes.
    origin.connections[0]!.socket.resetAndDestroy();
    const body = method === 'POST' ? 'Content-Length: 3\r\n\r\nabc' : '\r\n';
    t.match(await ask(client, `${method} /x HTTP/1.1\r\nHost: a\r\n${body}`), /^HTTP\/1\.1 200 OK\r\n/);
    client.close();
    t.notMatch(origin.connections[0]!.text, /POST/);
  });
}

t.test('a POST that has left is not sent twice; a GET is', async (t) => {
  let requests = 0;
  const origin = await RawOrigin.start(t, (connection) =>
    onEachRequest(connection, () => {
      if (requests++ % 2 === 0) connection.write(hello);
      else connection.socket.resetAndDestroy();
    }),
  );
  const { port } = await open(t, origin.port);
  const client = await RawClient.open(port);
  await ask(client, get);
  t.match(await ask(client, get), /^HTTP\/1\.1 200 OK\r\n/);
  await client.write('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc');
  t.match(await client.until((all) => all.includes('HTTP/1.1 503')), /503 Service Unavailable/);
  client.close();
  t.equal(requests, 4);
});

t.test('a client that goes away takes its request with it', async (t) => {
  const origin = await RawOrigin.start(t, () => undefined);
  const { port, count } = await open(t, origin.port);
  const client = await RawClient.open(port);
  await client.write(get);
  await origin.until(({ text }) => text.endsWith('\r\n\r\n'));
  client.reset();
  await origin.allClosed();
  t.equal(count('upstreamRqTxReset'), 1);
});

t.test('an attempt without an answer ends by per_try_timeout, and is retried', async (t) => {
  const origin = await RawOrigin.start(t, (connection) => {
    if (connection.index > 0) onEachRequest(connection, () => connection.write(hello));
  });
  const policy = retryPolicy({ retryOn: ['5xx'], numRetries: 1, perTryTimeoutMs: 50, backoffBaseMs: 1 });
  const { port, count } = await open(t, origin.port, { action: { retryPolicy: policy } });
  const client = await RawClient.open(port);
  t.match(await ask(client, get), /^HTTP\/1\.1 200 OK\r\n/);
  client.close();
  t.equal(count('upstreamRqPerTryTimeout'), 1);
});

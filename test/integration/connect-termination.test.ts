// CONNECT that ends here (`connect_config`): the endpoint gets plain TCP. Compared by hand with Envoy 1.40: answers, logs and
// what is counted are its own but for the half-closed client.

import { connect } from 'node:net';
import t, { type Test } from 'tap';
import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import type { ConnectTermination } from '../../config/route.ts';
import { clusterStats } from '../../proxy/telemetry/cluster-stats.ts';
import { httpStats } from '../../proxy/telemetry/http-stats.ts';
import {
  clusterOf,
  forwardTo,
  httpListener,
  managerOf,
  routeOf,
  startDataPlane,
  virtualHostOf,
} from '../support/data-plane.ts';
import { RawClient } from '../support/raw-client.ts';
import { type OriginConnection, RawOrigin } from '../support/raw-origin.ts';
import { until } from '../support/tcp-proxy-fixtures.ts';

const ask = 'CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n';
const head = /^HTTP\/1\.1 200 OK\r\ndate: [^\r]+\r\nserver: envoy\r\n\r\n/;
const anyConnect = { path: { kind: 'connect' }, caseSensitive: true, headers: [], queryParameters: [], grpc: false };

interface Options {
  readonly manager?: Partial<HttpConnectionManager>;
  readonly timeoutMs?: number;
  readonly termination?: ConnectTermination;
  /** Of the endpoint, in place of the origin's. */
  readonly port?: number;
}

async function start(t: Test, onConnection: (connection: OriginConnection) => void, options: Options = {}) {
  const origin = await RawOrigin.start(t, onConnection);
  const connectTermination = options.termination ?? { allowsPost: false };
  const action = forwardTo('app', {
    upgrades: { connect: true },
    connectTermination,
    timeoutMs: options.timeoutMs ?? 0,
  });
  const routes = [routeOf('', action, { match: anyConnect as never }), routeOf('/', action)];
  const plane = await startDataPlane({
    listeners: [httpListener('http', managerOf([virtualHostOf(routes)], options.manager))],
    clusters: [clusterOf('app', [options.port ?? origin.port])],
  });
  const client = await RawClient.open(plane.ports.get('http')!);
  t.teardown(async () => {
    client.close();
    await plane.stop();
  });
  return {
    client,
    origin,
    plane,
    ofCluster: (stat: number) => plane.stats.get(clusterStats, 'app')?.value(stat) ?? 0,
    ofManager: (stat: number) => plane.stats.get(httpStats, 'test')!.value(stat),
  };
}

/** Answers each piece with itself in brackets. */
function echo(connection: OriginConnection): void {
  connection.onText = (piece) => connection.write(`<${piece}>`);
}

t.test('the endpoint gets the bytes of the tunnel and nothing of the request', async (t) => {
  const { client, origin, ofCluster, ofManager } = await start(t, echo);
  await client.write(ask);
  t.match(await client.until((text) => text.endsWith('\r\n\r\n')), head);
  await client.write('SELECT 1');
  t.match(await client.until((text) => text.endsWith('>')), /\r\n\r\n<SELECT 1>$/);
  t.equal(origin.connections[0]!.text, 'SELECT 1');
  t.same([ofCluster(clusterStats.upstreamCxTotal), ofCluster(clusterStats.upstreamCxHttp1Total)], [1, 0]);
  t.equal(ofManager(httpStats.downstreamCxUpgradesActive), 1);
  client.endWriting();
  origin.connections[0]!.socket.end();
  await client.ended();
  t.equal(client.outcome, 'end');
  await until(() => ofManager(httpStats.downstreamCxUpgradesActive) === 0);
  await until(() => ofCluster(clusterStats.upstreamCxActive) === 0);
  t.equal(ofCluster(clusterStats.upstreamRqActive), 0);
});

t.test('bytes that come with the request, another request among them, are the tunnel’s', async (t) => {
  const early = 'early GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
  const { client, origin } = await start(t, echo);
  await client.write(ask + early);
  t.match(await client.until((text) => text.endsWith('>')), /\r\n\r\n<early GET/);
  t.equal(origin.connections[0]!.text, early);
  t.equal(client.text.match(/HTTP\/1\.1 200/g)?.length, 1);
});

t.test('a server that speaks first is heard behind the 200', async (t) => {
  const { client } = await start(t, (connection) => connection.write('220 ready\r\n'));
  await client.write(ask);
  t.match(await client.until((text) => text.endsWith('ready\r\n')), /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\n220 ready\r\n$/s);
});

t.test('a client that ends its side, also at once, gets what the endpoint still sends', async (t) => {
  for (const pieces of [[ask, 'hi'], [`${ask}hi`]]) {
    const { client } = await start(t, (connection) => {
      connection.socket.prependListener('end', () => connection.socket.end(`end of ${connection.text}`));
    });
    for (const piece of pieces) await client.write(piece);
    client.endWriting();
    t.match(await client.ended(), /\r\n\r\nend of hi$/);
    t.equal(client.outcome, 'end');
  }
});

t.test('an endpoint that ends its side ends the tunnel, when all of it has arrived', async (t) => {
  const large = 'x'.repeat(3 << 20);
  const { client, ofCluster } = await start(t, (connection) => connection.socket.end(large));
  await client.write(ask);
  const text = await client.ended();
  t.equal(text.slice(text.indexOf('\r\n\r\n') + 4), large);
  t.equal(client.outcome, 'end');
  client.close();
  await until(() => ofCluster(clusterStats.upstreamCxActive) === 0);
});

t.test('an endpoint that resets cuts the tunnel, and nobody takes it for an end', async (t) => {
  const { client, ofManager } = await start(t, (connection) => {
    connection.onText = () => connection.socket.resetAndDestroy();
  });
  await client.write(ask);
  await client.until((text) => text.endsWith('\r\n\r\n'));
  await client.write('x');
  await client.ended();
  t.equal(client.outcome, 'ECONNRESET');
  t.equal(ofManager(httpStats.downstreamRqTxReset), 1);
});

t.test('a client that resets closes the connection to the endpoint', async (t) => {
  const { client, origin, ofCluster } = await start(t, echo);
  await client.write(`${ask}x`);
  await client.until((text) => text.endsWith('<x>'));
  client.reset();
  await until(() => ofCluster(clusterStats.upstreamCxActive) === 0);
  t.equal(ofCluster(clusterStats.upstreamRqTxReset), 1);
  t.equal(origin.connections.length, 1);
});

t.test('an endpoint that refuses is 503, and bytes behind the request are no requests', async (t) => {
  const { client, origin } = await start(t, echo, { port: 1 });
  await client.write(`${ask}GET / HTTP/1.1\r\nHost: a\r\n\r\n`);
  t.match(await client.ended(), /^HTTP\/1\.1 503 Service Unavailable\r\n.*\r\nconnection: close\r\n(?!.*HTTP\/1)/s);
  t.equal(origin.connections.length, 0);
});

t.test('bytes behind a CONNECT that is not valid are no requests, though such clients may stay', async (t) => {
  const { client, ofManager } = await start(t, echo, { manager: { streamErrorOnInvalidMessage: true } });
  await client.write(
    'CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\nConnection: host\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
  );
  t.match(await client.ended(), /^HTTP\/1\.1 4\d\d (?!.*HTTP\/1)/s);
  t.equal(ofManager(httpStats.downstreamRqTotal), 1);
});

t.test('the time of the route ends with the 200, an idle tunnel by its own', async (t) => {
  const { client, ofCluster, ofManager } = await start(t, echo, {
    timeoutMs: 500,
    manager: { streamIdleTimeoutMs: 800 },
  });
  await client.write(ask);
  await client.until((text) => text.endsWith('\r\n\r\n'));
  await client.ended();
  t.same([ofCluster(clusterStats.upstreamRqTimeout), ofManager(httpStats.downstreamRqIdleTimeout)], [0, 1]);
});

t.test('a client that does not read stops the endpoint, and loses nothing', async (t) => {
  const size = 24 << 20;
  const { client, origin, ofCluster } = await start(t, (connection) => connection.socket.end('y'.repeat(size)));
  client.socket.pause();
  client.socket.write(ask);
  await until(() => ofCluster(clusterStats.upstreamFlowControlPausedReadingTotal) > 0);
  t.equal(origin.connections.length, 1);
  client.socket.resume();
  const text = await client.ended();
  t.equal(text.length - text.indexOf('\r\n\r\n') - 4, size);
  t.equal(
    ofCluster(clusterStats.upstreamFlowControlPausedReadingTotal),
    ofCluster(clusterStats.upstreamFlowControlResumedReadingTotal),
  );
});

t.test('the body of a POST is a tunnel where that is allowed, and a request elsewhere', async (t) => {
  const post = 'POST /x HTTP/1.1\r\nHost: a\r\n';
  const answering = (connection: OriginConnection) => {
    connection.socket.prependListener('end', () => connection.socket.end(`[${connection.text}]`));
  };
  const bodies = ['Content-Length: 5\r\n\r\nhello', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'];
  for (const body of bodies) {
    const { client } = await start(t, answering, { termination: { allowsPost: true } });
    await client.write(post + body);
    t.match(
      await client.until((text) => text.endsWith('\r\n0\r\n\r\n')),
      /^HTTP\/1\.1 200 OK\r\n.*transfer-encoding: chunked\r\n.*\r\n7\r\n\[hello\]\r\n0\r\n\r\n$/is,
    );
  }
  const empty = await start(t, answering, { termination: { allowsPost: true } });
  await empty.client.write(`${post}Content-Length: 0\r\n\r\n`);
  t.match(await empty.client.until((text) => text.endsWith('\r\n0\r\n\r\n')), /\r\n2\r\n\[\]\r\n0\r\n\r\n$/);
  const other = await start(t, (connection) => {
    connection.onText = () => connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  });
  await other.client.write(post + bodies[0]);
  await other.client.until((text) => text.includes('\r\n\r\n'));
  t.match(other.origin.connections[0]!.text, /^POST \/x HTTP\/1\.1\r\n/);
});

t.test('a client that leaves while the endpoint is connected to leaves no connection behind', async (t) => {
  const { plane, ofCluster, origin } = await start(t, echo);
  for (let round = 0; round < 20; round++) {
    const socket = connect({ port: plane.ports.get('http')!, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.write(ask, () => socket.resetAndDestroy());
    await new Promise((resolve) => socket.on('close', resolve));
  }
  await until(() => ofCluster(clusterStats.upstreamCxActive) === 0 && ofCluster(clusterStats.upstreamRqActive) === 0);
  t.ok(origin.connections.length <= 20);
});

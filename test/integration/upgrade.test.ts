// Upgrades and CONNECT through real sockets: what becomes a tunnel, what does not, and what happens to bytes that a
// client sends ahead.

import t, { type Test } from 'tap';
import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import type { Route } from '../../config/route.ts';
import { clusterStats } from '../../proxy/telemetry/cluster-stats.ts';
import { httpStats } from '../../proxy/telemetry/http-stats.ts';
import {
  clusterOf,
  type DataPlane,
  forwardTo,
  httpListener,
  managerOf,
  routeOf,
  startDataPlane,
  virtualHostOf,
} from '../support/data-plane.ts';
import { RawClient } from '../support/raw-client.ts';
import { type OriginConnection, RawOrigin } from '../support/raw-origin.ts';

const upgradeHead =
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: k\r\n\r\n';
const accepted = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

const anyUpgrade: Partial<HttpConnectionManager> = { upgrades: { websocket: true, connect: true } };
const connectRoute: Route = routeOf('', forwardTo('app', { upgrades: { connect: true } }), {
  match: {
    path: { kind: 'connect' },
    caseSensitive: true,
    headers: [],
    queryParameters: [],
    grpc: false,
  },
});

interface Scene {
  readonly client: RawClient;
  readonly origin: RawOrigin;
  readonly plane: DataPlane;
}

/** A client connected to a proxy in front of an origin. */
async function open(
  t: Test,
  onConnection: (connection: OriginConnection) => void,
  manager: Partial<HttpConnectionManager> = anyUpgrade,
): Promise<Scene> {
  const origin = await RawOrigin.start(t, onConnection);
  const routes = [connectRoute, routeOf('/', forwardTo('app'))];
  const plane = await startDataPlane({
    listeners: [httpListener('http', managerOf([virtualHostOf(routes)], manager))],
    clusters: [clusterOf('app', [origin.port])],
  });
  const client = await RawClient.open(plane.ports.get('http')!);
  t.teardown(async () => {
    client.close();
    await plane.stop();
  });
  return { client, origin, plane };
}

/** Answers the head that comes first and then echoes every byte, until the proxy ends its side. */
function echoing(answer: string): (connection: OriginConnection) => void {
  return (connection) => {
    let told = 0;
    connection.onText = (_, { text }) => {
      const headEnd = text.indexOf('\r\n\r\n') + 4;
      if (headEnd < 4) return;
      if (told === 0) connection.write(answer);
      const from = Math.max(told, headEnd);
      told = text.length;
      if (text.length > from) connection.write(`<${text.slice(from)}>`);
    };
  };
}

t.test('a WebSocket passes both ways and ends when both sides have', async (t) => {
  const { client, origin, plane } = await open(t, echoing(accepted));
  await client.write(upgradeHead);
  await client.until((text) => text.includes('\r\n\r\n'));
  t.match(client.text, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  t.match(client.text, /\r\nupgrade: websocket\r\n/i);
  t.match(client.text, /\r\nconnection: upgrade\r\n/i);
  t.notMatch(client.text, /connection: close/i, 'the head of a tunnel speaks of no close');
  t.match(origin.text, /^GET \/chat HTTP\/1\.1\r\n/);
  t.match(origin.text, /\r\n[Uu]pgrade: WebSocket\r\n/, 'as the client spelt it');
  t.equal(plane.stats.get(httpStats, 'test')!.value(httpStats.downstreamCxUpgradesActive), 1);
  await client.write('\x81\x05ping!');
  await client.until((text) => text.endsWith('<\x81\x05ping!>'));
  client.endWriting();
  await client.ended();
  t.equal(client.outcome, 'end');
  t.equal(origin.connections.length, 1);
  t.equal(plane.stats.get(httpStats, 'test')!.value(httpStats.downstreamCxUpgradesActive), 0);
  t.equal(plane.stats.get(clusterStats, 'app')!.value(clusterStats.upstreamRqActive), 0);
});

t.test('a client that has ended its side still gets what the origin has to say', async (t) => {
  const { client, origin } = await open(t, (connection) => {
    connection.onText = (_, { text }) => {
      if (text.endsWith('\r\n\r\n')) connection.write(accepted);
    };
    connection.socket.removeAllListeners('end');
    connection.socket.on('end', () => connection.socket.end('last words'));
  });
  await client.write(upgradeHead);
  await client.until((text) => text.includes('\r\n\r\n'));
  await client.write('first words');
  await origin.until(({ text }) => text.endsWith('first words'));
  client.endWriting();
  t.match(await client.ended(), /last words$/);
  t.equal(client.outcome, 'end');
});

t.test('an origin that ends its side first still gets what the client has to say', async (t) => {
  const { client, origin } = await open(t, (connection) => {
    connection.onText = (_, { text }) => {
      if (text.endsWith('\r\n\r\n')) connection.socket.end(`${accepted}bye`);
    };
  });
  await client.write(upgradeHead);
  t.match(await client.until((text) => text.endsWith('bye')), /bye$/);
  t.equal(origin.connections.length, 1);
  client.endWriting();
  await client.ended();
  t.equal(client.outcome, 'end');
});

t.test('bytes sent ahead of the 101 reach the origin behind the request, in order', async (t) => {
  const { client } = await open(t, echoing(accepted));
  await client.write(`${upgradeHead}early`);
  await client.write('-more');
  const text = await client.until((all) => all.replaceAll('><', '').endsWith('<early-more>'));
  t.match(text, /^HTTP\/1\.1 101 /);
});

t.test('an upgrade that the origin refuses is an ordinary response, and the last of its connection', async (t) => {
  const { client, origin } = await open(t, (connection) => {
    connection.onText = () => connection.write(hello);
  });
  await client.write(`${upgradeHead}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
  const text = await client.ended();
  t.match(text, /^HTTP\/1\.1 200 OK\r\n/);
  t.match(text, /\r\nconnection: close\r\n/i);
  t.match(text, /\r\n\r\nhello$/, 'one response, whole');
  t.notMatch(origin.text, /smuggled/, 'bytes for a tunnel are no request');
});

t.test('an upgrade that nothing allows is refused with 403 and reaches no origin', async (t) => {
  const { client, origin, plane } = await open(t, echoing(accepted), {});
  await client.write(`${upgradeHead}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
  const text = await client.ended();
  t.match(text, /^HTTP\/1\.1 403 Forbidden\r\n/);
  t.match(text, /\r\nconnection: close\r\n/i);
  t.equal(text.split('HTTP/1.1 ').length, 2, 'one response');
  t.equal(origin.connections.length, 0);
  t.equal(plane.stats.get(httpStats, 'test')!.value(httpStats.downstreamRqWsOnNonWsRoute), 1);
});

t.test('a route may refuse what the connection manager allows', async (t) => {
  const origin = await RawOrigin.start(t, echoing(accepted));
  const routes = [routeOf('/', forwardTo('app', { upgrades: { websocket: false } }))];
  const plane = await startDataPlane({
    listeners: [httpListener('http', managerOf([virtualHostOf(routes)], anyUpgrade))],
    clusters: [clusterOf('app', [origin.port])],
  });
  const client = await RawClient.open(plane.ports.get('http')!);
  t.teardown(async () => {
    client.close();
    await plane.stop();
  });
  await client.write(upgradeHead);
  t.match(await client.ended(), /^HTTP\/1\.1 403 /);
});

t.test('CONNECT that the origin takes is a tunnel', async (t) => {
  const { client, origin } = await open(t, echoing('HTTP/1.1 200 Connected\r\n\r\n'));
  await client.write('CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n');
  const head = await client.until((text) => text.includes('\r\n\r\n'));
  t.match(head, /^HTTP\/1\.1 200 /);
  t.notMatch(head, /transfer-encoding|content-length|connection: close/i, 'RFC 9110 section 9.3.6: no framing');
  t.match(origin.text, /^CONNECT db\.example:5432 HTTP\/1\.1\r\n/);
  await client.write('select 1');
  await client.until((text) => text.endsWith('<select 1>'));
  client.endWriting();
  await client.ended();
  t.equal(client.outcome, 'end');
});

t.test('CONNECT that the origin refuses is an ordinary response, and the last of its connection', async (t) => {
  const { client } = await open(t, (connection) => {
    connection.onText = () => connection.write('HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno');
  });
  await client.write('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nbytes for a tunnel');
  const text = await client.ended();
  t.match(text, /^HTTP\/1\.1 407 /);
  t.match(text, /\r\n\r\nno$/);
});

t.test('CONNECT that nothing allows is refused with 403', async (t) => {
  const origin = await RawOrigin.start(t, echoing(hello));
  const route: Route = { ...connectRoute, action: forwardTo('app') };
  const plane = await startDataPlane({
    listeners: [httpListener('http', managerOf([virtualHostOf([route])]))],
    clusters: [clusterOf('app', [origin.port])],
  });
  const client = await RawClient.open(plane.ports.get('http')!);
  t.teardown(async () => {
    client.close();
    await plane.stop();
  });
  await client.write('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n');
  t.match(await client.ended(), /^HTTP\/1\.1 403 /);
  t.equal(origin.connections.length, 0);
});

t.test('a tunnel that the origin resets is reset for the client', async (t) => {
  const { client, plane } = await open(t, (connection) => {
    connection.onText = (_, { text }) => {
      if (text.endsWith('\r\n\r\n')) connection.write(accepted);
      else connection.socket.resetAndDestroy();
    };
  });
  await client.write(upgradeHead);
  await client.until((text) => text.includes('\r\n\r\n'));
  await client.write('x');
  await client.ended();
  t.equal(client.outcome, 'ECONNRESET');
  t.equal(plane.stats.get(clusterStats, 'app')!.value(clusterStats.upstreamRqActive), 0);
});

t.test('a client that resets a tunnel frees the origin', async (t) => {
  const { client, origin, plane } = await open(t, echoing(accepted));
  await client.write(upgradeHead);
  await client.until((text) => text.includes('\r\n\r\n'));
  client.reset();
  await origin.until(({ connections }) => connections[0]!.outcome === 'closed');
  t.equal(plane.stats.get(clusterStats, 'app')!.value(clusterStats.upstreamRqActive), 0);
});

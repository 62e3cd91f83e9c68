// A client's connection through a real worker, without an endpoint where none is needed: what ends it, what keeps it,
// and what is said to clients of either version. What hostile clients do to it is in test/integration.

import t, { type Test } from 'tap';
import type { HttpConnectionManager } from '../../../../config/http-connection-manager.ts';
import { OutputBuffer } from '../../../../proxy/http/http1/output-buffer.ts';
import { Http1ServerConnection } from '../../../../proxy/http/http1/server-connection.ts';
import { http1Stats, httpStats } from '../../../../proxy/telemetry/http-stats.ts';
import {
  clusterOf,
  type DataPlane,
  forwardTo,
  httpListener,
  managerOf,
  routeOf,
  startDataPlane,
  virtualHostOf,
} from '../../../support/data-plane.ts';
import { FakeStream } from '../../../support/fake-stream.ts';
import { anyConnection, Scene } from '../../../support/http-fixtures.ts';
import { RawClient } from '../../../support/raw-client.ts';
import { onEachRequest, RawOrigin } from '../../../support/raw-origin.ts';
import { type ReferenceMessage, readResponses, valuesOf } from '../../../support/reference-parser.ts';
import { until } from '../../../support/tcp-proxy-fixtures.ts';

interface Bench {
  readonly plane: DataPlane;
  readonly requests: ReferenceMessage[];
}

/** Everything is answered with `answer` by an origin. */
async function start(t: Test, options: Partial<HttpConnectionManager>, answer = ok('hello')): Promise<Bench> {
  const requests: ReferenceMessage[] = [];
  const origin = await RawOrigin.start(t, (connection) =>
    onEachRequest(connection, (request) => {
      requests.push(request);
      connection.write(answer);
      if (!/Content-Length|chunked/.test(answer)) connection.socket.end();
    }),
  );
  const manager = managerOf([virtualHostOf([routeOf('/', forwardTo('app'))])], options);
  const plane = await startDataPlane({
    listeners: [httpListener('http', manager)],
    clusters: [clusterOf('app', [origin.port])],
    drainStrategy: 'immediate',
  });
  t.teardown(() => plane.stop());
  return { plane, requests };
}

function ok(body: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

const get = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n';
const acceptHttp10 = { http1: { ...managerOf([]).http1, acceptHttp10: true } };

async function ask({ plane }: Bench, text: string): Promise<string> {
  const client = await RawClient.open(plane.ports.get('http')!);
  await client.write(text);
  const answer = await client.ended();
  client.close();
  return answer;
}

t.test('a client of HTTP/1.0 gets a body that ends with the connection, and no Transfer-Encoding', async (t) => {
  for (const answer of [chunked, 'HTTP/1.1 200 OK\r\n\r\nhello']) {
    const bench = await start(t, acceptHttp10, answer);
    const text = await ask(bench, 'GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n');
    t.match(text, /\r\nconnection: close\r\n(.*\r\n)*\r\nhello$/);
    t.notMatch(text, /transfer-encoding/i);
  }
  const bench = await start(t, acceptHttp10, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  t.notMatch(await ask(bench, 'HEAD / HTTP/1.0\r\nHost: a\r\n\r\n'), /transfer-encoding/i);
});

t.test('a client of HTTP/1.0 that asks for it keeps its connection', async (t) => {
  const bench = await start(t, acceptHttp10);
  const one = 'GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n';
  const text = await ask(bench, `${one}${one}GET / HTTP/1.0\r\nHost: a\r\n\r\n`);
  const { messages } = readResponses(text, ['GET', 'GET', 'GET']);
  t.same(
    messages.map((message) => valuesOf(message, 'connection')),
    [['keep-alive'], ['keep-alive'], ['close']],
  );
});

t.test('a body without an end of its own is chunked for a client of HTTP/1.1', async (t) => {
  const bench = await start(t, {}, 'HTTP/1.1 200 OK\r\n\r\nhello');
  const text = await ask(bench, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  t.match(text, /\r\ntransfer-encoding: chunked\r\n/);
  t.match(text, /\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/);
});

t.test('Expect: 100-continue is answered here, or by the endpoint when so configured', async (t) => {
  const post =
    'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc';
  for (const proxy100Continue of [false, true]) {
    const bench = await start(t, { proxy100Continue });
    const text = await ask(bench, post);
    t.equal(text.startsWith('HTTP/1.1 100 Continue\r\n\r\n'), !proxy100Continue);
    t.same(valuesOf(bench.requests[0]!, 'expect'), proxy100Continue ? ['100-continue'] : []);
    t.equal(bench.requests[0]?.body, 'abc');
  }
});

t.test('a connection ends after as many requests as it may carry', async (t) => {
  const bench = await start(t, { maxRequestsPerConnection: 2 });
  const { messages, rest } = readResponses(await ask(bench, get.repeat(3)), ['GET', 'GET', 'GET']);
  t.same(
    messages.map((message) => valuesOf(message, 'connection')),
    [[], ['close']],
  );
  t.equal(rest, '');
  t.equal(bench.requests.length, 2);
});

t.test('an idle connection ends after its time, and one that carries a request does not', async (t) => {
  const bench = await start(t, { idleTimeoutMs: 20, drainTimeoutMs: 0 });
  t.equal(await ask(bench, ''), '');
  t.match(await ask(bench, get), /hello$/);
  t.equal(count(bench, httpStats.downstreamCxIdleTimeout), 2);
});

function count({ plane }: Bench, index: number): number {
  return plane.stats.get(httpStats, 'test')!.value(index);
}

t.test('what is refused is counted, answered once and closed', async (t) => {
  const bench = await start(t, {});
  const { messages } = readResponses(await ask(bench, `${get}GET / HTTP/1.1\r\nHost : a\r\n\r\n${get}`), [
    'GET',
    'GET',
  ]);
  t.same(
    messages.map(({ firstLine }) => firstLine[1]),
    ['200', '400'],
  );
  t.equal(count(bench, httpStats.downstreamCxProtocolError), 1);
  t.equal(count(bench, httpStats.downstreamRq4xx), 1);
  t.equal(bench.requests.length, 1);
});

t.test('names with underscores are counted when they are dropped and when they are refused', async (t) => {
  const request = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\na_b: 1\r\nc_d: 2\r\n\r\n';
  const dropping = await start(t, { headersWithUnderscores: 'drop-header' });
  await ask(dropping, request.replace('Connection: close\r\n', '') + request);
  const refusing = await start(t, { headersWithUnderscores: 'reject-request' });
  t.match(await ask(refusing, request), /^HTTP\/1\.1 400 /);
  const codec = (bench: Bench, index: number) => bench.plane.stats.get(http1Stats)?.value(index);
  t.equal(codec(dropping, http1Stats.droppedHeadersWithUnderscores), 4);
  t.equal(codec(refusing, http1Stats.requestsRejectedWithUnderscoresInHeaders), 1);
  t.equal(codec(refusing, http1Stats.responseFlood), 0);
});

t.test('a client that asks while its connection is drained gets its response, and leaves with it', async (t) => {
  const { plane } = await start(t, {});
  const port = plane.ports.get('http')!;
  const [busy, fresh, idle] = [await RawClient.open(port), await RawClient.open(port), await RawClient.open(port)];
  for (const client of [busy, idle]) {
    await client.write(get);
    await client.until((text) => text.endsWith('hello'));
    t.notMatch(client.text, /connection: close/);
    client.text = '';
  }
  await plane.update({ listeners: { set: [], removed: ['http'] } });
  for (const client of [busy, fresh]) {
    await client.write(get);
    t.match(await client.ended(), /\r\nconnection: close\r\n(.*\r\n)*\r\nhello$/);
  }
  await idle.ended();
  t.same([busy.outcome, fresh.outcome, idle.outcome, idle.text], ['end', 'end', 'end', '']);
  const { downstreamCxDrainClose, downstreamCxIdleTimeout } = httpStats;
  const http = plane.stats.get(httpStats, 'test')!;
  t.same([http.value(downstreamCxDrainClose), http.value(downstreamCxIdleTimeout)], [3, 0]);
  for (const client of [busy, fresh, idle]) client.close();
});

t.test('a client whose time is over has drain_timeout for one more request, which tells it to leave', async (t) => {
  for (const limit of [{ idleTimeoutMs: 200 }, { maxConnectionDurationMs: 400 }]) {
    const bench = await start(t, { ...limit, drainTimeoutMs: 60_000 });
    const client = await RawClient.open(bench.plane.ports.get('http')!);
    await client.write(get);
    await client.until((text) => text.endsWith('hello'));
    client.text = '';
    const over =
      'idleTimeoutMs' in limit ? httpStats.downstreamCxIdleTimeout : httpStats.downstreamCxMaxDurationReached;
    await until(() => count(bench, over) === 1);
    t.equal(client.outcome, undefined);
    await client.write(get + get);
    t.match(await client.ended(), /\r\nconnection: close\r\n(.*\r\n)*\r\nhello$/);
    t.same([client.outcome, bench.requests.length], ['end', 2], 'what comes behind it is not answered');
    client.close();
  }
});

t.test('a client that asks for nothing more is closed when drain_timeout is over', async (t) => {
  const bench = await start(t, { idleTimeoutMs: 200, drainTimeoutMs: 300 });
  const client = await RawClient.open(bench.plane.ports.get('http')!);
  const askedAtMs = performance.now();
  await client.write(get);
  await client.ended();
  t.ok(performance.now() - askedAtMs > 490, 'not before');
  t.equal(client.outcome, 'end');
  t.equal(count(bench, httpStats.downstreamCxIdleTimeout), 1);
  client.close();
});

t.test('a head that is not complete when the connection ends is no request any more', (t) => {
  const scene = new Scene({ manager: { idleTimeoutMs: 50, drainTimeoutMs: 0, requestHeadersTimeoutMs: 150 } });
  Object.assign(scene.manager.context, { output: new OutputBuffer() });
  const stream = new FakeStream();
  const gone = { onConnectionGone: () => undefined };
  const connection = new Http1ServerConnection(stream, scene.manager, anyConnection, gone);
  stream.handler = connection;
  stream.receive('GET / HTTP/1.1\r\n');
  scene.reactor.advance(60);
  t.same(stream.calls, ['closeGracefully']);
  scene.reactor.advance(200);
  t.same([stream.text, stream.calls], ['', ['closeGracefully']], 'its client may be slow to close');
  const value = (stat: number) => scene.stats.get(httpStats, 'test')!.value(stat);
  t.same([value(httpStats.downstreamRqHeaderTimeout), value(httpStats.downstreamRqTotal)], [0, 0]);
  t.end();
});

t.test('a drain shortens what is left of drain_timeout', async (t) => {
  const bench = await start(t, { idleTimeoutMs: 200, drainTimeoutMs: 60_000 });
  const client = await RawClient.open(bench.plane.ports.get('http')!);
  await client.write(get);
  await client.until((text) => text.endsWith('hello'));
  await until(() => count(bench, httpStats.downstreamCxIdleTimeout) === 1);
  await bench.plane.update({ listeners: { set: [], removed: ['http'] } });
  await client.ended();
  t.same([client.outcome, count(bench, httpStats.downstreamCxDrainClose)], ['end', 1]);
  client.close();
});

t.test('a client that does not close behind the last response is counted, one that does is not', async (t) => {
  const bench = await start(t, { delayedCloseTimeoutMs: 500 });
  const last = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
  const quick = await RawClient.open(bench.plane.ports.get('http')!);
  const slow = await RawClient.open(bench.plane.ports.get('http')!);
  await quick.write(last);
  await quick.ended();
  quick.close();
  await until(() => count(bench, httpStats.downstreamCxDestroy) === 1);
  t.equal(count(bench, httpStats.downstreamCxDelayedCloseTimeout), 0);
  await slow.write(last);
  await slow.ended();
  await until(() => count(bench, httpStats.downstreamCxDestroy) === 2);
  t.equal(count(bench, httpStats.downstreamCxDelayedCloseTimeout), 1);
  slow.close();
});

// The race that users see as 503 UC: the endpoint closes an idle connection in the moment it is used again. What is safe
// to repeat is repeated once, what is not never is, and what the endpoint says about its idle time is kept to.

import t from 'tap';
import { clusterStats } from '../../proxy/telemetry/cluster-stats.ts';
import { httpStats } from '../../proxy/telemetry/http-stats.ts';
import { FaultBench } from '../support/fault-bench.ts';
import type { RawClient } from '../support/raw-client.ts';
import type { OriginConnection } from '../support/raw-origin.ts';
import { readResponses } from '../support/reference-parser.ts';

const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

/** Sends a request and waits for its answer on a connection that is kept open; returns the answer's status. */
async function ask(client: RawClient, request: string): Promise<string | undefined> {
  const seen = client.text.length;
  await client.write(request);
  const method = request.slice(0, request.indexOf(' '));
  const read = (text: string) => readResponses(text.slice(seen), [method], false).messages.at(-1);
  return read(await client.until((text) => read(text) !== undefined))?.firstLine[1];
}

const requests = [
  { method: 'GET', rest: '\r\n', isRepeated: true },
  { method: 'HEAD', rest: '\r\n', isRepeated: true },
  { method: 'PUT', rest: 'Content-Length: 3\r\n\r\nabc', isRepeated: true },
  { method: 'DELETE', rest: '\r\n', isRepeated: true },
  { method: 'POST', rest: 'Content-Length: 3\r\n\r\nabc', isRepeated: false },
  { method: 'PATCH', rest: 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n', isRepeated: false },
];

for (const { method, rest, isRepeated } of requests) {
  for (const how of ['end', 'resetAndDestroy'] as const) {
    const outcome = isRepeated ? 'is repeated once on a fresh connection' : 'is never repeated';
    t.test(`${method} on a reused connection that dies by ${how} ${outcome}`, async (t) => {
      const bench = await FaultBench.start(t);
      const received: OriginConnection[] = [];
      bench.onRequest = (_request, connection) => {
        received.push(connection);
        if (received.length === 2) connection.socket[how]();
        else connection.write(_request.firstLine[0] === 'HEAD' ? hello.slice(0, -5) : hello);
      };
      const client = await bench.client();
      t.equal(await ask(client, 'GET /warm HTTP/1.1\r\nHost: a\r\n\r\n'), '200');
      t.equal(await ask(client, `${method} /x HTTP/1.1\r\nHost: a\r\n${rest}`), isRepeated ? '200' : '503');
      t.equal(received[1], received[0], 'the second request went over the first one’s connection');
      t.equal(received.length, isRepeated ? 3 : 2);
      t.equal(bench.counted(clusterStats.upstreamRqRetry), 0, 'and took no retry');
      client.close();
    });
  }
}

t.test('a request is repeated once, not until it works', async (t) => {
  const bench = await FaultBench.start(t);
  let count = 0;
  bench.onRequest = (_request, connection) => {
    if (++count === 1) connection.write(hello);
    else connection.socket.resetAndDestroy();
  };
  const client = await bench.client();
  await ask(client, 'GET /warm HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal(await ask(client, 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n'), '503');
  t.equal(count, 3);
  client.close();
});

t.test('a response that has begun is not asked for again', async (t) => {
  const bench = await FaultBench.start(t);
  let count = 0;
  bench.onRequest = (_request, connection) => {
    if (++count === 1) connection.write(hello);
    else connection.socket.end('HTTP/1.1 200');
  };
  const client = await bench.client();
  await ask(client, 'GET /warm HTTP/1.1\r\nHost: a\r\n\r\n');
  t.equal(await ask(client, 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n'), '503');
  t.equal(count, 2);
  client.close();
});

t.test('an endpoint that closes while nobody asks costs nobody anything', async (t) => {
  const bench = await FaultBench.start(t);
  bench.onRequest = (_request, connection) => connection.write(hello);
  const client = await bench.client();
  await ask(client, 'GET /warm HTTP/1.1\r\nHost: a\r\n\r\n');
  for (const { socket } of bench.origin.connections) socket.end();
  await bench.origin.allClosed();
  const post = 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc';
  t.equal(await ask(client, post), '200', 'not even a request that may not be repeated');
  client.close();
});

t.test('Keep-Alive: timeout is kept to: the connection is closed before the endpoint would', async (t) => {
  const bench = await FaultBench.start(t);
  bench.onRequest = (_request, connection) =>
    connection.write('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 5\r\n\r\nhello');
  const client = await bench.client();
  await ask(client, 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
  t.notMatch(client.text, /Keep-Alive/i, 'which is the endpoint’s word to us, not to the client');
  await bench.origin.allClosed();
  t.equal(bench.counted(clusterStats.upstreamCxIdleTimeout), 1);
  client.close();
});

t.test('max_connection_duration makes the response under way the last, and ends an idle connection', async (t) => {
  const bench = await FaultBench.start(t, { manager: { maxConnectionDurationMs: 40 } });
  const reached = () => bench.plane.stats.get(httpStats, 'test')!.value(httpStats.downstreamCxMaxDurationReached);
  bench.onRequest = (_request, connection) => {
    // Answered when the time is over: the request is not cut.
    const answer = (): void => void (reached() === 0 ? setImmediate(answer) : connection.write(hello));
    answer();
  };
  const [busy, idle] = [await bench.client(), await bench.client()];
  await busy.write('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
  t.match(await busy.ended(), /^HTTP\/1\.1 200 OK\r\n.*connection: close\r\n.*hello$/s);
  t.equal(await idle.ended(), '', 'nothing but a FIN');
  t.same([busy.outcome, idle.outcome, reached()], ['end', 'end', 2]);
});

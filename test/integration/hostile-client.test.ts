// Clients that go away, stop, drip, flood or never read, at every point of an exchange. Each case: what that client
// gets, what the endpoint sees of it, and that nobody else notices (`FaultBench.during`).

import t from 'tap';
import { clusterOf } from '../support/data-plane.ts';
import { FaultBench } from '../support/fault-bench.ts';
import { nextTurn, type RawClient } from '../support/raw-client.ts';
import type { OriginConnection } from '../support/raw-origin.ts';
import { readResponse } from '../support/reference-parser.ts';

const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const get = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const post = 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n';
const chunked = 'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';

/** Where an exchange stands when its client goes away. */
interface Point {
  readonly name: string;
  readonly sent: string;
  /** How far the endpoint has answered by then. */
  readonly answered: '' | 'begun';
  /** The request is whole: a client that only half-closes still gets its response. */
  readonly isWhole: boolean;
  /** The endpoint has seen something of the request. */
  readonly isForwarded: boolean;
}

const points: readonly Point[] = [
  { name: 'before the head', sent: '', answered: '', isWhole: false, isForwarded: false },
  { name: 'inside the head', sent: 'GET /x HTTP/1.1\r\nHo', answered: '', isWhole: false, isForwarded: false },
  { name: 'behind the head', sent: get, answered: '', isWhole: true, isForwarded: true },
  { name: 'inside a body with a length', sent: `${post}abc`, answered: '', isWhole: false, isForwarded: true },
  { name: 'inside a chunk', sent: `${chunked}5\r\nab`, answered: '', isWhole: false, isForwarded: true },
  { name: 'before the last chunk', sent: `${chunked}2\r\nab\r\n`, answered: '', isWhole: false, isForwarded: true },
  { name: 'behind the body', sent: `${post}0123456789`, answered: '', isWhole: true, isForwarded: true },
  { name: 'inside the response', sent: get, answered: 'begun', isWhole: true, isForwarded: true },
];

t.test('a client that resets', async (t) => {
  const bench = await FaultBench.start(t);
  for (const point of points) {
    await t.test(point.name, (t) =>
      bench.during(t, async () => {
        const wholeRequests = counted(bench);
        const { client, endpoint } = await reach(bench, point);
        client.reset();
        if (endpoint === undefined) return;
        await bench.origin.until(() => endpoint.outcome !== undefined);
        t.equal(wholeRequests(), point.isWhole ? 1 : 0, 'what the endpoint got is as whole as it was');
      }),
    );
  }
});

t.test('clients that reset in a storm', async (t) => {
  // Room for all of them: whom a circuit breaker refuses meanwhile is another matter.
  const { circuitBreakers } = clusterOf('app', []);
  const bench = await FaultBench.start(t, { cluster: { circuitBreakers } });
  await bench.during(t, async () => {
    for (let wave = 0; wave < 5; wave++) {
      const clients = await Promise.all(Array.from({ length: 40 }, () => bench.client()));
      for (const [index, client] of clients.entries()) client.socket.write([get, post, chunked, 'GET'][index % 4]!);
      // Some are reset before the proxy has seen them, some while their requests wait.
      if (wave % 2 === 0) await nextTurn();
      for (const client of clients) client.reset();
    }
  });
});

t.test('a client that ends its side', async (t) => {
  const bench = await FaultBench.start(t);
  for (const point of points) {
    await t.test(point.name, (t) =>
      bench.during(t, async () => {
        const wholeRequests = counted(bench);
        const { client, endpoint } = await reach(bench, point);
        client.endWriting();
        if (point.isWhole) {
          endpoint!.write(hello.slice(point.answered === 'begun' ? begun.length : 0));
          t.equal(bodyOf(await client.ended()), 'hello', 'gets its response');
        } else {
          t.equal(await client.ended(), '', 'gets nothing');
          if (endpoint !== undefined) {
            await bench.origin.until(() => endpoint.outcome !== undefined);
            t.equal(wholeRequests(), 0, 'the endpoint got no whole request');
          }
        }
        client.close();
      }),
    );
  }
});

const begun = hello.slice(0, -2);

/** Counts from now on the whole requests that the endpoint gets, and leaves them unanswered. */
function counted(bench: FaultBench): () => number {
  let count = 0;
  bench.onRequest = () => count++;
  return () => count;
}

let reached = 0;

/** Brings an exchange to a point. */
async function reach(
  bench: FaultBench,
  point: Point,
): Promise<{ client: RawClient; endpoint: OriginConnection | undefined }> {
  const target = `/x-${++reached}`;
  const client = await bench.client();
  if (point.sent !== '') await client.write(point.sent.replace('/x', target));
  if (!point.isForwarded) return { client, endpoint: undefined };
  const hasBegun = ({ text }: OriginConnection) => text.includes(` ${target} `);
  await bench.origin.until(({ connections }) => connections.some(hasBegun));
  const endpoint = bench.origin.connections.find(hasBegun)!;
  if (point.answered === 'begun') {
    endpoint.write(begun);
    await client.until((text) => text.endsWith('hel'));
  }
  return { client, endpoint };
}

function bodyOf(text: string): string | undefined {
  const answer = readResponse(text, { requestMethod: 'GET', isEnd: true });
  return typeof answer === 'string' ? undefined : answer.body;
}

t.test('a request that comes byte by byte', async (t) => {
  const bench = await FaultBench.start(t);
  bench.onRequest = (request, connection) =>
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${request.body.length}\r\n\r\n${request.body}`);
  for (const bytes of [`${chunked}3;x=y\r\nabc\r\n02\r\nde\r\n0\r\n\r\n`, `${post}0123456789`]) {
    await bench.during(t, async () => {
      const client = await bench.client();
      await client.writeAll([...bytes]);
      client.endWriting();
      t.equal(bodyOf(await client.ended()), bytes.startsWith(chunked) ? 'abcde' : '0123456789');
      client.close();
    });
  }
});

/** What comes again and again behind a start, and the status that ends it. */
const floods: readonly { readonly name: string; readonly start: string; readonly again: string }[] = [
  { name: 'a request line without end', start: 'GET /', again: 'p'.repeat(4096) },
  { name: 'a field without end', start: 'GET / HTTP/1.1\r\nHost: a\r\nX: ', again: 'v'.repeat(4096) },
  { name: 'a name without end', start: 'GET / HTTP/1.1\r\n', again: 'n'.repeat(4096) },
  { name: 'large fields without end', start: 'GET / HTTP/1.1\r\nHost: a\r\n', again: `X: ${'v'.repeat(4000)}\r\n` },
  { name: 'small fields without end', start: 'GET / HTTP/1.1\r\nHost: a\r\n', again: 'X: y\r\n'.repeat(40) },
  { name: 'empty lines without end', start: '', again: '\r\n'.repeat(2048) },
];

t.test('a head that never ends is refused at the limit', async (t) => {
  const bench = await FaultBench.start(t);
  let seenByOrigin = 0;
  bench.onRequest = () => seenByOrigin++;
  for (const { name, start, again } of floods) {
    await t.test(name, (t) =>
      bench.during(t, async () => {
        const client = await bench.client();
        await client.write(start);
        for (let count = 0; client.text === '' && count < 10_000; count++) await client.write(again);
        const text = await client.ended();
        t.match(text, /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/);
        t.match(text, /\r\nconnection: close\r\n/);
        client.close();
      }),
    );
  }
  t.equal(seenByOrigin, 0);
});

t.test('a client that stops in the middle is answered 408 when its time is over', async (t) => {
  const cases = [
    { name: 'of the head', manager: { requestHeadersTimeoutMs: 30 }, sent: 'GET / HTTP/1.1\r\nHost' },
    { name: 'of the body, request_timeout', manager: { requestTimeoutMs: 30 }, sent: `${post}abc` },
    { name: 'of the body, stream_idle_timeout', manager: { streamIdleTimeoutMs: 500 }, sent: `${chunked}5\r\nab` },
  ];
  for (const { name, manager, sent } of cases) {
    await t.test(name, async (t) => {
      const bench = await FaultBench.start(t, { manager });
      const wholeRequests = counted(bench);
      await bench.during(t, async () => {
        const client = await bench.client();
        await client.write(sent);
        const text = await client.ended();
        t.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n/);
        t.match(text, /\r\nconnection: close\r\n/);
        client.close();
      });
      t.equal(wholeRequests(), 0, 'the endpoint never had a whole request');
    });
  }
});

const largeBytes = 50 * 1024 * 1024;
const piece = 'abcdefghijklmnop'.repeat(4096);

t.test('a client that does not read holds up its endpoint, and nobody else', async (t) => {
  const bench = await FaultBench.start(t);
  let endpoint: OriginConnection | undefined;
  bench.onRequest = (_request, connection) => {
    endpoint = connection;
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${largeBytes}\r\n\r\n`);
  };
  const before = process.memoryUsage.rss();
  await bench.during(t, async () => {
    const client = await bench.client();
    let received = 0;
    client.socket.removeAllListeners('data');
    client.socket.pause();
    await client.write(get);
    await bench.origin.until(() => endpoint !== undefined);
    const sent = await writeUntilStuck(endpoint!);
    t.ok(sent < largeBytes / 2, `the endpoint was held up after ${sent} bytes`);
    t.ok(process.memoryUsage.rss() - before < 64 * 1024 * 1024, 'memory is bounded');
    client.socket.on('data', (data) => (received += data.length));
    client.socket.resume();
    for (let rest = largeBytes - sent; rest > 0; rest -= piece.length) {
      if (!endpoint!.socket.write(piece.slice(0, rest))) await drained(endpoint!);
    }
    while (received < largeBytes) await nextTurn();
    client.close();
  });
});

/** Writes until the kernel and the proxy have taken nothing for many turns; returns the bytes written. */
async function writeUntilStuck({ socket }: OriginConnection): Promise<number> {
  let sent = 0;
  for (let idleTurns = 0; idleTurns < 300 && sent < largeBytes; ) {
    if (socket.writableLength === 0) {
      socket.write(piece);
      sent += piece.length;
      idleTurns = 0;
    }
    await nextTurn();
    idleTurns++;
  }
  return sent;
}

function drained({ socket }: OriginConnection): Promise<void> {
  return new Promise((resolve) => socket.once('drain', resolve));
}

t.test('a client that closes while it is being answered ends the exchange with the endpoint', async (t) => {
  const bench = await FaultBench.start(t);
  let endpoint: OriginConnection | undefined;
  bench.onRequest = (_request, connection) => {
    endpoint = connection;
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${largeBytes}\r\n\r\n${piece}`);
  };
  await bench.during(t, async () => {
    const client = await bench.client();
    await client.write(get);
    await client.until((text) => text.length > 1000);
    client.close();
    while (endpoint!.outcome === undefined) {
      if (endpoint!.socket.writable) endpoint!.socket.write(piece);
      await nextTurn();
    }
  });
});

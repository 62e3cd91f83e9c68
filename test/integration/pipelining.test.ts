// Many requests in one segment: answered in order, one at a time, and none behind an invalid one (RFC 9112 §9.3.2).

import t from 'tap';
import { FaultBench } from '../support/fault-bench.ts';
import { nextTurn } from '../support/raw-client.ts';
import type { OriginConnection } from '../support/raw-origin.ts';
import { readResponses } from '../support/reference-parser.ts';

const get = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const piece = 'p'.repeat(64 * 1024);
const pipelined = Array.from({ length: 100 }, (_, index) => `/p-${index}`);

function echoTarget(target: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`;
}

const lines = pipelined.map((target) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);

t.test('pipelined requests: a hundred in one segment are answered in order', async (t) => {
  const bench = await FaultBench.start(t);
  await bench.during(t, async () => {
    bench.onRequest = (request, connection) => connection.write(echoTarget(request.firstLine[1]));
    const client = await bench.client();
    await client.write(lines.join(''));
    client.endWriting();
    const { messages, rest } = responsesTo(await client.ended(), 100);
    t.same(
      messages.map(({ body }) => body),
      pipelined,
    );
    t.equal(rest, '');
    client.close();
  });
});

t.test('pipelined requests: those behind a slow one wait for it', async (t) => {
  const bench = await FaultBench.start(t);
  await bench.during(t, async () => {
    const seen: string[] = [];
    let slow: OriginConnection | undefined;
    bench.onRequest = (request, connection) => {
      seen.push(request.firstLine[1]);
      if (request.firstLine[1] === '/p-0') slow = connection;
      else connection.write(echoTarget(request.firstLine[1]));
    };
    const client = await bench.client();
    await client.write(lines.slice(0, 5).join(''));
    await bench.origin.until(() => slow !== undefined);
    t.same(seen, ['/p-0'], 'none is forwarded before the first is answered');
    slow!.write(echoTarget('/p-0'));
    client.endWriting();
    const { messages } = responsesTo(await client.ended(), 5);
    t.same(
      messages.map(({ body }) => body),
      pipelined.slice(0, 5),
    );
    client.close();
  });
});

t.test('pipelined requests: an invalid one ends the connection behind the answers to those before it', async (t) => {
  const bench = await FaultBench.start(t);
  await bench.during(t, async () => {
    const seen: string[] = [];
    bench.onRequest = (request, connection) => {
      seen.push(request.firstLine[1]);
      connection.write(echoTarget(request.firstLine[1]));
    };
    const client = await bench.client();
    await client.write(`${lines[0]}${lines[1]}GET /bad HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n${lines[2]}`);
    const { messages, rest } = responsesTo(await client.ended(), 3);
    t.same(
      messages.map(({ firstLine }) => firstLine[1]),
      ['200', '200', '400'],
    );
    t.same(
      messages.slice(0, 2).map(({ body }) => body),
      pipelined.slice(0, 2),
    );
    t.equal(rest, '');
    t.same(seen, pipelined.slice(0, 2), 'what follows the invalid one is not forwarded');
    client.close();
  });
});

t.test('a pipelining client that never reads is not served without end', async (t) => {
  const bench = await FaultBench.start(t);
  let served = 0;
  bench.onRequest = (_request, connection) => {
    served++;
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${piece.length}\r\n\r\n${piece}`);
  };
  await bench.during(t, async () => {
    const client = await bench.client();
    client.socket.removeAllListeners('data');
    client.socket.pause();
    client.socket.write(get.repeat(5000), 'latin1');
    let last = -1;
    for (let idleTurns = 0; idleTurns < 300; idleTurns++) {
      if (served !== last) idleTurns = 0;
      last = served;
      await nextTurn();
    }
    t.ok(served < 1000, `${served} of 5000 were served before the client had read one`);
    client.reset();
  });
});

function responsesTo(text: string, count: number): ReturnType<typeof readResponses> {
  return readResponses(text, new Array<string>(count).fill('GET'));
}

// Endpoints that reset, stop, lie about lengths, answer too early, too much or what nobody asked. Each case: what the
// client gets, what becomes of the connection, and that no other client gets any of it (`FaultBench.during`).

import t, { type Test } from 'tap';
import { clusterStats } from '../../proxy/telemetry/cluster-stats.ts';
import { FaultBench, type FaultBenchOptions } from '../support/fault-bench.ts';
import { nextTurn, type RawClient } from '../support/raw-client.ts';
import type { OriginConnection } from '../support/raw-origin.ts';
import { type ReferenceMessage, readResponse, readResponses } from '../support/reference-parser.ts';

const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
/** So large that it is relayed inside the kernel. */
const large = 'l'.repeat(1024 * 1024);
const chunkedHead = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

/** How an endpoint answers one request. */
interface Fault {
  readonly name: string;
  /** Written one after the other, each in a turn of its own. */
  readonly writes: readonly string[];
  readonly last?: 'end' | 'reset';
  readonly method?: string;
  /** A status with its body, or `cut`: begun, and ended so that it cannot be taken for whole. */
  readonly client: readonly [status: number, body?: string] | 'cut';
  /** The connection may carry another request. */
  readonly isReusable?: boolean;
  /** What is otherwise where undici reads the response. */
  readonly undici?: Pick<Fault, 'client' | 'isReusable'>;
}

const faults: readonly Fault[] = [
  { name: 'reset before the head', writes: [], last: 'reset', client: [503] },
  { name: 'end before the head', writes: [], last: 'end', client: [503] },
  { name: 'reset inside the head', writes: ['HTTP/1.1 200 OK\r\nX'], last: 'reset', client: [503] },
  { name: 'end inside the head', writes: ['HTTP/1.1 200 OK\r\nX'], last: 'end', client: [503] },
  { name: 'reset behind an interim head', writes: ['HTTP/1.1 103 Early Hints\r\n\r\n'], last: 'reset', client: [503] },
  { name: 'reset inside a length', writes: [`${ok(10)}abc`], last: 'reset', client: 'cut' },
  { name: 'end inside a length', writes: [`${ok(10)}abc`], last: 'end', client: 'cut' },
  { name: 'end before the first byte of a length', writes: [ok(10)], last: 'end', client: 'cut' },
  { name: 'reset inside a chunk', writes: [`${chunkedHead}5\r\nab`], last: 'reset', client: 'cut' },
  { name: 'end inside a chunk', writes: [`${chunkedHead}5\r\nab`], last: 'end', client: 'cut' },
  { name: 'end before the last chunk', writes: [`${chunkedHead}2\r\nab\r\n`], last: 'end', client: 'cut' },
  { name: 'end inside the trailers', writes: [`${chunkedHead}0\r\nX: y\r\n`], last: 'end', client: 'cut' },
  { name: 'a chunk that is none', writes: [`${chunkedHead}2\r\nab\r\nzz\r\n`], client: 'cut' },
  { name: 'reset of an endless body', writes: ['HTTP/1.1 200 OK\r\n\r\nab'], last: 'reset', client: 'cut' },
  { name: 'end of an endless body', writes: ['HTTP/1.1 200 OK\r\n\r\nab', 'cd'], last: 'end', client: [200, 'abcd'] },
  { name: 'another response behind the first', writes: [`${ok(2)}ok${poison}`], client: [200, 'ok'] },
  { name: 'another response a moment later', writes: [`${ok(2)}ok`, poison], client: [200, 'ok'] },
  { name: 'another response behind the last chunk', writes: [`${chunkedHead}0\r\n\r\n${poison}`], client: [200, ''] },
  { name: 'another response behind a large body', writes: [ok(large.length) + large + poison], client: [200, large] },
  { name: 'one byte behind the body', writes: [`${ok(2)}okX`], client: [200, 'ok'] },
  { name: 'a body behind the answer to HEAD', writes: [`${ok(6)}poison`], method: 'HEAD', client: [200, ''] },
  { name: 'a response behind the answer to HEAD', writes: [ok(6), poison], method: 'HEAD', client: [200, ''] },
  { name: 'a body behind 204', writes: ['HTTP/1.1 204 No Content\r\n\r\npoison'], client: [204, ''] },
  { name: 'a body behind 304', writes: ['HTTP/1.1 304 Not Modified\r\n\r\npoison'], client: [304, ''] },
  { name: '204 with a length', writes: ['HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison'], client: [502] },
  { name: '101 that nobody asked for', writes: ['HTTP/1.1 101 Switching Protocols\r\n\r\n', poison], client: [502] },
  {
    name: 'a thousand interim heads',
    writes: ['HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n'.repeat(1000), `${ok(2)}ok`],
    client: [200, 'ok'],
    isReusable: true,
  },
  {
    name: 'a thousand times 100',
    writes: ['HTTP/1.1 100 Continue\r\n\r\n'.repeat(1000), `${ok(2)}ok`],
    client: [200, 'ok'],
    isReusable: true,
    undici: { client: [502], isReusable: false },
  },
  {
    name: 'fields without end',
    writes: ['HTTP/1.1 200 OK\r\n', ...new Array<string>(40).fill(`X: ${'v'.repeat(4000)}\r\n`)],
    client: [502],
  },
  {
    name: 'a field without end',
    writes: ['HTTP/1.1 200 OK\r\nX: ', ...new Array<string>(40).fill('v'.repeat(4000))],
    client: [502],
  },
  {
    name: 'too many fields',
    writes: [`HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(101)}Content-Length: 2\r\n\r\nok`],
    client: [502],
  },
  { name: 'no HTTP', writes: ['SSH-2.0-OpenSSH_9.2\r\n'], client: [502] },
  { name: 'HTTP/2', writes: ['\0\0\x12\x04\0\0\0\0\0'], client: [502] },
  {
    name: 'two lengths',
    writes: ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokX'],
    client: [502],
  },
  {
    name: 'a length and chunks',
    writes: [`HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    client: [502],
  },
  { name: 'byte by byte', writes: [...`${chunkedHead}3\r\nabc\r\n0\r\n\r\n`], client: [200, 'abc'], isReusable: true },
  {
    name: 'Connection: close',
    writes: ['HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
    client: [200, 'ok'],
  },
  { name: 'HTTP/1.0', writes: ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'], client: [200, 'ok'] },
];

function ok(length: number): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`;
}

type Upstream = 'reactor' | 'undici';
type Start = (options?: FaultBenchOptions) => Promise<FaultBench>;

/** Another engine for the whole file: its connections to endpoints alone. */
const engine = process.env['OUTRIGGER_TEST_ENGINE'];
const upstreams: readonly Upstream[] =
  engine === undefined ? ['reactor', 'undici'] : [engine.endsWith('undici') ? 'undici' : 'reactor'];

/** A test with the endpoints of each engine. */
function withEach(name: string, run: (t: Test, start: Start, upstream: Upstream) => Promise<void>): void {
  for (const upstream of upstreams) {
    t.test(`${name} (${upstream})`, (t) =>
      run(t, (options) => FaultBench.start(t, { ...options, upstream }), upstream),
    );
  }
}

withEach('an endpoint that answers with', async (t, start, upstream) => {
  const bench = await start();
  for (const row of faults) {
    const fault = upstream === 'undici' ? { ...row, ...row.undici } : row;
    await t.test(fault.name, (t) =>
      bench.during(t, async () => {
        let endpoint: OriginConnection | undefined;
        bench.onRequest = (_request, connection) => {
          endpoint = connection;
          void misbehave(connection, fault);
        };
        const { method = 'GET' } = fault;
        const client = await bench.client();
        await client.write(`${method} /fault HTTP/1.1\r\nHost: a\r\n\r\n`);
        client.endWriting();
        const text = await client.ended();
        client.close();
        const answer = finalOf(text, method);
        if (fault.client === 'cut') t.equal(answer, undefined, 'the client can tell that the response is cut');
        else {
          t.equal(answer?.firstLine[1], String(fault.client[0]));
          if (fault.client[1] !== undefined) t.equal(answer?.body, fault.client[1]);
          t.notMatch(text, /poison/);
        }
        if (fault.isReusable) t.equal(endpoint!.outcome, undefined, 'the connection serves on');
        else await bench.origin.until(() => endpoint!.outcome !== undefined);
      }),
    );
  }
});

async function misbehave(connection: OriginConnection, { writes, last }: Fault): Promise<void> {
  for (const text of writes) {
    connection.write(text);
    await nextTurn();
  }
  if (last === 'end') connection.socket.end();
  if (last === 'reset') connection.socket.resetAndDestroy();
}

/** The final response, when it is the whole of what came behind the interim ones. */
function finalOf(text: string, method: string): ReferenceMessage | undefined {
  const { messages, rest } = readResponses(text, [method]);
  const last = messages.at(-1);
  return rest === '' && last !== undefined && Number(last.firstLine[1]) >= 200 ? last : undefined;
}

withEach('a response on an idle connection reaches nobody', async (t, start) => {
  const bench = await start();
  await bench.during(t, async () => {
    const client = await bench.client();
    bench.onRequest = (_request, connection) => connection.write(`${ok(2)}ok`);
    await client.write('GET /first HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until((text) => text.endsWith('ok'));
    const idle = bench.origin.connections.filter(({ outcome }) => outcome === undefined);
    for (const connection of idle) connection.write(poison);
    // No turn in between: the bytes and the next request are there together.
    client.socket.write('GET /second HTTP/1.1\r\nHost: a\r\n\r\n');
    bench.onRequest = (_request, connection) => connection.write(`${ok(6)}second`);
    t.notMatch(await client.until((text) => /second$|poison/.test(text)), /poison/);
    client.close();
  });
});

for (const later of [false, true]) {
  const when = later ? 'a moment after' : 'right behind';
  withEach(`a response ${when} another does not answer the request that waits for the connection`, async (t, start) => {
    const breaker = { maxConnections: 1, maxPendingRequests: 9, maxRequests: 9, maxRetries: 1, trackRemaining: false };
    const bench = await start({ cluster: { circuitBreakers: { default: breaker, high: breaker } } });
    const clients = await Promise.all([bench.client(), bench.client()]);
    bench.onRequest = (request, connection) => {
      if (request.firstLine[1] === '/second') connection.write(`${ok(6)}second`);
    };
    await clients[0].write('GET /first HTTP/1.1\r\nHost: a\r\n\r\n');
    const endpoint = await endpointOf(bench, 'GET /first');
    await clients[1].write('GET /second HTTP/1.1\r\nHost: a\r\n\r\n');
    while (bench.counted(clusterStats.upstreamRqPendingActive) === 0) await nextTurn();
    endpoint.write(`${ok(5)}first${later ? '' : poison}`);
    if (later) endpoint.write(poison);
    t.match(await clients[0].until((text) => text.endsWith('first')), /first$/);
    t.notMatch(await clients[1].until((text) => /second$|poison/.test(text)), /poison/);
    for (const client of clients) client.close();
  });
}

for (const end of ['end', 'resetAndDestroy'] as const) {
  withEach(`an endpoint that leaves a tunnel by ${end}`, async (t, start) => {
    const bench = await start();
    await bench.during(t, async () => {
      const client = await bench.client();
      await client.write('GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      const endpoint = await endpointOf(bench, 'GET /ws');
      endpoint.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi');
      await client.until((text) => text.endsWith('hi'));
      endpoint.socket[end]();
      await client.ended();
      client.close();
    });
  });
}

withEach('a response that comes before its request is complete', async (t, start) => {
  const bench = await start();
  await bench.during(t, async () => {
    const client = await bench.client();
    await client.write('POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\npart');
    const endpoint = await endpointOf(bench, 'POST /early');
    endpoint.write('HTTP/1.1 413 Payload Too Large\r\nContent-Length: 5\r\n\r\nlarge');
    const text = await client.ended();
    const answer = readResponse(text, { requestMethod: 'POST', isEnd: true });
    t.equal(typeof answer !== 'string' && answer.body, 'large');
    t.match(text, /\r\nconnection: close\r\n/);
    client.close();
    await bench.origin.until(() => endpoint.outcome !== undefined);
  });
});

async function endpointOf(bench: FaultBench, start: string): Promise<OriginConnection> {
  const isIt = ({ outcome, text }: OriginConnection) => outcome === undefined && text.includes(start);
  await bench.origin.until(({ connections }) => connections.some(isIt));
  return bench.origin.connections.find(isIt)!;
}

withEach('a slow endpoint: what it has sent is delivered before the rest is there', async (t, start) => {
  const bench = await start();
  await bench.during(t, async () => {
    const client = await bench.client();
    await client.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    const endpoint = await endpointOf(bench, 'GET /slow');
    for (const letter of 'abc') {
      if (letter === 'a') endpoint.write(ok(3));
      endpoint.write(letter);
      await client.until((text) => text.endsWith(letter));
    }
    t.match(client.text, /\r\n\r\nabc$/);
    client.close();
  });
});

const uploadBytes = 50 * 1024 * 1024;

withEach('an endpoint that does not read holds up its client, and nobody else', async (t, start) => {
  const bench = await start();
  await bench.during(t, async () => {
    const before = process.memoryUsage.rss();
    const client = await bench.client();
    // undici sends the head with the first byte of the body.
    await client.write(`POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: ${uploadBytes}\r\n\r\nu`);
    const endpoint = await endpointOf(bench, 'POST /upload');
    endpoint.socket.removeAllListeners('data');
    endpoint.socket.pause();
    let received = endpoint.text.length - endpoint.text.lastIndexOf('\r\n\r\n') - 4;
    const sent = await writeUntilStuck(client);
    t.ok(sent < uploadBytes / 2, `the client was held up after ${sent} bytes`);
    t.ok(process.memoryUsage.rss() - before < 64 * 1024 * 1024, 'memory is bounded');
    endpoint.socket.on('data', (data) => (received += data.length));
    endpoint.socket.resume();
    for (let rest = uploadBytes - sent; rest > 0; rest -= piece.length) await client.write(piece.slice(0, rest));
    while (received < uploadBytes) await nextTurn();
    // This connection does not hear further requests.
    endpoint.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\ndone');
    t.match(await client.until((text) => text.endsWith('done')), /^HTTP\/1\.1 200 OK\r\n/);
    client.close();
  });
  t.equal(bench.counted(clusterStats.upstreamRqTxReset), 0);
});

const piece = 'u'.repeat(64 * 1024);

/** Behind the first byte; returns how many were sent with it. */
async function writeUntilStuck({ socket }: RawClient): Promise<number> {
  let sent = 1;
  for (let idleTurns = 0; idleTurns < 300 && sent < uploadBytes; idleTurns++) {
    if (socket.writableLength === 0) {
      socket.write(piece, 'latin1');
      sent += piece.length;
      idleTurns = 0;
    }
    await nextTurn();
  }
  return sent;
}

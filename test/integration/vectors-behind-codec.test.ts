// Rows of the requirements table that no codec decides alone: what they ask for depends on the path's options, on the other
// connection, or on who has spoken first. Each input goes through sockets whole, split once at every byte, and byte by byte.

import t, { type Test } from 'tap';
import { httpStats } from '../../proxy/telemetry/http-stats.ts';
import { FaultBench, type FaultBenchOptions } from '../support/fault-bench.ts';
import { nextTurn, type RawClient } from '../support/raw-client.ts';
import type { OriginConnection } from '../support/raw-origin.ts';
import { readResponses } from '../support/reference-parser.ts';

const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
const upgrade = 'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

interface Way {
  readonly label: string;
  readonly pieces: readonly string[];
}

function waysOf(input: string, glued: number): Way[] {
  const offsets = Array.from({ length: input.length - 1 }, (_, index) => index + 1).filter((at) => at !== glued);
  const cutAt = (places: readonly number[]) =>
    [0, ...places].map((from, index) => input.slice(from, places[index] ?? input.length));
  return [
    { label: 'whole', pieces: [input] },
    ...offsets.map((at) => ({ label: `split at byte ${at}`, pieces: cutAt([at]) })),
    { label: 'byte by byte', pieces: cutAt(offsets) },
  ];
}

interface Scene {
  readonly bench: FaultBench;
  readonly client: RawClient;
  readonly way: Way;
  /** The targets of what reached the endpoint, the witness's left out. */
  readonly seen: readonly string[];
}

interface RowOptions extends FaultBenchOptions {
  /** An offset at which nothing is cut. */
  readonly glued?: number;
  /** No other client asks meanwhile: nobody else can have the connection that is idle. */
  readonly isAlone?: boolean;
}

/** Plays a row once for each way to cut `input`, each with a client of its own, beside a client that must not notice. */
function row(
  name: string,
  input: string,
  play: (t: Test, scene: Scene) => Promise<void>,
  { glued = 0, isAlone = false, ...options }: RowOptions = {},
): void {
  t.test(name, async (t) => {
    const bench = await FaultBench.start(t, options);
    const playAll = async (): Promise<void> => {
      for (const way of waysOf(input, glued)) {
        const seen: string[] = [];
        bench.onRequest = (request) => seen.push(request.firstLine[1]);
        const client = await bench.client();
        await play(t, { bench, client, way, seen });
        client.close();
      }
    };
    if (isAlone) await playAll();
    await bench.during(t, isAlone ? nextTurn : playAll);
  });
}

async function answerIn(connection: OriginConnection, { pieces }: Way): Promise<void> {
  for (const piece of pieces) {
    connection.write(piece);
    await nextTurn();
  }
}

/** The newest connection on which `start` arrived and which is still there. */
async function endpointOf({ origin }: FaultBench, start: string): Promise<OriginConnection> {
  const isIt = ({ outcome, text }: OriginConnection) => outcome === undefined && text.includes(start);
  await origin.until(({ connections }) => connections.some(isIt));
  return origin.connections.findLast(isIt)!;
}

/** Time enough for bytes that are under way in this process. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await nextTurn();
}

function statusesOf(text: string, method = 'GET'): string[] {
  return readResponses(text, new Array<string>(5).fill(method)).messages.map(({ firstLine }) => firstLine[1]);
}

const nul = 'GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n';
row(
  'row 45: an encoded NUL in a path that is normalised is refused',
  nul + smuggled,
  async (t, { bench, client, way, seen }) => {
    const { downstreamRqFailedPathNormalization } = httpStats;
    const before = bench.plane.stats.get(httpStats, 'test')!.value(downstreamRqFailedPathNormalization);
    await client.writeAll(way.pieces);
    client.endWriting();
    t.equal(statusesOf(await client.ended())[0], '400', way.label);
    t.notOk(
      seen.some((target) => target.includes('a%00b')),
      `${way.label}: it reaches no endpoint`,
    );
    const after = bench.plane.stats.get(httpStats, 'test')!.value(downstreamRqFailedPathNormalization);
    t.equal(after - before, 1, `${way.label}: it is counted`);
  },
  { manager: { normalizePath: true } },
);

const two = ['/one', '/two'].map((target) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`).join('');
row(
  'row 63: no response is made behind one that was not sent: there is no queue to flood',
  two,
  async (t, { bench, client, way, seen }) => {
    await client.writeAll(way.pieces);
    for (const [index, target] of ['/one', '/two'].entries()) {
      const endpoint = await endpointOf(bench, `GET ${target} `);
      await settle();
      t.equal(seen.length, index + 1, `${way.label}: ${target} waits for those before it`);
      endpoint.text = '';
      endpoint.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`);
      await client.until((text) => text.endsWith(`\r\n\r\n${target}`));
    }
    const { messages } = readResponses(client.text, ['GET', 'GET']);
    t.same(
      messages.map(({ body }) => body),
      ['/one', '/two'],
      `${way.label}: in order`,
    );
  },
);

row(
  'row 66: what a client sends ahead of the 101 is held until it comes',
  `${upgrade}abc${smuggled}`,
  async (t, { bench, client, way }) => {
    await client.writeAll(way.pieces);
    const endpoint = await endpointOf(bench, 'GET /ws');
    await settle();
    // The connection may have served others before.
    const from = endpoint.text.indexOf('GET /ws');
    const received = () => endpoint.text.slice(from);
    const head = received();
    t.equal(head.indexOf('\r\n\r\n'), head.length - 4, `${way.label}: the endpoint has the head, and nothing else`);
    endpoint.onText = undefined;
    endpoint.write(switching);
    const early = `abc${smuggled}`;
    await bench.origin.until(() => received().length >= head.length + early.length);
    t.equal(received(), head + early, `${way.label}: then all of it, as it was sent`);
    t.same(statusesOf(client.text), ['101'], way.label);
    endpoint.socket.end();
    client.endWriting();
    await client.ended();
  },
);

row(
  'row 67: an upgrade that is answered with 200 is none',
  hello + poison,
  async (t, { bench, client, way, seen }) => {
    await client.write(`${upgrade}${smuggled}`);
    const endpoint = await endpointOf(bench, 'GET /ws');
    await answerIn(endpoint, way);
    const text = await client.ended();
    t.same(statusesOf(text), ['200'], `${way.label}: one response`);
    t.match(text, /\r\nconnection: close\r\n(.*\r\n)*\r\nhello$/i, way.label);
    t.same(seen, ['/ws'], `${way.label}: bytes for a tunnel are no request`);
    await bench.origin.until(() => endpoint.outcome !== undefined);
  },
  { isAlone: true },
);

row(
  'row 71: a response that nobody asked for ends its connection and answers nobody',
  poison,
  async (t, { bench, client, way }) => {
    bench.onRequest = (request, connection) => {
      const target = request.firstLine[1];
      connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`);
    };
    await client.write('GET /first HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until((text) => text.endsWith('\r\n\r\n/first'));
    const endpoint = await endpointOf(bench, 'GET /first');
    await answerIn(endpoint, way);
    await bench.origin.until(() => endpoint.outcome !== undefined);
    const before = client.text.length;
    await client.write('GET /second HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until((text) => /\/second$|poison/.test(text));
    t.match(client.text.slice(before), /^HTTP\/1\.1 200 OK\r\n(.*\r\n)*\r\n\/second$/, way.label);
  },
  { isAlone: true },
);

/** Cut there, the connection may carry the next request when the second response comes: nobody could tell whose it is. */
const behindHello = { glued: hello.length };

row(
  'row 71: a second response behind the first answers nobody',
  hello + poison,
  async (t, { bench, client, way }) => {
    await client.write('GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n');
    const first = await endpointOf(bench, 'GET /first');
    bench.onRequest = (_request, connection) => connection.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond');
    await answerIn(first, way);
    t.notMatch(await client.until((text) => /second$|poison/.test(text)), /poison/, way.label);
    t.same(statusesOf(client.text), ['200', '200'], way.label);
    await bench.origin.until(() => first.outcome !== undefined);
  },
  behindHello,
);

const tooLarge = 'HTTP/1.1 413 Payload Too Large\r\nContent-Length: 5\r\n\r\nlarge';
row(
  'row 82: an early response is the last of its connection, and no more of the request is sent on',
  tooLarge,
  async (t, { bench, client, way, seen }) => {
    await client.write('POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\npart');
    const endpoint = await endpointOf(bench, 'POST /early');
    await bench.origin.until(() => endpoint.text.endsWith('part'));
    await answerIn(endpoint, way);
    await client.until((text) => text.endsWith('large'));
    client.socket.write(`more${'x'.repeat(992)}${smuggled}`, 'latin1');
    const text = await client.ended();
    t.same(statusesOf(text, 'POST'), ['413'], `${way.label}: one response`);
    t.match(text, /\r\nconnection: close\r\n/i, way.label);
    await bench.origin.until(() => endpoint.outcome !== undefined);
    t.ok(endpoint.text.endsWith('part'), `${way.label}: what comes later is not sent on`);
    t.same(seen, [], `${way.label}: and is no request`);
  },
);

// Every row of the codec's table through real sockets: what a hostile peer writes, what the other side sees, and whether
// the next message on the same connections is still the right one. What was forwarded is read by the reference parser.

import t, { type Test } from 'tap';
import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import type { Vector, VectorOptions } from '../proxy/http/http1/vectors/vector-list.ts';
import { vectors } from '../proxy/http/http1/vectors.ts';
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
import { nextTurn, RawClient } from '../support/raw-client.ts';
import { answerWithTarget, type OriginConnection, onEachRequest, RawOrigin } from '../support/raw-origin.ts';
import { type ReferenceMessage, readRequest, readRequests, readResponses } from '../support/reference-parser.ts';

type Accepted = Extract<Vector['expect'], { kind: 'accepted' }>;

/** Requests whose outcome the rest of the proxy decides, with the status that the client gets. */
const decidedBehindTheCodec: ReadonlyMap<string, number> = new Map([
  ['an upgrade is named in lower case', 403],
  ['an upgrade is named in lower case, Host last', 403],
  ['OPTIONS *', 404],
  ['absolute form of OPTIONS without a path', 404],
]);

const requestVectors = vectors.filter(({ direction }) => direction === 'request');
const responseVectors = vectors.filter(({ direction }) => direction === 'response');
/** Inputs longer than this are written whole only: the codec's own test splits them everywhere. */
const longestSplit = 4096;

t.test('requests', async (t) => {
  const bench = await startBench(t, requestVectors);
  for (const vector of requestVectors) {
    await t.test(`row ${vector.row}: ${vector.name}`, async (t) => {
      for (const pieces of cutsOf(vector.input)) await checkRequest(t, bench, vector, pieces);
      await checkNextRequest(t, bench, vector.options ?? {});
    });
  }
});

t.test('responses', async (t) => {
  const bench = await startBench(t, responseVectors);
  for (const vector of responseVectors) {
    await t.test(`row ${vector.row}: ${vector.name}`, async (t) => {
      for (const pieces of cutsOf(vector.input)) await checkResponse(t, bench, vector, pieces);
      await checkNextRequest(t, bench, vector.options ?? {});
    });
  }
});

/** Whole, and cut at two places that differ from row to row. */
function cutsOf(input: string): string[][] {
  if (input.length > longestSplit) return [[input]];
  const third = Math.ceil(input.length / 3);
  return [[input], [input.slice(0, third), input.slice(third)], [input.slice(0, -1), input.slice(-1)]];
}

interface Bench {
  readonly origin: RawOrigin;
  portOf(options: VectorOptions): number;
}

async function startBench(t: Test, rows: readonly Vector[]): Promise<Bench> {
  const origin = await RawOrigin.start(t, answerWithTarget);
  const planes = new Map<boolean, DataPlane>();
  for (const rejectsFragment of [true, false]) {
    const own = rows.filter(({ options }) => (options?.rejectPathWithFragment ?? true) === rejectsFragment);
    const names = new Map(own.map(({ options }) => [listenerName(options ?? {}), options ?? {}]));
    const plane = await startDataPlane({
      listeners: [...names].map(([name, options]) => httpListener(name, managerFor(options))),
      clusters: [clusterWithTrailers(origin.port)],
      runtime: new Map([['envoy.reloadable_features.http_reject_path_with_fragment', rejectsFragment]]),
      maxSleepMs: 0,
    });
    t.teardown(() => plane.stop());
    planes.set(rejectsFragment, plane);
  }
  const portOf = (options: VectorOptions) =>
    planes.get(options.rejectPathWithFragment ?? true)!.ports.get(listenerName(options))!;
  return { origin, portOf };
}

function clusterWithTrailers(port: number) {
  const { upstreamHttp } = clusterOf('app', []);
  return clusterOf('app', [port], { upstreamHttp: { ...upstreamHttp, enableTrailers: true } });
}

function listenerName(options: VectorOptions): string {
  return JSON.stringify({ ...options, requestMethod: undefined });
}

/** A proxy that adds as little as it can, so that what it forwards is what the codec forwards. */
function managerFor(options: VectorOptions): HttpConnectionManager {
  const forward = forwardTo('app', { timeoutMs: 0, upgrades: { foo: true, connect: true } });
  const connect = routeOf('', forward);
  const routes = [
    { ...connect, match: { ...connect.match, path: { kind: 'connect' as const } } },
    routeOf('', forward),
  ];
  const base = managerOf([virtualHostOf(routes)]);
  const { config } = base.httpFilters[0]!;
  return {
    ...base,
    httpFilters: [{ ...base.httpFilters[0]!, config: { ...config, suppressEnvoyHeaders: true } }],
    generateRequestId: false,
    serverHeader: 'pass-through',
    proxy100Continue: true,
    headersWithUnderscores: options.underscores ?? 'allow',
    http1: {
      ...base.http1,
      enableTrailers: true,
      allowAbsoluteUrl: options.allowAbsoluteUrl ?? true,
      allowCustomMethods: options.allowCustomMethods ?? false,
      acceptHttp10: options.acceptHttp10 ?? false,
      defaultHostForHttp10: options.defaultHostForHttp10 ?? '',
    },
  };
}

async function checkRequest(t: Test, bench: Bench, vector: Vector, pieces: readonly string[]): Promise<void> {
  const { origin } = bench;
  origin.forget();
  const client = await RawClient.open(bench.portOf(vector.options ?? {}));
  await client.writeAll(pieces);
  // A tunnel ends with the client; a refusal must end by itself.
  if (vector.expect.kind !== 'refused') client.endWriting();
  const answer = await client.ended();
  client.close();
  const forwarded = origin.connections.flatMap((connection) => readRequests(connection.text, true).messages);
  const label = `in ${pieces.length} pieces`;
  if (vector.expect.kind === 'refused') {
    checkRefusal(t, answer, vector.expect.status, label);
    t.same(forwarded, [], `${label}: nothing whole was forwarded`);
    if (!hasSoundHead(vector)) t.equal(origin.text, '', `${label}: not a byte was forwarded`);
  } else if (vector.expect.kind === 'incomplete') {
    t.same(forwarded, [], `${label}: a cut request is never whole`);
    t.notMatch(answer, /^HTTP\/1\.1 2/, `${label}: and gets no answer of success`);
  } else {
    checkForwarded(t, vector, vector.expect, { answer, forwarded, label });
  }
}

function checkRefusal(t: Test, answer: string, status: number, label: string, requestMethod = 'GET'): void {
  const { messages, rest } = readResponses(answer, [requestMethod]);
  t.equal(messages.length, 1, `${label}: one answer`);
  t.equal(messages[0]?.firstLine[1], String(status), `${label}: its status`);
  t.same(rest, '', `${label}: and nothing behind it`);
  t.equal(answer.match(/\r\nconnection: close\r\n/gi)?.length, 1, `${label}: which closes the connection`);
}

/** The body is at fault: the head may have been forwarded, the message never ends. */
function hasSoundHead(vector: Vector): boolean {
  const head = vector.input.slice(0, vector.input.indexOf('\r\n\r\n') + 4);
  return head.length > 4 && readRequest(head) !== 'refused' && vector.row !== '19';
}

interface Seen {
  readonly answer: string;
  readonly forwarded: readonly ReferenceMessage[];
  readonly label: string;
}

function checkForwarded(t: Test, vector: Vector, expect: Accepted, { answer, forwarded, label }: Seen): void {
  const status = decidedBehindTheCodec.get(vector.name);
  if (status !== undefined) {
    t.ok(answer.startsWith(`HTTP/1.1 ${status} `), `${label}: ${status}`);
    t.same(forwarded, [], `${label}: nothing was forwarded`);
    return;
  }
  t.match(answer, /^HTTP\/1\.1 200 OK\r\n/, `${label}: answered`);
  const message = forwarded[0];
  t.ok(message !== undefined, `${label}: forwarded`);
  if (message === undefined) return;
  if (expect.forwarded !== undefined) t.equal(headOf(message), spaced(expect.forwarded), `${label}: the head`);
  t.equal(message.body, expect.body ?? '', `${label}: the body`);
  t.equal(linesOf(message.trailers), spaced(expect.trailers ?? ''), `${label}: the trailers`);
  if (message.firstLine[0] === 'CONNECT') return;
  // What follows a refused offer to switch protocols may be meant for the new one: it is not read as a request.
  const following = expect.upgrade ? 0 : readRequests(expect.leftover ?? '').messages.length;
  const expected = 1 + following;
  t.equal(forwarded.length, expected, `${label}: each request once`);
  const methods = forwarded.map(({ firstLine }) => firstLine[0]);
  t.equal(readResponses(answer, methods).messages.length, expected, `${label}: each answered`);
}

/** The head without what every request gets on the way: the scheme it came with. */
function headOf(message: ReferenceMessage): string {
  const fields = message.fields.filter(([name]) => name !== 'x-forwarded-proto');
  return `${message.firstLine.join(' ')}\r\n${linesOf(fields)}\r\n`;
}

function linesOf(fields: ReferenceMessage['fields']): string {
  return fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
}

/** The reference parser drops white space around values; the codec keeps it. */
function spaced(lines: string): string {
  return lines.replaceAll(/^([^: \r\n]+):[ \t]*(.*?)[ \t]*\r$/gm, '$1: $2\r');
}

let witness = 0;

/** Whatever happened before, this client gets what it asked for. */
async function checkNextRequest(t: Test, bench: Bench, options: VectorOptions): Promise<void> {
  const path = `/witness-${++witness}`;
  bench.origin.onConnection = answerWithTarget;
  const client = await RawClient.open(bench.portOf(options));
  await client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  const { messages, rest } = readResponses(await client.ended(), ['GET']);
  client.close();
  t.equal(messages[0]?.body, path, 'the next client gets its own answer');
  t.equal(rest, '');
}

async function checkResponse(t: Test, bench: Bench, vector: Vector, pieces: readonly string[]): Promise<void> {
  const { origin } = bench;
  origin.forget();
  for (const { socket } of origin.connections) socket.destroy();
  await origin.allClosed();
  origin.onConnection = (connection) => answerOnce(connection, vector, pieces);
  const { requestMethod = 'GET' } = vector.options ?? {};
  const client = await RawClient.open(bench.portOf(vector.options ?? {}));
  const target = requestMethod === 'CONNECT' ? 'a:443' : '/';
  await client.write(`${requestMethod} ${target} HTTP/1.1\r\nHost: a:443\r\n\r\n`);
  client.endWriting();
  const answer = await client.ended();
  client.close();
  const label = `in ${pieces.length} pieces`;
  const { messages } = readResponses(answer, [requestMethod]);
  if (vector.expect.kind === 'refused') checkRefusal(t, answer, vector.expect.status, label, requestMethod);
  else if (vector.expect.kind === 'incomplete') t.same(messages, [], `${label}: a cut response is never whole`);
  else checkDelivered(t, vector, vector.expect, { answer, forwarded: messages, label });
}

/** Answers the first request with the vector's bytes. */
function answerOnce(connection: OriginConnection, { expect }: Vector, pieces: readonly string[]): void {
  onEachRequest(connection, async () => {
    answerWithTarget(connection);
    for (const piece of pieces) {
      connection.write(piece);
      await nextTurn();
    }
    if (expect.kind === 'incomplete' || (expect.kind === 'accepted' && expect.untilClose)) connection.socket.end();
  });
}

function checkDelivered(t: Test, vector: Vector, expect: Accepted, { answer, forwarded, label }: Seen): void {
  const message = forwarded[0];
  t.ok(message !== undefined, `${label}: delivered`);
  if (message === undefined) return;
  if (expect.forwarded !== undefined) {
    const fields = message.fields.filter(([name]) => name !== 'date' && name !== 'connection');
    t.equal(`${message.firstLine.join(' ')}\r\n${linesOf(fields)}\r\n`, expect.forwarded, `${label}: the head`);
  }
  t.equal(message.body, expect.body ?? '', `${label}: the body`);
  const isInterim = Number(message.firstLine[1]) < 200;
  const isTunnel = vector.options?.requestMethod === 'CONNECT';
  if (isTunnel) t.ok(answer.endsWith(expect.leftover ?? ''), `${label}: the tunnel's bytes`);
  else t.equal(forwarded.length, isInterim ? 2 : 1, `${label}: and nothing behind the final response`);
}

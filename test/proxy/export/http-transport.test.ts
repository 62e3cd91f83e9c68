import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { HttpTransport, retryAfterMs } from '../../../proxy/export/http-transport.ts';
import { plainly } from '../../support/export-fixtures.ts';

const now = Date.UTC(2026, 0, 2, 3, 4, 5);

t.test('Retry-After is seconds or a date, and anything else is nothing', (t) => {
  const cases: readonly (readonly [string | undefined, number | undefined])[] = [
    [undefined, undefined],
    ['0', 0],
    [' 12 ', 12_000],
    ['Fri, 02 Jan 2026 03:04:35 GMT', 30_000],
    ['Fri, 02 Jan 2026 03:04:00 GMT', 0],
    ['-5', undefined],
    ['1.5', undefined],
    ['2026-01-02', undefined],
    ['soon', undefined],
    ['Someday', undefined],
    ['99999999999', undefined],
    ['', undefined],
  ];
  for (const [value, expected] of cases) t.equal(retryAfterMs(value, now), expected, String(value));
  t.end();
});

t.test('limits of months are as none, not as a moment', async (t) => {
  // A timer takes 24.8 days at most, and what is longer as a millisecond: the answer comes after more than that.
  const server = createHttpServer((request, response) =>
    request.resume().on('end', () => setTimeout(answer, 20, response)),
  );
  const answer = (response: { end(): unknown }): unknown => response.end();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const transport = new HttpTransport({ path: '/', headers: {}, wallClock: Date.now });
  t.teardown(() => {
    transport.close();
    server.close();
  });
  const endpoint = plainly((server.address() as AddressInfo).port);
  t.match(await transport.attempt(endpoint, new Uint8Array(1), limits), { kind: 'accepted' });
});

const limits = { connectMs: 3e9, answerMs: 3e9, signal: new AbortController().signal };
/** More than the system takes for a peer that does not read. */
const longBytes = 32 * 1024 * 1024;
const written = 7;
const overwritten = 9;

interface HastyScene {
  readonly attempt: (body: Uint8Array) => ReturnType<HttpTransport['attempt']>;
  /** Connections, oldest first. Each has its answer when its first bytes were read, and is read no further until it is resumed. */
  readonly sockets: readonly Socket[];
  /** Of a long request: which of its bytes have arrived, and how many. */
  readonly arrived: Record<typeof written | typeof overwritten, number>;
}

async function makeHastyScene(t: Test, status: string): Promise<HastyScene> {
  const sockets: Socket[] = [];
  const arrived = { [written]: 0, [overwritten]: 0 };
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.once('data', () => {
      socket.pause();
      socket.write(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`);
    });
    socket.on('data', (chunk) => {
      for (const byte of chunk) if (byte === written || byte === overwritten) arrived[byte]++;
      if (arrived[written] + arrived[overwritten] === longBytes) socket.end();
    });
    socket.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const transport = new HttpTransport({ path: '/', headers: {}, wallClock: Date.now });
  t.teardown(() => {
    transport.close();
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const endpoint = plainly((server.address() as AddressInfo).port);
  return { attempt: (body) => transport.attempt(endpoint, body, limits), sockets, arrived };
}

t.test('a body may be written over once it was accepted, also by who answers before it has read all', async (t) => {
  const { attempt, sockets, arrived } = await makeHastyScene(t, '200 OK');
  const body = new Uint8Array(longBytes).fill(written);
  const first = attempt(body).then((result) => {
    body.fill(overwritten);
    return result;
  });
  // Another goes there and back, so that the first has its answer, too.
  t.match(await attempt(new Uint8Array(1)), { kind: 'accepted' });
  const [socket] = sockets;
  const closed = once(socket!, 'close');
  socket!.resume();
  t.match(await first, { kind: 'accepted' });
  await closed;
  t.same(arrived, { [written]: longBytes, [overwritten]: 0 });
});

t.test('who refuses a request before all is read gets no more of it', async (t) => {
  const { attempt, sockets, arrived } = await makeHastyScene(t, '503 Service Unavailable');
  t.match(await attempt(new Uint8Array(longBytes).fill(written)), { kind: 'try-again', reason: 'it answered 503' });
  const [socket] = sockets;
  const closed = once(socket!, 'close');
  socket!.resume();
  await closed;
  t.ok(arrived[written] < longBytes, `${arrived[written]} bytes arrived`);
});

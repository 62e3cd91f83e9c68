// Replies of the proxy's own through uWebSockets.js, which are written while it calls us, to clients that take them slowly.

import t, { type Test } from 'tap';
import type { HttpConnectionManager } from '../../../../config/http-connection-manager.ts';
import type { HeaderAddition } from '../../../../config/route.ts';
import { NativeBuffer } from '../../../../native/native-buffer.ts';
import { send, setSendBuffer } from '../../../../native/socket.ts';
import { UwsEngine } from '../../../../proxy/engine/uws/engine.ts';
import { loadUws, type UwsLibrary, type UwsResponse } from '../../../../proxy/engine/uws/library.ts';
import { httpStats } from '../../../../proxy/telemetry/http-stats.ts';
import { httpListener, managerOf, routeOf, startDataPlane, virtualHostOf } from '../../../support/data-plane.ts';
import { rerunWithNewerLibc } from '../../../support/newer-libc.ts';
import { RawClient } from '../../../support/raw-client.ts';
import { addition, noMutations } from '../../../support/route-fixtures.ts';
import { until } from '../../../support/tcp-proxy-fixtures.ts';
import { threadNowMs } from '../../../support/thread-time.ts';

const skip = rerunWithNewerLibc(import.meta.filename) ?? false;

interface Sockets {
  /** What they take is 8 KiB. */
  readonly areSmall: boolean;
  /** They have no room at all when a request is read: `!` until there is none stands before each reply. */
  readonly areFull: boolean;
}

function libraryWith({ areSmall, areFull }: Sockets): UwsLibrary {
  const library = loadUws();
  const filling = new NativeBuffer(4096);
  filling.bytes.fill('!');
  const App = () => {
    const app = library.App();
    const adoptSocket = app.adoptSocket.bind(app);
    const any = app.any.bind(app);
    let socket = -1;
    return Object.assign(app, {
      adoptSocket: (descriptor: number) => {
        socket = descriptor;
        if (areSmall) setSendBuffer(descriptor, 4096);
        return adoptSocket(descriptor);
      },
      any: (pattern: string, handler: (response: UwsResponse) => void) =>
        any(pattern, (response) => {
          for (let pieces = 0; areFull && pieces < 100_000 && send(socket, filling, 0, filling.length) > 0; ) pieces++;
          handler(response);
        }),
    });
  };
  return { App, _cfg: library._cfg };
}

/** Turns of this thread, which is the worker's too. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

interface Reply {
  readonly body: string;
  readonly fields?: readonly HeaderAddition[];
}

async function start(
  t: Test,
  { body, fields = [] }: Reply,
  sockets: Sockets,
  manager: Partial<HttpConnectionManager> = {},
) {
  const action = { kind: 'direct-response', status: 200, body: Buffer.from(body) } as const;
  const headers = { ...noMutations, responseAdd: fields };
  const host = virtualHostOf([{ ...routeOf('/x', action), headers }]);
  let skippedMs = 0;
  const plane = await startDataPlane({
    listeners: [httpListener('http', managerOf([host], manager))],
    clusters: [],
    downstream: new UwsEngine(libraryWith(sockets)),
    clock: () => threadNowMs() + skippedMs,
  });
  t.teardown(() => plane.stop());
  const counted = (stat: number) => plane.stats.get(httpStats, 'test')?.value(stat) ?? 0;
  const skipTime = async (ms: number) => {
    skippedMs += ms;
    // A turn, of which there is none by itself before time has passed.
    await plane.update({});
  };
  return { client: await RawClient.open(plane.ports.get('http')!), counted, skipTime };
}

const small = { areSmall: true, areFull: false };
const piece = 'b'.repeat(100_000);
const post = `POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n${piece}`;

t.test('a body goes on while its reply is taken slowly, and nobody wants it', { skip }, async (t) => {
  const { client } = await start(t, { body: '#'.repeat(400_000) }, small);
  client.socket.pause();
  client.socket.write(post);
  await turns(50);
  client.socket.write(piece);
  await turns(50);
  client.socket.resume();
  const text = await client.ended();
  t.equal(text.match(/#/g)?.length, 400_000);
  t.equal(client.outcome, 'end');
  client.close();
});

t.test('a client that takes nothing of an early reply is given up, without idle_timeout too', { skip }, async (t) => {
  const { client, counted, skipTime } = await start(t, { body: '#'.repeat(4_000_000) }, small, { idleTimeoutMs: 0 });
  client.socket.pause();
  client.socket.write(post);
  await until(() => counted(httpStats.downstreamRqResponseBeforeRqComplete) === 1);
  // What the kernel still takes begins the time anew.
  await turns(200);
  await skipTime(29_000);
  t.equal(counted(httpStats.downstreamCxActive), 1);
  await skipTime(2000);
  await until(() => counted(httpStats.downstreamCxActive) === 0);
  t.equal(counted(httpStats.downstreamCxDelayedCloseTimeout), 1);
  t.equal(counted(httpStats.downstreamCxDestroyLocal), 1);
  client.close();
});

t.test('… and one that takes some of it now and then is not', { skip }, async (t) => {
  const { client, skipTime } = await start(t, { body: '#'.repeat(4_000_000) }, small, { idleTimeoutMs: 100 });
  client.socket.pause();
  client.socket.write(post);
  await turns(50);
  for (let round = 0; round < 4; round++) {
    const before = client.text.length;
    client.socket.resume();
    await client.until((text) => text.length >= before + 400_000);
    client.socket.pause();
    await turns(20);
    await skipTime(20_000);
    await turns(20);
  }
  client.socket.resume();
  const text = await client.ended();
  t.equal(text.match(/#/g)?.length, 4_000_000);
  t.equal(client.outcome, 'end');
  client.close();
});

t.test('an idle time that is over within a response ends the connection behind it, not within', { skip }, async (t) => {
  const { client, counted, skipTime } = await start(t, { body: '#'.repeat(4_000_000) }, small, { idleTimeoutMs: 1000 });
  client.socket.pause();
  client.socket.write('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => counted(httpStats.downstreamRq2xx) === 1);
  await skipTime(1001);
  await until(() => counted(httpStats.downstreamCxIdleTimeout) === 1);
  client.socket.resume();
  const text = await client.ended();
  t.equal(text.match(/#/g)?.length, 4_000_000);
  t.equal(client.outcome, 'end');
  t.equal(counted(httpStats.downstreamCxDelayedCloseTimeout), 0);
  client.close();
});

const heads: Readonly<Record<string, readonly HeaderAddition[]>> = {
  'many fields': Array.from({ length: 8 }, (_, index) => addition(`x-${index}`, String(index).repeat(9000))),
  'one large field': [addition('x-a', 'a'), addition('x-large', 'y'.repeat(40_000)), addition('x-b', 'b')],
};
const requests = [
  'GET /x HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab',
  'HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n',
];

for (const [kind, fields] of Object.entries(heads)) {
  for (const body of ['', 'hello', '#'.repeat(60_000)]) {
    for (const request of requests) {
      const method = request.slice(0, 4).trim();
      t.test(
        `a head of ${kind} reaches a client without room, ${method}, ${body.length} bytes`,
        { skip },
        async (t) => {
          const { client } = await start(t, { body, fields }, { areSmall: true, areFull: true });
          const sentBody = method === 'HEAD' ? '' : body;
          for (let round = 0; round < (method === 'POST' ? 1 : 3); round++) {
            client.text = '';
            client.socket.pause();
            client.socket.write(request);
            await turns(50);
            client.socket.resume();
            const text = await client.until((all) => /\r\n\r\n/.test(all) && all.split('\r\n\r\n')[1] === sentBody);
            const [head, whatFollows] = text.replace(/^!+/, '').split('\r\n\r\n');
            t.match(head, /^HTTP\/1\.1 200 OK\r\n/);
            for (const { name, value } of fields) t.ok(`${head}\r\n`.includes(`\r\n${name}: ${value}\r\n`), name);
            t.equal(whatFollows, sentBody);
          }
          client.close();
        },
      );
    }
  }
}

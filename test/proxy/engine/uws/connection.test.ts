// Connections through uWebSockets.js itself, and how they become our own codec's.

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { HttpConnectionManager } from '../../../../config/http-connection-manager.ts';
import { declare } from '../../../../native/libc.ts';
import { NativeBuffer } from '../../../../native/native-buffer.ts';
import { setSendBuffer } from '../../../../native/socket.ts';
import { UwsEngine } from '../../../../proxy/engine/uws/engine.ts';
import { loadUws, type UwsLibrary } from '../../../../proxy/engine/uws/library.ts';
import { httpStats } from '../../../../proxy/telemetry/http-stats.ts';
import {
  clusterOf,
  forwardTo,
  httpListener,
  managerOf,
  routeOf,
  startDataPlane,
  virtualHostOf,
} from '../../../support/data-plane.ts';
import { rerunWithNewerLibc } from '../../../support/newer-libc.ts';
import { RawClient } from '../../../support/raw-client.ts';
import { until } from '../../../support/tcp-proxy-fixtures.ts';

const skip = rerunWithNewerLibc(import.meta.filename) ?? false;
const hello = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello';
const get = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
/** The library's own spelling: a response with it was the library's. */
const byLibrary = /\r\nContent-Length: 5\r\n/;

const hellos = (count: number) => (text: string) => text.split('hello').length > count;

async function start(
  t: Test,
  onConnection: (socket: Socket) => void,
  manager: Partial<HttpConnectionManager> = {},
  library = loadUws(),
) {
  const sockets = new Set<Socket>();
  const origin = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    sockets.add(socket);
    onConnection(socket);
  });
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const { port } = origin.address() as { port: number };
  const routes = [routeOf('/x', forwardTo('app', { upgrades: { websocket: true }, timeoutMs: 0 }))];
  const plane = await startDataPlane({
    listeners: [httpListener('http', managerOf([virtualHostOf(routes)], manager))],
    clusters: [clusterOf('app', [port])],
    downstream: new UwsEngine(library),
  });
  t.teardown(async () => {
    origin.close();
    for (const socket of sockets) socket.destroy();
    await plane.stop();
  });
  const counted = (stat: number) => plane.stats.get(httpStats, 'test')!.value(stat);
  const open = () => RawClient.open(plane.ports.get('http')!);
  return { plane, counted, open, sockets };
}

/** Calls back between our look at a connection's first request and the library's read of it. */
function libraryAfter(callBack: (descriptor: number) => void): UwsLibrary {
  const library = loadUws();
  const App = () => {
    const app = library.App();
    const adoptSocket = app.adoptSocket.bind(app);
    return Object.assign(app, {
      adoptSocket: (descriptor: number) => {
        callBack(descriptor);
        return adoptSocket(descriptor);
      },
    });
  };
  return { App, _cfg: library._cfg };
}

/** Answers each head. */
function answering(socket: Socket): void {
  socket.on('data', (data) => {
    if (data.includes('\r\n\r\n')) socket.write(hello);
  });
}

t.test('a plain request is the library’s, names in the case they came in', { skip }, async (t) => {
  const received: string[] = [];
  const { open, counted } = await start(t, (socket) => {
    socket.on('data', (data) => received.push(data.toString('latin1')));
    answering(socket);
  });
  const client = await open();
  await client.write('GET /x HTTP/1.1\r\nHost: a\r\nX-Mixed: caf\xe9\r\n\r\n');
  await client.until(hellos(1));
  t.match(client.text, byLibrary);
  t.match(received[0], /^GET \/x HTTP\/1\.1\r\nHost: a\r\nX-Mixed: caf\xe9\r\n/, 'and values byte for byte');
  t.equal(counted(httpStats.downstreamCxActive), 1);
  client.close();
});

t.test('what the library misreads never reaches it', { skip }, async (t) => {
  const received: string[] = [];
  const { open } = await start(t, (socket) => {
    socket.on('data', (data) => received.push(data.toString('latin1')));
    answering(socket);
  });
  const client = await open();
  await client.write('GET /x HTTP/1.1\r\nHost: a\r\n: hidden\r\nContent-Length: 40\r\n\r\n');
  t.match(await client.ended(), /^HTTP\/1\.1 400 /);
  t.same(received, [], 'a field without a name hides those behind it from the library');
});

t.test('a chunked body makes the connection our own codec’s, and it is counted once', { skip }, async (t) => {
  const { open, counted } = await start(t, answering);
  const client = await open();
  await client.write(get);
  await client.until(hellos(1));
  await client.write('POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n');
  await client.until(hellos(2));
  await client.write(get);
  await client.until(hellos(3));
  t.match(client.text.slice(client.text.indexOf('hello')), /\r\ndate: /);
  t.match(client.text.slice(0, client.text.indexOf('hello')), /\r\nDate: /);
  t.equal(counted(httpStats.downstreamCxTotal), 1);
  t.equal(counted(httpStats.downstreamCxActive), 1);
  client.endWriting();
  await client.ended();
  t.equal(counted(httpStats.downstreamCxActive), 0);
  t.equal(counted(httpStats.downstreamRqHttp1Total), 3);
});

t.test('bodies pass whole both ways when the other side is slow', { skip }, async (t) => {
  const body = Buffer.alloc(6 * 1024 * 1024, 'outrigger ');
  let received = 0;
  const { open } = await start(t, (socket) => {
    socket.on('data', (data) => {
      received += data.length;
      socket.pause();
      setImmediate(() => socket.resume());
      if (data.subarray(-5).equals(Buffer.from('-end-'))) {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
        socket.write(body);
      }
    });
  });
  const client = await open();
  const sent = Buffer.concat([body, Buffer.from('-end-')]);
  client.socket.write(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${sent.length}\r\n\r\n`);
  client.socket.write(sent);
  client.socket.pause();
  t.teardown(() => client.close());
  while (received < sent.length) await new Promise((resolve) => setImmediate(resolve));
  client.socket.resume();
  const end = (text: string) => text.length > body.length && text.length - text.indexOf('\r\n\r\n') - 4 === body.length;
  const text = await client.until(end);
  t.ok(text.endsWith(body.toString('latin1')), 'every byte of the response');
});

t.test('an urgent byte is no part of a request, as in the default engine', { skip }, async (t) => {
  let received = '';
  const { open, counted } = await start(t, (socket) => {
    socket.on('data', (data) => {
      received += data.toString('latin1');
      if (received.endsWith('abc')) socket.write(hello);
    });
  });
  const client = await open();
  await client.write('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na');
  await until(() => received.endsWith('\r\n\r\na'));
  sendUrgently(client.socket, 'X');
  await client.write('bc');
  await client.until(hellos(1));
  t.match(client.text, byLibrary);
  t.match(received, /\r\n\r\nabc$/);
  // Between our look and the next head it is nothing either.
  received = '';
  sendUrgently(client.socket, 'Y');
  await client.write('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc');
  await client.until(hellos(2));
  t.match(received, /^POST \/x HTTP\/1\.1\r\n.*\r\n\r\nabc$/s);
  t.equal(counted(httpStats.downstreamCxTotal), 1);
  client.close();
});

/** With MSG_OOB. */
function sendUrgently(socket: Socket, byte: string): void {
  const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle;
  const block = new NativeBuffer(1);
  block.bytes.write(byte, 'latin1');
  if (sendWith(fd, block.address, 1, MSG_OOB) !== 1) throw new Error('not sent');
}

const MSG_OOB = 1;
const sendWith = declare('long', 'send', ['int', 'uint64_t', 'size_t', 'int']) as (...values: number[]) => number;

t.test('a client that leaves ends its request at the endpoint', { skip }, async (t) => {
  const requested = Promise.withResolvers<Socket>();
  const { open, counted } = await start(t, (socket) => socket.once('data', () => requested.resolve(socket)));
  const client = await open();
  await client.write(get);
  const endpoint = await requested.promise;
  const gone = new Promise<void>((resolve) => endpoint.once('close', () => resolve()));
  endpoint.resume();
  client.reset();
  await gone;
  t.equal(counted(httpStats.downstreamCxActive), 0);
  t.equal(counted(httpStats.downstreamRqRxReset), 1);
});

t.test('a response that the endpoint cuts is cut for the client, with a reset', { skip }, async (t) => {
  const { open, counted } = await start(t, (socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234');
      setImmediate(() => socket.destroy());
    });
  });
  const client = await open();
  await client.write(get);
  await client.ended();
  t.equal(client.outcome, 'ECONNRESET');
  t.equal(counted(httpStats.downstreamCxDestroyLocal), 1, 'which was ours');
});

t.test('an upgrade is a tunnel, of what was sent ahead too', { skip }, async (t) => {
  const { open } = await start(t, (socket) => {
    let all = '';
    socket.on('data', (data) => {
      all += data.toString('latin1');
      if (all.endsWith('ping')) socket.write('pong');
      else if (all.endsWith('\r\n\r\n')) {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
      }
    });
  });
  const client = await open();
  await client.write('GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
  await client.until((text) => text.includes('\r\n\r\n'));
  await client.write('ping');
  t.match(await client.until((text) => text.endsWith('pong')), /^HTTP\/1\.1 101 /);
  client.close();
});

t.test(
  'an idle connection that is drained ends in order, one with a request after its response',
  { skip },
  async (t) => {
    const requested = Promise.withResolvers<Socket>();
    const { open, plane } = await start(t, (socket) => socket.on('data', () => requested.resolve(socket)));
    const [idle, busy] = [await open(), await open()];
    await busy.write(get);
    const endpoint = await requested.promise;
    const drained = plane.drain();
    t.equal(await idle.ended(), '');
    endpoint.write(hello);
    t.match(await busy.ended(), /^HTTP\/1\.1 200 OK\r\n.*\r\nconnection: close\r\n.*hello$/s);
    t.same([idle.outcome, busy.outcome], ['end', 'end']);
    idle.close();
    busy.close();
    await drained;
  },
);

t.test(
  'an idle client has drain_timeout for one more request, which tells it to leave; one that never asked has not',
  { skip },
  async (t) => {
    const { open, counted } = await start(t, answering, { idleTimeoutMs: 200, drainTimeoutMs: 60_000 });
    const unused = await open();
    t.equal(await unused.ended(), '');
    const client = await open();
    await client.write(get);
    await client.until(hellos(1));
    await until(() => counted(httpStats.downstreamCxIdleTimeout) === 2);
    await client.write(get);
    t.match(await client.ended(), /hello(?!.*hello.*hello).*\r\nconnection: close\r\n.*hello$/s);
    t.equal(client.outcome, 'end');
  },
);

t.test(
  'a request that slips in behind one that is answered at once ends the connection in order',
  { skip },
  async (t) => {
    const none = 'GET /none HTTP/1.1\r\nHost: a\r\n\r\n';
    const { open, counted } = await start(
      t,
      answering,
      {},
      libraryAfter(() => client.socket.write(get)),
    );
    const client = await open();
    await client.write(none);
    t.match(await client.ended(), /^HTTP\/1\.1 404 Not Found\r\n(?!.*HTTP)/s);
    t.equal(client.outcome, 'end');
    t.equal(counted(httpStats.downstreamRqActive), 0);
  },
);

t.test('a response that ends its connection arrives whole where nothing may linger', { skip }, async (t) => {
  const { open } = await start(t, answering, { delayedCloseTimeoutMs: 0 });
  const client = await open();
  await client.write('GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  t.match(await client.ended(), /^HTTP\/1\.1 200 .*hello$/s);
  const other = await open();
  await other.write('GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  t.match(await other.ended(), /^HTTP\/1\.1 404 /);
});

t.test(
  'the end of a chunked response waits for a client that does not read, for as long as one may idle',
  { skip },
  async (t) => {
    const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
    const chunked = (socket: Socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        for (let count = 0; count < 16; count++) socket.write(chunk);
        socket.write('0\r\n\r\n');
      });
    };
    const { open } = await start(t, chunked);
    const client = await open();
    client.socket.pause();
    await client.write('GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    client.socket.resume();
    t.match((await client.ended()).slice(-7), '\r\n0\r\n\r\n');
    t.equal(client.outcome, 'end');
  },
);

t.test(
  'requests of a client that reads no responses wait in the kernel, and are answered when it does',
  { skip },
  async (t) => {
    let asked = 0;
    const { open } = await start(t, (socket) => {
      socket.on('data', () => {
        asked++;
        socket.write(`HTTP/1.1 204 No Content\r\nx-pad: ${'p'.repeat(8000)}\r\n\r\n`);
      });
    });
    const client = await open();
    client.socket.pause();
    let sent = 0;
    // A turn of this thread is one of the worker's: a request that moves needs few.
    for (let turns = 0; turns < 1000 && sent < 5000; turns++) {
      if (asked === sent) {
        turns = 0;
        sent++;
        client.socket.write(get);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    t.ok(sent < 5000, `${sent} requests were sent`);
    t.equal(asked, sent - 1);
    client.socket.resume();
    await client.until((text) => text.split('HTTP/1.1 204').length > sent);
    t.equal(asked, sent);
    client.close();
  },
);

/** More than a socket with `smallSendBuffer` takes, which the library keeps in part when it has been given the end. */
const chunkedResponse = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${`ea60\r\n${'#'.repeat(60_000)}\r\n`.repeat(8)}0\r\n\r\n`;
const smallSendBuffer = (descriptor: number) => void setSendBuffer(descriptor, 8192);
const answeringChunked = (socket: Socket) => void socket.on('data', () => socket.write(chunkedResponse));
const isWhole = (text: string, count: number) =>
  text.match(/#/g)?.length === count * 480_000 && text.endsWith('\r\n0\r\n\r\n');

t.test(
  'what the library still holds of a response is not cut off by the end of its connection',
  { skip },
  async (t) => {
    const limits = { maxRequestsPerConnection: 1, delayedCloseTimeoutMs: 0 };
    for (const manager of [{ maxRequestsPerConnection: 1 }, limits]) {
      const { open } = await start(t, answeringChunked, manager, libraryAfter(smallSendBuffer));
      for (const fields of ['', 'Connection: close\r\n']) {
        const client = await open();
        client.socket.pause();
        await client.write(`GET /x HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
        client.socket.resume();
        t.ok(isWhole(await client.ended(), 1), `${client.text.length} bytes`);
        t.equal(client.outcome, 'end');
        client.close();
      }
    }
  },
);

t.test('… nor by a request behind it that is not the library’s', { skip }, async (t) => {
  const { open } = await start(t, answeringChunked, {}, libraryAfter(smallSendBuffer));
  const client = await open();
  client.socket.pause();
  await client.write(get);
  await client.write('POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
  client.socket.resume();
  await client.until((text) => text.split('\r\n0\r\n\r\n').length > 2);
  t.ok(isWhole(client.text, 2), `${client.text.length} bytes`);
  client.close();
});

// What a client that takes a response slowly gets through uWebSockets.js: all of it, in order.

import { createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { setSendBuffer } from '../../../../native/socket.ts';
import { UwsEngine } from '../../../../proxy/engine/uws/engine.ts';
import { loadUws, type UwsLibrary } from '../../../../proxy/engine/uws/library.ts';
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

const skip = rerunWithNewerLibc(import.meta.filename) ?? false;
const get = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';

/** Has adopted sockets take less at a time than a response has. */
function libraryWithSmallBuffers(bytes: number): UwsLibrary {
  const library = loadUws();
  const App = () => {
    const app = library.App();
    const adoptSocket = app.adoptSocket.bind(app);
    return Object.assign(app, {
      adoptSocket: (descriptor: number) => {
        setSendBuffer(descriptor, bytes);
        return adoptSocket(descriptor);
      },
    });
  };
  return { App, _cfg: library._cfg };
}

/** Turns of this thread, which is the worker's too. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** The endpoint answers each request with `response`. */
async function start(t: Test, response: string, sendBufferBytes: number) {
  const told = { asked: 0 };
  const sockets: Socket[] = [];
  const origin = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', () => {
      told.asked++;
      socket.write(response);
    });
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const { port } = origin.address() as { port: number };
  const cluster = clusterOf('app', [port]);
  const upstreamHttp = { ...cluster.upstreamHttp, maxResponseHeadersKb: 96 };
  const plane = await startDataPlane({
    listeners: [httpListener('http', managerOf([virtualHostOf([routeOf('/x', forwardTo('app'))])]))],
    clusters: [{ ...cluster, upstreamHttp }],
    downstream: new UwsEngine(libraryWithSmallBuffers(sendBufferBytes)),
  });
  t.teardown(async () => {
    origin.close();
    for (const socket of sockets) socket.destroy();
    await plane.stop();
  });
  return { client: await RawClient.open(plane.ports.get('http')!), told };
}

const large = 'y'.repeat(40_000);
const heads: Readonly<Record<string, string>> = {
  'no body': `HTTP/1.1 204 No Content\r\nx-a: 1\r\nx-large: ${large}\r\nx-b: 2\r\n\r\n`,
  'a length': `HTTP/1.1 200 OK\r\nx-a: 1\r\nx-large: ${large}\r\nx-b: 2\r\ncontent-length: 5\r\n\r\nhello`,
  chunks: `HTTP/1.1 200 OK\r\nx-a: 1\r\nx-large: ${large}\r\nx-b: 2\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
};

for (const [kind, response] of Object.entries(heads)) {
  t.test(`a field above 15 KiB reaches a client that has no room, with ${kind}`, { skip }, async (t) => {
    const { client, told } = await start(t, response, 4096);
    client.socket.pause();
    let sent = 0;
    // A request that nobody takes for a hundred turns is one behind a response that found no room.
    for (let idle = 0; idle < 100 && sent < 1000; idle++) {
      if (told.asked === sent) {
        idle = 0;
        sent++;
        client.socket.write(get);
      }
      await turns(1);
    }
    t.ok(sent < 1000, `${sent} requests were sent`);
    client.socket.resume();
    const text = await client.until((all) => all.match(/x-b: 2/g)?.length === sent);
    t.equal(text.match(/y{40000}\r\nx-b: 2/g)?.length, sent);
    t.equal(text.match(/HTTP\/1\.1 20/g)?.length, sent);
    client.close();
  });
}

const pieces: Readonly<Record<string, readonly [string, RegExp]>> = {
  chunks: [
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${`ea60\r\n${'#'.repeat(60_000)}\r\n`.repeat(8)}0\r\n\r\n`,
    /\r\n0\r\n\r\n$/,
  ],
  'a length': [`HTTP/1.1 200 OK\r\nContent-Length: 480000\r\n\r\n${'#'.repeat(480_000)}`, /#$/],
};

for (const [kind, [response, end]] of Object.entries(pieces)) {
  for (const bytes of [4096, 65_536]) {
    t.test(
      `a client that ends its side while it takes a response with ${kind} slowly gets all of it, ${bytes}`,
      { skip },
      async (t) => {
        const { client } = await start(t, response, bytes);
        client.socket.pause();
        await client.write(get);
        await turns(100);
        client.endWriting();
        await turns(100);
        client.socket.resume();
        const text = await client.ended();
        t.equal(text.match(/#/g)?.length, 480_000);
        t.match(text, end);
        t.equal(client.outcome, 'end');
        client.close();
      },
    );
  }
}

t.test(
  'what a client has not taken of a chunk reaches it though the endpoint sends nothing more',
  { skip },
  async (t) => {
    const { client } = await start(
      t,
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nea60\r\n${'#'.repeat(60_000)}\r\n`,
      4096,
    );
    client.socket.pause();
    await client.write(get);
    await turns(100);
    client.socket.resume();
    await client.until((text) => text.match(/#/g)?.length === 60_000);
    t.equal(client.outcome, undefined);
    client.close();
  },
);

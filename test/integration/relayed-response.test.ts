// Long response bodies, which go from the endpoint to the client inside the kernel: whole, in order, in bounded memory,
// and followed by whatever the connections carry next.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { clusterStats } from '../../proxy/telemetry/cluster-stats.ts';
import {
  clusterOf,
  forwardTo,
  httpListener,
  managerOf,
  routeOf,
  startDataPlane,
  virtualHostOf,
} from '../support/data-plane.ts';

const BODY = Buffer.alloc(6 * 1024 * 1024);
for (let index = 0; index < BODY.length; index++) BODY[index] = index % 251;
const head = `HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n`;
const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

t.test('responses follow each other on one connection, long and short, byte for byte', async (t) => {
  const proxy = await open(t, [[head, BODY], ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'], [head, BODY]]);
  const client = await proxy.connect();
  for (const expected of [BODY, Buffer.from('ok'), BODY]) {
    client.socket.write(get);
    t.ok((await client.response()).equals(expected), `${expected.length} bytes`);
  }
  t.equal(proxy.stat('upstreamCxTotal'), 1, 'the connection to the endpoint was kept');
});

t.test('a long chunk is relayed to a client that gets it without chunks', async (t) => {
  const chunk = `${BODY.length.toString(16)}\r\n`;
  const proxy = await open(t, [
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', chunk, BODY, '\r\n3\r\nend\r\n0\r\n\r\n'],
  ]);
  const client = await proxy.connect();
  client.socket.write('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
  await once(client.socket, 'end');
  const body = client.received().subarray(client.received().indexOf('\r\n\r\n') + 4);
  t.ok(body.equals(Buffer.concat([BODY, Buffer.from('end')])), `${body.length} bytes`);
});

t.test('a client that does not read stops the endpoint, and gets all when it does', async (t) => {
  const long = Buffer.concat(Array.from({ length: 10 }, () => BODY));
  const proxy = await open(t, [[`HTTP/1.1 200 OK\r\nContent-Length: ${long.length}\r\n\r\n`, long]]);
  const client = await proxy.connect();
  client.socket.pause();
  client.socket.write(get);
  const origin = await proxy.originSocket;
  await stalls(origin);
  t.ok(origin.bytesWritten > 0 && origin.writableLength > 0, 'the endpoint waits');
  client.socket.resume();
  t.ok((await client.response()).equals(long));
});

t.test('an endpoint that breaks off is not taken for a whole response', async (t) => {
  const proxy = await open(t, [[head, BODY.subarray(0, 3_000_000), null]]);
  const client = await proxy.connect();
  client.socket.write(get);
  await new Promise((resolve) => client.socket.once('close', resolve));
  const body = client.received().subarray(client.received().indexOf('\r\n\r\n') + 4);
  t.ok(body.length < BODY.length && body.equals(BODY.subarray(0, body.length)), `${body.length} bytes of it`);
});

t.test('a client that goes leaves the endpoint to the next one', async (t) => {
  const proxy = await open(t, [[head, BODY]]);
  const first = await proxy.connect();
  first.socket.write(get);
  await once(first.socket, 'data');
  first.socket.resetAndDestroy();
  const second = await proxy.connect();
  second.socket.write(get);
  t.ok((await second.response()).equals(BODY));
});

type Answer = readonly (string | Buffer | null)[];

/** An origin that gives the answers in turn, the last one for ever; null cuts the connection. */
async function open(t: Test, answers: readonly Answer[]) {
  const { promise: originSocket, resolve } = Promise.withResolvers<Socket>();
  let next = 0;
  const server = createServer((socket) => {
    resolve(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', () => {
      const answer = answers[Math.min(next++, answers.length - 1)]!;
      for (const part of answer) {
        if (part === null) socket.end();
        else socket.write(part);
      }
    });
    t.teardown(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const routes = [virtualHostOf([routeOf('/', forwardTo('app'))])];
  const http1 = { ...managerOf(routes).http1, acceptHttp10: true };
  const plane = await startDataPlane({
    listeners: [httpListener('http', managerOf(routes, { http1 }))],
    clusters: [clusterOf('app', [(server.address() as { port: number }).port])],
  });
  t.teardown(() => plane.stop());
  return {
    originSocket,
    connect: () => Client.connect(t, plane.ports.get('http')!),
    stat: (name: 'upstreamCxTotal') => plane.stats.get(clusterStats, 'app')?.value(clusterStats[name]),
  };
}

class Client {
  readonly socket: Socket;
  readonly #parts: Buffer[] = [];
  /** Bytes received, and those that belong to responses which were given out. */
  #length = 0;
  #read = 0;

  static async connect(t: Test, port: number): Promise<Client> {
    const client = new Client(connect(port, '127.0.0.1'));
    t.teardown(() => client.socket.destroy());
    await once(client.socket, 'connect');
    return client;
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => {
      this.#parts.push(data);
      this.#length += data.length;
    });
  }

  received(): Buffer {
    return Buffer.concat(this.#parts);
  }

  /** The body of the next response with a Content-Length. */
  async response(): Promise<Buffer> {
    await this.#until(1);
    const text = this.received()
      .subarray(this.#read, this.#read + 1000)
      .toString('latin1');
    const bodyStart = this.#read + text.indexOf('\r\n\r\n') + 4;
    this.#read = bodyStart + Number(/content-length: (\d+)/i.exec(text)![1]);
    await this.#until(0);
    return this.received().subarray(bodyStart, this.#read);
  }

  async #until(more: number): Promise<void> {
    while (this.#length < this.#read + more) await once(this.socket, 'data');
  }
}

/** Resolves when a socket has had bytes to write and none was taken for a while of turns of the loop. */
async function stalls(socket: Socket): Promise<void> {
  let last = -1;
  for (let quiet = 0; quiet < 200; quiet++) {
    await new Promise(setImmediate);
    const taken = socket.bytesWritten - socket.writableLength;
    if (taken !== last) quiet = 0;
    last = taken;
  }
}

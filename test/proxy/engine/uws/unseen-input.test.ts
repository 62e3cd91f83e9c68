// uWebSockets.js does not read what nobody has looked at, though writes that do not succeed make it read.

import { createServer, type Socket } from 'node:net';
import t from 'tap';
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

const skip = rerunWithNewerLibc(import.meta.filename) ?? false;
const bodyBytes = 480_000;

/** Has adopted sockets take less at a time than a response has. */
function libraryWithSmallBuffers(): UwsLibrary {
  const library = loadUws();
  const App = () => {
    const app = library.App();
    const adoptSocket = app.adoptSocket.bind(app);
    return Object.assign(app, {
      adoptSocket: (descriptor: number) => {
        setSendBuffer(descriptor, 8192);
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

const responses = {
  'with chunks': [
    `Transfer-Encoding: chunked\r\n\r\n${`ea60\r\n${'#'.repeat(60_000)}\r\n`.repeat(8)}0\r\n\r\n`,
    '\r\n0\r\n\r\n',
  ],
  'with a length': [`Content-Length: ${bodyBytes}\r\n\r\n${'#'.repeat(bodyBytes)}`, '#'],
} as const;

for (const [kind, [response, end]] of Object.entries(responses)) {
  t.test(
    `behind a response ${kind} that was taken slowly the next request is looked at, and answered`,
    { skip },
    async (t) => {
      let received = '';
      const sockets: Socket[] = [];
      const origin = createServer((socket) => {
        sockets.push(socket);
        socket.on('error', () => socket.destroy());
        socket.on('data', (data) => {
          received += data.toString('latin1');
          socket.write(`HTTP/1.1 200 OK\r\n${response}`);
        });
      });
      await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
      const plane = await startDataPlane({
        listeners: [httpListener('http', managerOf([virtualHostOf([routeOf('/x', forwardTo('app'))])]))],
        clusters: [clusterOf('app', [(origin.address() as { port: number }).port])],
        downstream: new UwsEngine(libraryWithSmallBuffers()),
      });
      t.teardown(async () => {
        origin.close();
        for (const socket of sockets) socket.destroy();
        await plane.stop();
      });
      const isTaken = (count: number) => (text: string) =>
        text.match(/#/g)?.length === count * bodyBytes && text.endsWith(end);
      const client = await RawClient.open(plane.ports.get('http')!);
      client.socket.pause();
      await client.write('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
      await turns(100);
      client.socket.resume();
      await client.until(isTaken(1));
      await turns(50);
      received = '';
      // For the library, if it reads this, what follows is the end of one request and another one.
      await client.write('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\nX-Y: z');
      await turns(100);
      await client.write('\r\n\r\nGET /x HTTP/1.1\r\nHost: b\r\n\r\n');
      await client.until(isTaken(2));
      t.match(received, /^POST \/x HTTP\/1\.1\r\n.*\r\nX-Y: z\r\n.*\r\n\r\nGET \/x .*\r\n\r\n$/s);
      t.equal(plane.stats.get(httpStats, 'test')!.value(httpStats.downstreamRqHttp1Total), 2);
      client.close();
    },
  );
}

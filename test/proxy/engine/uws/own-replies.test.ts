// Replies of the proxy's own through uWebSockets.js, which are written while it calls us, to clients that take them slowly.

import t, { type Test } from 'tap';
import type { HttpConnectionManager } from '../../../../config/http-connection-manager.ts';
import { setSendBuffer } from '../../../../native/socket.ts';
import { UwsEngine } from '../../../../proxy/engine/uws/engine.ts';
import { loadUws, type UwsLibrary } from '../../../../proxy/engine/uws/library.ts';
import { httpStats } from '../../../../proxy/telemetry/http-stats.ts';
import { httpListener, managerOf, routeOf, startDataPlane, virtualHostOf } from '../../../support/data-plane.ts';
import { rerunWithNewerLibc } from '../../../support/newer-libc.ts';
import { RawClient } from '../../../support/raw-client.ts';
import { until } from '../../../support/tcp-proxy-fixtures.ts';

const skip = rerunWithNewerLibc(import.meta.filename) ?? false;

/** Has adopted sockets take less at a time than a reply has. */
function libraryWithSmallBuffers(): UwsLibrary {
  const library = loadUws();
  const App = () => {
    const app = library.App();
    const adoptSocket = app.adoptSocket.bind(app);
    return Object.assign(app, {
      adoptSocket: (descriptor: number) => {
        setSendBuffer(descriptor, 4096);
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

async function start(t: Test, body: string, manager: Partial<HttpConnectionManager> = {}) {
  const host = virtualHostOf([routeOf('/x', { kind: 'direct-response', status: 200, body: Buffer.from(body) })]);
  const plane = await startDataPlane({
    listeners: [httpListener('http', managerOf([host], manager))],
    clusters: [],
    downstream: new UwsEngine(libraryWithSmallBuffers()),
  });
  t.teardown(() => plane.stop());
  const counted = (stat: number) => plane.stats.get(httpStats, 'test')?.value(stat) ?? 0;
  return { client: await RawClient.open(plane.ports.get('http')!), counted };
}

const piece = 'b'.repeat(100_000);
const post = `POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n${piece}`;

t.test('a body goes on while its reply is taken slowly, and nobody wants it', { skip }, async (t) => {
  const { client } = await start(t, '#'.repeat(400_000));
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

t.test('a client that takes no reply while it sends a body has the time of an idle one', { skip }, async (t) => {
  const { client, counted } = await start(t, '#'.repeat(4_000_000), { idleTimeoutMs: 100 });
  client.socket.pause();
  client.socket.write(post);
  await until(() => counted(httpStats.downstreamCxActive) === 0 && counted(httpStats.downstreamCxTotal) === 1);
  t.equal(counted(httpStats.downstreamCxIdleTimeout), 1);
  client.close();
});

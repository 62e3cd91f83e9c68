// What becomes of handshakes that are under way when their listener changes or leaves.

import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { connect, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import type { Listener } from '../../config/listener.ts';
import { listenerStats } from '../../proxy/telemetry/listener-stats.ts';
import { type DataPlane, startDataPlane } from '../support/data-plane.ts';
import { answering } from '../support/listener-fixtures.ts';
import { type Middleman, middlemanTo } from '../support/middleman.ts';
import { nextTurn } from '../support/raw-client.ts';
import { certificateSecret, downstreamTls } from '../support/tls-config-fixtures.ts';
import { Authority } from '../support/tls-fixtures.ts';

interface Scene {
  readonly plane: DataPlane;
  readonly socket: TLSSocket;
  /** The client's first bytes, half of which wait here. */
  release(): void;
}

/** A client in the middle of its handshake. */
async function start(t: Test, listener: Listener): Promise<Scene> {
  const authority = Authority.make(t.testdir(), 'mesh');
  const plane = await startDataPlane({ listeners: [listener], clusters: [], drainStrategy: 'immediate' });
  t.teardown(() => plane.stop());
  const secret = certificateSecret('server', authority.issue({ subjectAltName: 'DNS:server.test' }));
  await plane.update({ secrets: { set: [['server', secret]], removed: [] } });
  const middleman = await middlemanTo(t, { kind: 'ip', ip: '127.0.0.1', port: plane.ports.get('https')! });
  const release = holdHalf(middleman);
  const { port } = middleman.address as { port: number };
  const socket = connect({ host: '127.0.0.1', port, ca: authority.certificate, servername: 'server.test' });
  t.teardown(() => socket.destroy());
  await until(() => open(plane) === 1);
  return { plane, socket, release };
}

function holdHalf(middleman: Middleman): () => void {
  let held = Buffer.alloc(0);
  middleman.upward = (bytes) => {
    middleman.upward = undefined;
    held = Buffer.from(bytes.subarray(100));
    return bytes.subarray(0, 100);
  };
  return () => middleman.listener.write(held);
}

const open = (plane: DataPlane): number =>
  plane.stats.get(listenerStats, 'https')?.value(listenerStats.downstreamCxActive) ?? 0;

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await nextTurn();
}

function https(body: string, given: Partial<Listener> = {}): Listener {
  const listener = answering('https', body, given);
  const tls = downstreamTls({ certificates: [reference], sessionTickets: { kind: 'off' } });
  const { validation, ...unjudged } = tls;
  return { ...listener, filterChains: listener.filterChains.map((chain) => ({ ...chain, tls: unjudged })) };
}

const reference = { key: 'server', name: 'server', source: { kind: 'static' } } as const;

/** Over a connection that is there. */
async function ask(socket: TLSSocket): Promise<string> {
  const sent = request({ createConnection: () => socket });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return `${response.headers.connection ?? 'keep-alive'} ${await text(response)}`;
}

for (const [what, change] of Object.entries({
  'filter chain': https('after'),
  listener: https('after', { perConnectionBufferLimitBytes: 77_777 }),
}))
  t.test(`a handshake goes on when its ${what} changes, and then serves one request as it was`, async (t) => {
    const { plane, socket, release } = await start(t, https('before'));
    await plane.update({ listeners: { set: [['https', change]], removed: [] } });
    release();
    await once(socket, 'secureConnect');
    t.equal(await ask(socket), 'close before');
    await until(() => open(plane) === 0);
  });

t.test('a handshake that is not done at the end of the drain is over', async (t) => {
  const { plane, socket } = await start(t, https('before'));
  const ended = once(socket, 'error');
  await plane.update({ listeners: { set: [], removed: ['https'] } });
  const [error] = (await ended) as [NodeJS.ErrnoException];
  t.match(error.code, /ECONNRESET/);
  await until(() => open(plane) === 0);
});

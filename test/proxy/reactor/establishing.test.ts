// Everything that can happen between a socket and the first byte of data, at either end.

import { once } from 'node:events';
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { IpAddress } from '../../../config/address.ts';
import { Errno } from '../../../native/errno.ts';
import type { TlsContext } from '../../../native/tls-context.ts';
import type { Reactor } from '../../../proxy/reactor/reactor.ts';
import { middlemanTo } from '../../support/middleman.ts';
import { connect, listenOn, openDescriptors, startReactor, turns } from '../../support/reactor-fixtures.ts';
import {
  certified,
  listenTls,
  TLS_VERSIONS,
  type TlsAcceptor,
  type TlsAcceptorOptions,
  tlsContext,
  transportOn,
  type VersionName,
} from '../../support/tls-streams.ts';

const mesh = certified(t);
const REFUSED = 'its name is not allowed';

for (const version of TLS_VERSIONS) {
  t.test(`${version}: what was written and ended before the handshake arrives after it`, async (t) => {
    const { reactor, acceptor, tls } = fixture(t, version);
    const client = connect(reactor, acceptor.address, { tls });
    client.write('early');
    client.stream.endWriting();
    t.notOk(client.stream.isPlain, 'nothing is spliced to what will be encrypted');
    const accepted = await acceptor.next();
    accepted.write('before it is known who asks');
    await accepted.saw('end');
    t.same(accepted.events, ['connected', 'drained', 'data 5', 'end']);
    t.equal(await client.received(27), 'before it is known who asks');
  });

  t.test(`${version}: who is refused by the judge is told nothing of what was written`, async (t) => {
    const { reactor, acceptor, tls } = fixture(t, version, { judge: { judge: () => REFUSED } });
    const client = connect(reactor, acceptor.address, { tls });
    const accepted = await acceptor.next();
    accepted.write('secret');
    await Promise.all([accepted.saw('closed'), client.saw('closed')]);
    t.same(accepted.events, [`closed tls: ${REFUSED}`]);
    t.equal(client.text, '');
    t.match(client.events.at(-1), /^closed (error|tls)/, 'an end that is no orderly one');
  });

  t.test(`${version}: a server that the client’s judge refuses gets no data`, async (t) => {
    const { reactor, acceptor, clientContext } = fixture(t, version);
    const tls = (fd: number) => transportOn(clientContext, fd, { judge: () => REFUSED });
    const client = connect(reactor, acceptor.address, { tls });
    client.write('secret');
    const accepted = await acceptor.next();
    await Promise.all([accepted.saw('closed'), client.saw('closed')]);
    t.same(client.events, [`closed tls: ${REFUSED}`]);
    t.equal(accepted.text, '');
  });

  t.test(`${version}: a certificate of a stranger ends both ends with OpenSSL’s words`, async (t) => {
    const { reactor, acceptor } = fixture(t, version);
    const stranger = tlsContext(t, { ...certified(t), side: 'client', version });
    const client = connect(reactor, acceptor.address, { tls: (fd) => transportOn(stranger, fd) });
    const accepted = await acceptor.next();
    await Promise.all([accepted.saw('closed'), client.saw('closed')]);
    t.match(client.events.at(-1), /^closed tls: certificate verify failed: unable to get local issuer certificate/);
    t.match(accepted.events.at(-1), /^closed tls: .*alert unknown ca/);
  });
}

t.test('data that comes together with the end of the handshake is read without an event', async (t) => {
  const { reactor, acceptor, tls } = fixture(t);
  const middleman = await middlemanTo(t, acceptor.address);
  const client = connect(reactor, middleman.address, { tls });
  const accepted = await acceptor.next();
  const held: Buffer[] = [];
  let flights = 0;
  middleman.upward = (bytes) => {
    if (flights++ === 0) return bytes;
    held.push(bytes);
    return Buffer.alloc(0);
  };
  client.write('data');
  await client.saw('drained');
  await turns(reactor, 5);
  middleman.upward = undefined;
  middleman.listener.write(Buffer.concat(held));
  t.equal(await accepted.received(4), 'data');
});

t.test('plain text on a port of TLS is refused with a sentence', async (t) => {
  const { acceptor } = fixture(t);
  const peer = socketTo(t, acceptor);
  peer.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  const accepted = await acceptor.next();
  await accepted.saw('closed');
  t.same(accepted.events, ['closed tls: http request']);
});

t.test('a peer that speaks no TLS is told of with a sentence', async (t) => {
  const { reactor, tls } = fixture(t);
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const client = connect(reactor, { kind: 'ip', ip: '127.0.0.1', port }, { tls });
  await client.saw('closed');
  t.same(client.events, ['closed tls: wrong version number']);
});

t.test('whatever a peer sends in place of a handshake, it is refused, and nothing is left of it', async (t) => {
  const { reactor, acceptor, serverContext } = fixture(t);
  const header = fc.constantFrom(
    Buffer.from([22, 3, 1, 0, 60, 1, 0, 0, 56]),
    Buffer.from([22, 3, 3, 0x40, 1]),
    Buffer.alloc(0),
  );
  const garbage = fc
    .tuple(header, fc.uint8Array({ minLength: 1, maxLength: 300 }))
    .map((parts) => Buffer.concat(parts));
  await fc.assert(
    fc.asyncProperty(garbage, fc.boolean(), async (bytes, isCut) => {
      const peer = connectSocket({ host: '127.0.0.1', port: (acceptor.address as IpAddress).port });
      peer.on('error', () => peer.destroy());
      peer.end(isCut ? bytes.subarray(0, 4) : bytes);
      const accepted = await acceptor.next();
      await accepted.saw('closed');
      if (!/^closed (tls: .+|error 104)$/.test(accepted.events.join())) throw new Error(accepted.events.join());
      peer.destroy();
    }),
    { numRuns: 100, seed: 20261122 },
  );
  await turns(reactor);
  t.equal(serverContext.openSessions, 0);
});

t.test('a peer that vanishes in the handshake is told from one that resets', async (t) => {
  const { acceptor } = fixture(t);
  for (const isReset of [false, true]) {
    const peer = socketTo(t, acceptor);
    await once(peer, 'connect');
    peer.write(Buffer.from([22, 3, 1]));
    const accepted = await acceptor.next();
    if (isReset) peer.resetAndDestroy();
    else peer.end();
    await accepted.saw('closed');
    const expected = isReset
      ? `error ${Errno.ECONNRESET}`
      : 'tls: the peer ended the connection within the TLS handshake';
    t.same(accepted.events, [`closed ${expected}`]);
  }
});

t.test('a handshake that is not done in time ends, and one without a limit waits', async (t) => {
  const { acceptor } = fixture(t, 'TLSv1.3', { handshakeTimeoutMs: 20 });
  const patient = fixture(t, 'TLSv1.3');
  socketTo(t, patient.acceptor);
  socketTo(t, acceptor);
  const [accepted, waiting] = await Promise.all([acceptor.next(), patient.acceptor.next()]);
  await accepted.saw('closed');
  t.same(accepted.events, ['closed connect-timeout']);
  t.same(waiting.events, []);
});

t.test('an outgoing connection has one time for TCP and the handshake', async (t) => {
  const { reactor, tls, clientContext } = fixture(t);
  const acceptor = listenOn(t, reactor);
  const client = connect(reactor, acceptor.address, { tls, connectTimeoutMs: 20 });
  const silent = await acceptor.next();
  await client.saw('closed');
  t.same(client.events, ['closed connect-timeout']);
  t.equal(clientContext.openSessions, 0);
  silent.stream.close();
});

t.test('TLS that cannot be had ends the connection with the reason', async (t) => {
  const { reactor, acceptor } = fixture(t);
  const client = connect(reactor, acceptor.address, { tls: () => 'its secrets have not come' });
  await client.saw('closed');
  t.same(client.events, ['closed tls: its secrets have not come']);
});

t.test('TLS is not begun before the connection stands', async (t) => {
  const { reactor } = fixture(t);
  const acceptor = listenOn(t, reactor);
  acceptor.socket.close();
  let begun = 0;
  const tls = () => `begun ${++begun}`;
  const client = connect(reactor, acceptor.address, { tls });
  await client.saw('closed');
  t.same([client.events, begun], [[`closed error ${Errno.ECONNREFUSED}`], 0]);
});

t.test('closing and resetting within the handshake leave nothing behind', async (t) => {
  const { reactor, acceptor, tls, serverContext, clientContext } = fixture(t);
  const silent = listenOn(t, reactor);
  await turns(reactor);
  const before = openDescriptors();
  for (const way of ['close', 'reset', 'closeGracefully'] as const) {
    const client = connect(reactor, silent.address, { tls });
    const other = await silent.next();
    await other.received(1);
    const peer = socketTo(t, acceptor);
    const accepted = await acceptor.next();
    for (const { stream } of [client, accepted]) {
      t.notOk(stream.hasInput());
      stream[way](1000);
    }
    await Promise.all([client.saw('closed'), accepted.saw('closed')]);
    t.same([client.events, accepted.events], [['closed local'], ['closed local']]);
    other.stream.close();
    peer.destroy();
    await Promise.all([other.saw('closed'), once(peer, 'close')]);
  }
  t.same([serverContext.openSessions, clientContext.openSessions, openDescriptors()], [0, 0, before]);
});

interface Fixture {
  readonly reactor: Reactor;
  readonly acceptor: TlsAcceptor;
  readonly serverContext: TlsContext;
  readonly clientContext: TlsContext;
  readonly tls: (fd: number) => ReturnType<typeof transportOn>;
}

function fixture(t: Test, version: VersionName = 'TLSv1.3', options: TlsAcceptorOptions = {}): Fixture {
  const reactor = startReactor(t);
  const serverContext = tlsContext(t, { ...mesh, side: 'server', version });
  const clientContext = tlsContext(t, { ...mesh, side: 'client', version });
  const acceptor = listenTls(t, reactor, serverContext, options);
  return { reactor, acceptor, serverContext, clientContext, tls: (fd) => transportOn(clientContext, fd) };
}

function socketTo(t: Test, { address }: TlsAcceptor): Socket {
  const socket = connectSocket({ host: '127.0.0.1', port: (address as IpAddress).port });
  // How it is ended is asked at the other end.
  socket.on('error', () => socket.destroy());
  t.teardown(() => socket.destroy());
  return socket;
}

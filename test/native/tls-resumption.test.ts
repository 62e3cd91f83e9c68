import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { Errno } from '../../native/errno.ts';
import { close, setLinger, setNoDelay } from '../../native/socket.ts';
import { type TlsContext, type TlsServerOptions, TlsVersion } from '../../native/tls-context.ts';
import type { TlsResumption } from '../../native/tls-resumption.ts';
import { TlsSession } from '../../native/tls-session.ts';
import { connectedPair } from '../support/socket-pair.ts';
import { Authority, contextFor, passText, type SessionPair, shakeHands, wire } from '../support/tls-fixtures.ts';

// A thousand handshakes, on a machine that may do something else as well.
t.setTimeout(900_000);

const folder = t.testdir();
const mesh = Authority.make(`${folder}/mesh`, 'mesh');
const leaf = mesh.issue();
const trust = { roots: mesh.certificate };
const RESUMED = process.env['SOAK_HANDSHAKES'] === undefined ? 600 : 10_000;

for (const [name, maxVersion] of [
  ['TLS 1.2', TlsVersion.tls12],
  ['TLS 1.3', TlsVersion.tls13],
] as const) {
  const isForOneUse = maxVersion === TlsVersion.tls13;

  t.test(`${name}: what was taken from one connection resumes the next`, (t) => {
    const [server, client] = contexts(t, maxVersion);
    const first = connection(t, server, client);
    t.equal(first.client.isResumed, false);
    const taken = takeAfterUse(first);
    t.equal(taken?.isForOneUse, isForOneUse);
    t.equal(
      first.client.takeResumption() === undefined || isForOneUse,
      true,
      'each once; of TLS 1.3 there are several',
    );
    const second = connection(t, server, client, taken);
    t.same([second.client.isResumed, second.server.isResumed], [true, true]);
    t.equal(second.client.verifyResult, 0);
    t.same(
      second.client.peerCertificates()[0],
      first.client.peerCertificates()[0],
      'the peer is known, to be judged again',
    );
    t.equal(passText(second.client, second.server, 'there'), 'there');
    t.equal(passText(second.server, second.client, 'and back'), 'and back');
    const next = takeAfterUse(second);
    if (isForOneUse) t.ok(next, 'and leads to the one after it');
    for (const one of [taken, next]) one?.free();
    t.end();
  });

  t.test(`${name}: a session has the id that Envoy shows of it`, (t) => {
    const [server, client] = contexts(t, maxVersion);
    const first = connection(t, server, client);
    t.equal(first.server.sessionId, '', 'a new one will go on by its ticket');
    const taken = takeAfterUse(first)!;
    const second = connection(t, server, client, taken);
    taken.free();
    const expected = maxVersion === TlsVersion.tls12 ? /^[0-9a-f]{64}$/ : /^$/;
    t.match(second.server.sessionId, expected);
    t.equal(second.client.sessionId, second.server.sessionId);
    second.server.free();
    t.equal(second.server.sessionId, '');
    t.end();
  });

  t.test(`${name}: it outlives the connection and the context it came from`, (t) => {
    const [server, client] = contexts(t, maxVersion);
    const first = connection(t, server, client);
    const taken = takeAfterUse(first)!;
    first.client.free();
    client.close();
    t.equal(client.isFreed, true);
    const [, another] = contexts(t, maxVersion);
    const second = connection(t, server, another, taken);
    taken.free();
    t.equal(taken.isFreed, true);
    t.equal(second.client.isResumed, true);
    t.equal(passText(second.server, second.client, 'alive'), 'alive', 'the connection has a reference of its own');
    second.client.free();
    t.end();
  });

  t.test(`${name}: it is freed once, and after that it is not tried`, (t) => {
    const [server, client] = contexts(t, maxVersion);
    const taken = takeAfterUse(connection(t, server, client))!;
    taken.free();
    taken.free();
    t.equal(taken.isForOneUse, false);
    const { client: fresh } = sockets(t, server, client);
    t.equal(fresh.resume(taken), false);
    fresh.free();
    t.equal(fresh.resume(taken), false);
    t.end();
  });

  t.test(`${name}: a server that does not know it makes a full handshake`, (t) => {
    const [server, client] = contexts(t, maxVersion);
    const taken = takeAfterUse(connection(t, server, client))!;
    const [stranger] = contexts(t, maxVersion, { tickets: { identity: 'another' } });
    const second = connection(t, stranger, client, taken);
    t.same([second.client.isResumed, second.server.isResumed], [false, false]);
    t.equal(passText(second.client, second.server, 'all the same'), 'all the same');
    taken.free();
    t.end();
  });

  t.test(
    `${name}: there is nothing to take without tickets, before the handshake, after a failure, of a server`,
    (t) => {
      const [server, client] = contexts(t, maxVersion);
      const fresh = sockets(t, server, client);
      t.equal(fresh.client.takeResumption(), undefined);
      shakeHands(fresh);
      t.equal(fresh.server.takeResumption(), undefined);
      close(fresh.serverFd);
      while (fresh.client.read(wire, 0, 10) === -Errno.EAGAIN);
      t.equal(fresh.client.failure, -Errno.ECONNABORTED);
      t.equal(fresh.client.takeResumption(), undefined);
      fresh.client.free();
      t.equal(fresh.client.takeResumption(), undefined);
      const [ticketless] = contexts(t, maxVersion, { tickets: undefined });
      const without = connection(t, ticketless, client);
      t.equal(takeAfterUse(without), undefined);
      t.end();
    },
  );

  t.test(`${name}: ${RESUMED} connections, each resumed by the last, leave no memory behind`, (t) => {
    const [server, client] = contexts(t, maxVersion);
    const run = (count: number) => {
      let kept: TlsResumption | undefined;
      let resumed = 0;
      for (let round = 0; round < count; round++) {
        const pair = connection(t, server, client, kept, false);
        if (pair.client.isResumed) resumed += 1;
        const taken = takeAfterUse(pair);
        if (taken !== undefined) {
          kept?.free();
          kept = taken;
        }
        for (const session of [pair.client, pair.server]) session.free();
        for (const fd of [pair.clientFd, pair.serverFd]) {
          setLinger(fd, 0);
          close(fd);
        }
      }
      kept?.free();
      if (resumed !== count - 1) t.fail(`${resumed} of ${count} were resumed`);
    };
    run(RESUMED / 3);
    const before = residentBytes();
    run(RESUMED);
    const grown = residentBytes() - before;
    t.ok(grown < 8 * 1024 * 1024, `grown by ${grown} bytes`);
    t.same([server.openSessions, client.openSessions], [0, 0]);
    t.end();
  });
}

function contexts(
  ...[t, maxVersion, options]: [Test, TlsVersion, Partial<TlsServerOptions>?]
): [TlsContext, TlsContext] {
  const shared = { identity: leaf, trust, verification: 'required', maxVersion } as const;
  const tickets = { identity: 'one' };
  return [
    contextFor(t, { ...shared, side: 'server', tickets, ...options }),
    contextFor(t, { ...shared, side: 'client' }),
  ];
}

/** Both ends before the handshake. */
function sockets(...[t, server, client, isTornDown = true]: [Test, TlsContext, TlsContext, boolean?]): SessionPair {
  const [clientFd, serverFd] = connectedPair();
  for (const fd of [clientFd, serverFd]) setNoDelay(fd, true);
  const ends = [TlsSession.create(server, serverFd), TlsSession.create(client, clientFd, 'example.test')];
  const [one, other] = ends;
  if (!(one instanceof TlsSession && other instanceof TlsSession)) throw new Error(`no session: ${ends.join()}`);
  const pair = { server: one, client: other, serverFd, clientFd };
  if (isTornDown) {
    t.teardown(() => {
      for (const session of [pair.server, pair.client]) session.free();
      close(clientFd);
    });
  }
  return pair;
}

function connection(
  ...[t, server, client, resumption, isTornDown]: [Test, TlsContext, TlsContext, TlsResumption?, boolean?]
): SessionPair {
  const pair = sockets(t, server, client, isTornDown);
  if (resumption !== undefined && !pair.client.resume(resumption)) throw new Error('it is not even tried');
  const results = shakeHands(pair);
  if (results.some((result) => result !== 0)) throw new Error(pair.server.problem + pair.client.problem);
  return pair;
}

/** Tickets come with the first data. */
function takeAfterUse({ server, client }: SessionPair): TlsResumption | undefined {
  passText(server, client, 'data');
  return client.takeResumption();
}

function residentBytes(): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))![1]) * 1024;
}

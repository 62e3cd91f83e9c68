import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { close, setNoDelay } from '../../native/socket.ts';
import type { TlsContext, TlsServerOptions } from '../../native/tls-context.ts';
import { TlsVersion } from '../../native/tls-context.ts';
import type { TlsPeerJudge, TlsSession } from '../../native/tls-session.ts';
import type { TlsTrust } from '../../native/tls-trust.ts';
import { connectedPair } from '../support/socket-pair.ts';
import { Authority, contextFor, type IssuedIdentity, passText, sessionFor } from '../support/tls-fixtures.ts';

const folder = t.testdir();
const mesh = Authority.make(join(folder, 'mesh'), 'mesh');
const stranger = Authority.make(join(folder, 'stranger'), 'stranger');
const [leaf, caller] = [mesh.issue(), mesh.issue()];
const strangers = stranger.issue();
const roots = mesh.certificate;
const buffer = new NativeBuffer(1000);

/** Notes what could be asked of each session at the moment of the question. */
class Doorman implements TlsPeerJudge {
  readonly asked: { isEstablished: boolean; isResumed: boolean; verifyResult: number; chainLength: number }[] = [];
  readonly shown: (readonly Buffer[])[] = [];
  letsEverybodyIn = true;

  letsIn(session: TlsSession): boolean {
    const { isEstablished, isResumed, verifyResult } = session;
    this.asked.push({ isEstablished, isResumed, verifyResult, chainLength: session.verifiedChain().length });
    this.shown.push(session.peerCertificates());
    return this.letsEverybodyIn;
  }
}

for (const [name, maxVersion] of [
  ['TLS 1.2', TlsVersion.tls12],
  ['TLS 1.3', TlsVersion.tls13],
] as const) {
  t.test(`${name}: a client that is refused is told by an alert, whatever its chain is worth`, (t) => {
    const doorman = new Doorman();
    doorman.letsEverybodyIn = false;
    const server = serverContext(t, {}, { maxVersion });
    const met = meet(t, server, callerContext(t, caller), { server: doorman });
    t.equal(met.results[0], -Errno.EPROTO);
    t.equal(met.server.problem, 'certificate verify failed');
    t.equal(met.server.isEstablished, false);
    // Under TLS 1.3 the client's own handshake ends before the server has seen its certificate.
    const result = met.results[1] === 0 ? met.client.read(buffer, 0, 1000) : met.results[1];
    t.equal(result, -Errno.EPROTO);
    t.match(met.client.problem, /alert certificate unknown/);
    t.same(doorman.asked, [{ isEstablished: false, isResumed: false, verifyResult: 0, chainLength: 2 }]);
    t.end();
  });

  t.test(`${name}: a server that is refused is told as well`, (t) => {
    const doorman = new Doorman();
    doorman.letsEverybodyIn = false;
    const server = contextFor(t, { side: 'server', identity: leaf, verification: 'none', maxVersion });
    const met = meet(t, server, callerContext(t, caller), { client: doorman });
    t.same(met.results, [-Errno.EPROTO, -Errno.EPROTO]);
    t.match(met.server.problem, /alert certificate unknown/);
    t.equal(doorman.shown.length, 1);
    t.end();
  });

  t.test(`${name}: who is let in is asked about once, and is the same after the handshake`, (t) => {
    const doorman = new Doorman();
    const met = meet(t, serverContext(t, {}, { maxVersion }), callerContext(t, caller), { server: doorman });
    t.same(met.results, [0, 0]);
    t.equal(passText(met.client, met.server, 'hello'), 'hello');
    t.equal(doorman.shown.length, 1);
    t.same(met.server.peerCertificates(), doorman.shown[0]);
    t.equal(met.server.verifiedChain().length, 2);
    t.end();
  });
}

t.test('a chain that is known comes as the same certificates, and one that is not as others', (t) => {
  const doorman = new Doorman();
  const knowing = serverContext(t, { knownChainsClock: Date.now });
  for (let time = 0; time < 3; time++) meet(t, knowing, callerContext(t, caller), { server: doorman });
  const [first, second, third] = doorman.shown;
  t.equal(second, first);
  t.equal(third, first);
  t.same(
    doorman.asked.map(({ chainLength }) => chainLength),
    [0, 0, 0],
    'a context that knows chains has none to show while it asks',
  );
  meet(t, serverContext(t, {}), callerContext(t, caller), { server: doorman });
  t.not(doorman.shown[3], first);
  t.same(doorman.shown[3], first);
  t.end();
});

t.test('nobody is asked about a chain that does not pass, nor where there is no certificate', (t) => {
  const doorman = new Doorman();
  const refused = meet(t, serverContext(t, {}), callerContext(t, strangers), { server: doorman });
  t.match(refused.server.problem, /unable to get local issuer/);
  const optional = serverContext(t, {}, { verification: 'optional' });
  const nameless = contextFor(t, { side: 'client', verification: 'none' });
  const met = meet(t, optional, nameless, { server: doorman });
  t.same([met.results[0], met.server.peerCertificates()], [0, []]);
  t.same(doorman.asked, []);
  t.end();
});

t.test('one whose chain is let pass untrusted is asked about, with what was found', (t) => {
  const doorman = new Doorman();
  const server = serverContext(t, {}, { acceptsUntrusted: true });
  t.same(meet(t, server, callerContext(t, strangers), { server: doorman }).results, [0, 0]);
  t.equal(doorman.asked.length, 1);
  t.not(doorman.asked[0]!.verifyResult, 0);
  t.end();
});

t.test('a session that goes on is not asked about', (t) => {
  const doorman = new Doorman();
  const server = serverContext(t, {}, { tickets: { identity: 'here' } });
  const client = callerContext(t, caller);
  const first = meet(t, server, client, { server: doorman });
  passText(first.client, first.server, 'hello');
  passText(first.server, first.client, 'and the ticket');
  const taken = first.client.takeResumption()!;
  const second = meet(t, server, client, { server: doorman, prepare: (session) => session.resume(taken) });
  taken.free();
  t.same([second.results, second.server.isResumed], [[0, 0], true]);
  t.equal(doorman.asked.length, 1);
  t.same(second.server.peerCertificates()[0], doorman.shown[0]![0], 'who it was is known');
  t.end();
});

function serverContext(...[t, trust, more = {}]: [Test, Partial<TlsTrust>, Partial<TlsServerOptions>?]): TlsContext {
  const options = { identity: leaf, verification: 'required', trust: { roots, ...trust }, ...more } as const;
  return contextFor(t, { ...options, side: 'server' });
}

function callerContext(t: Test, identity: IssuedIdentity): TlsContext {
  return contextFor(t, { side: 'client', identity, verification: 'required', trust: { roots } });
}

interface Judges {
  readonly server?: TlsPeerJudge;
  readonly client?: TlsPeerJudge;
  readonly prepare?: (client: TlsSession) => void;
}

/** Both handshakes to their ends: what they came to, the server's first. */
function meet(...[t, serverOf, clientOf, judges]: [Test, TlsContext, TlsContext, Judges]) {
  const [clientFd, serverFd] = connectedPair();
  for (const fd of [clientFd, serverFd]) setNoDelay(fd, true);
  const server = sessionFor(t, serverOf, serverFd);
  const client = sessionFor(t, clientOf, clientFd, 'example.test');
  judges.prepare?.(client);
  t.teardown(() => {
    close(serverFd);
    close(clientFd);
  });
  let results: [number, number] = [-Errno.EAGAIN, -Errno.EAGAIN];
  for (let step = 0; step < 100 && results.includes(-Errno.EAGAIN); step++)
    results = [server.handshake(judges.server), client.handshake(judges.client)];
  return { server, client, results };
}

import { join } from 'node:path';
import t, { type Test } from 'tap';
import { close, receive, send, setNoDelay } from '../../native/socket.ts';
import { TlsContext, type TlsContextOptions, TlsVersion } from '../../native/tls-context.ts';
import type { TlsTrust } from '../../native/tls-trust.ts';
import { connectedPair } from '../support/socket-pair.ts';
import {
  Authority,
  contextFor,
  type IssuedIdentity,
  passText,
  sessionFor,
  shakeHands,
  wire,
} from '../support/tls-fixtures.ts';

const folder = t.testdir();
const mesh = Authority.make(join(folder, 'mesh'), 'mesh');
const stranger = Authority.make(join(folder, 'stranger'), 'stranger');
const [leaf, caller, otherCaller] = [mesh.issue(), mesh.issue(), mesh.issue()];
const strangers = stranger.issue();
const roots = mesh.certificate;
const DAY_MS = 86_400_000;

t.test('a chain that was found good is not verified again, and the peer is who it was', (t) => {
  const meet = server(t, { knownChainsClock: Date.now });
  const [first, again] = [meet(caller), meet(caller)];
  t.equal(first.verifiedChain().length, 2);
  t.equal(again.verifiedChain().length, 0, 'it was known');
  for (const session of [first, again]) {
    t.same([session.isEstablished, session.verifyResult, session.peerCertificates().length], [true, 0, 1]);
  }
  t.same(again.peerCertificates(), first.peerCertificates());
  t.equal(meet(otherCaller).verifiedChain().length, 2, 'another peer is not');
  t.end();
});

t.test('a client knows chains of servers as well', (t) => {
  const trust = { roots, knownChainsClock: Date.now };
  const options = { side: 'client', identity: caller, verification: 'required', trust } as const;
  const context = contextFor(t, options);
  const shown = { side: 'server', identity: leaf, verification: 'none' } as const;
  const lengths = [1, 2].map(() => pairOf(t, shown, context).client.verifiedChain().length);
  t.same(lengths, [2, 0]);
  t.end();
});

t.test('it is verified again before and after the days of its certificates, and when nothing may be known', (t) => {
  let nowMs = Date.now();
  const meet = server(t, { knownChainsClock: () => nowMs });
  const length = () => meet(caller).verifiedChain().length;
  t.same([length(), length()], [2, 0]);
  nowMs += 3 * DAY_MS;
  t.same([length(), length()], [2, 2]);
  nowMs -= 6 * DAY_MS;
  t.same([length(), length()], [2, 2]);
  nowMs += 3 * DAY_MS;
  t.same([length(), length()], [0, 0]);
  const always = server(t, {});
  t.same([always(caller).verifiedChain().length, always(caller).verifiedChain().length], [2, 2]);
  t.end();
});

t.test('with revocation lists every chain is verified', (t) => {
  const revoked = mesh.issue();
  const meet = server(t, { knownChainsClock: Date.now, revocationLists: mesh.revokeLast(1) });
  t.same([meet(caller).verifiedChain().length, meet(caller).verifiedChain().length], [2, 2]);
  t.match(meet(revoked).problem, /certificate revoked/);
  t.match(meet(revoked).problem, /certificate revoked/);
  t.end();
});

t.test('what is not good is refused each time, and what is let in all the same is not known as good', (t) => {
  const meet = server(t, { knownChainsClock: Date.now });
  for (let time = 0; time < 2; time++) t.match(meet(strangers).problem, /unable to get local issuer/);
  const lenient = server(t, { knownChainsClock: Date.now }, true);
  for (let time = 0; time < 2; time++) {
    const session = lenient(strangers);
    t.equal(session.isEstablished, true);
    t.not(session.verifyResult, 0);
  }
  t.end();
});

t.test('what one context knows is nothing to another, not even to one in its place', (t) => {
  const own = server(t, { knownChainsClock: Date.now });
  own(caller);
  own(caller);
  const others = server(t, { roots: stranger.certificate, knownChainsClock: Date.now });
  t.match(others(caller).problem, /unable to get local issuer/);
  for (let round = 0; round < 20; round++) {
    const context = TlsContext.create(serverOptions({ knownChainsClock: Date.now })) as TlsContext;
    const { server: session, free } = connectionOf(t, context, caller);
    t.equal(session.verifiedChain().length, 2);
    free();
    context.close();
    t.equal(context.isFreed, true);
  }
  t.end();
});

t.test('who shows a chain that is known, and has not its key, is refused', (t) => {
  const context = contextFor(t, { ...serverOptions({ knownChainsClock: Date.now }), maxVersion: TlsVersion.tls12 });
  const shownBy = (identity: IssuedIdentity) => connectionOf(t, context, identity).server.peerCertificates()[0]!;
  const [[impostor, own], [honest, known]] = twoOfOneLength(shownBy);
  t.equal(connectionOf(t, context, honest).server.verifiedChain().length, 0);
  // Under TLS 1.2 certificates pass in the clear. One of the same length takes the place of another in the middle.
  const result = meetThrough(t, context, impostor, (bytes) => {
    const at = bytes.indexOf(own);
    if (at >= 0) known.copy(bytes, at);
    return at >= 0;
  });
  t.equal(result.replaced, 1);
  t.equal(result.server.isEstablished, false);
  t.match(result.server.problem, /bad signature/);
  t.end();
});

t.test('a chain is known with all that was shown, and a longer one than a mesh has is not', (t) => {
  const meet = server(t, { knownChainsClock: Date.now });
  const extra = { ...caller, certificateChain: caller.certificateChain + stranger.certificate };
  t.same(
    [meet(caller), meet(extra), meet(extra)].map((session) => session.verifiedChain().length),
    [2, 2, 0],
  );
  const long = { ...caller, certificateChain: caller.certificateChain + stranger.certificate.repeat(8) };
  t.same(
    [meet(long), meet(long)].map((session) => session.verifiedChain().length),
    [2, 2],
  );
  t.end();
});

/** A signature of ECDSA has one of a few lengths (RFC 3279 2.2.3), so two certificates of one length are soon found. */
function twoOfOneLength(shownBy: (identity: IssuedIdentity) => Buffer) {
  const ofLength = new Map<number, [IssuedIdentity, Buffer]>();
  for (let issued = 0; issued < 20; issued++) {
    const identity = mesh.issue();
    const certificate = shownBy(identity);
    const same = ofLength.get(certificate.length);
    if (same !== undefined) return [same, [identity, certificate]] as const;
    ofLength.set(certificate.length, [identity, certificate]);
  }
  throw new Error(`20 certificates of ${ofLength.size} lengths`);
}

function serverOptions(trust: Partial<TlsTrust>, acceptsUntrusted = false): TlsContextOptions {
  return { side: 'server', identity: leaf, verification: 'required', acceptsUntrusted, trust: { roots, ...trust } };
}

/** Meets clients, each with an identity: the server's side of it. */
function server(t: Test, trust: Partial<TlsTrust>, acceptsUntrusted = false) {
  const context = contextFor(t, serverOptions(trust, acceptsUntrusted));
  return (identity: IssuedIdentity) => connectionOf(t, context, identity).server;
}

function connectionOf(t: Test, context: TlsContext, identity: IssuedIdentity) {
  const client = contextFor(t, { side: 'client', identity, verification: 'none' });
  return meetOver(t, context, client);
}

function pairOf(t: Test, options: TlsContextOptions, client: TlsContext) {
  return meetOver(t, contextFor(t, options), client);
}

function meetOver(t: Test, serverContext: TlsContext, clientContext: TlsContext) {
  const [clientFd, serverFd] = connectedPair();
  for (const fd of [clientFd, serverFd]) setNoDelay(fd, true);
  const server = sessionFor(t, serverContext, serverFd);
  const client = sessionFor(t, clientContext, clientFd, 'example.test');
  t.teardown(() => {
    close(serverFd);
    close(clientFd);
  });
  const [result] = shakeHands({ server, client });
  if (result === 0) t.equal(passText(client, server, 'hello'), 'hello');
  return { server, client, free: () => server.free() };
}

/** A client whose bytes `replace` may change on their way, and says whether it has. */
function meetThrough(
  ...[t, context, identity, replace]: [Test, TlsContext, IssuedIdentity, (bytes: Buffer) => boolean]
) {
  const [[clientFd, nearFd], [farFd, serverFd]] = [connectedPair(), connectedPair()];
  t.teardown(() => [clientFd, nearFd, farFd, serverFd].forEach(close));
  for (const fd of [clientFd, nearFd, farFd, serverFd]) setNoDelay(fd, true);
  const server = sessionFor(t, context, serverFd);
  const options = { side: 'client', identity, verification: 'none' } as const;
  const client = sessionFor(t, contextFor(t, options), clientFd, 'example.test');
  let replaced = 0;
  for (let step = 0; step < 100; step++) {
    client.handshake();
    const sent = receive(nearFd, wire, 0, wire.length);
    if (sent > 0 && replace(wire.bytes.subarray(0, sent))) replaced += 1;
    if (sent > 0) send(farFd, wire, 0, sent);
    server.handshake();
    const answered = receive(farFd, wire, 0, wire.length);
    if (answered > 0) send(nearFd, wire, 0, answered);
  }
  return { server, replaced };
}

import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { declareOpenssl } from '../../native/openssl.ts';
import { close, receive, send, setLinger, setNoDelay, shutdownWrite } from '../../native/socket.ts';
import { TlsVersion } from '../../native/tls-context.ts';
import { describeVerifyResult, TlsSession, TlsWant } from '../../native/tls-session.ts';
import { connectedPair } from '../support/socket-pair.ts';
import {
  Authority,
  contextFor,
  passText,
  type SessionPair,
  sessionFor,
  sessionPair,
  shakeHands,
  wire,
} from '../support/tls-fixtures.ts';

const folder = t.testdir();
const mesh = Authority.make(`${folder}/mesh`, 'mesh');
const stranger = Authority.make(`${folder}/stranger`, 'stranger');
const leaf = mesh.issue({ subjectAltName: 'URI:spiffe://cluster.local/ns/a/sa/b' });
const trust = { roots: mesh.certificate };
const mutualServer = { identity: leaf, trust, verification: 'required' } as const;
const mutualClient = { identity: leaf, trust, verification: 'required' } as const;
// `SOAK_HANDSHAKES=10000` for a longer look: a handshake of both sides is more than a millisecond of CPU.
const HANDSHAKES = Number(process.env['SOAK_HANDSHAKES'] ?? 1000);

const newSession = declareOpenssl('uint64_t', 'SSL_new', ['uint64_t']);
const VERSIONS = { 'TLS 1.2': TlsVersion.tls12, 'TLS 1.3': TlsVersion.tls13 } as const;

for (const [name, version] of Object.entries(VERSIONS)) {
  t.test(`${name}: both sides know each other, and what was agreed on`, (t) => {
    const pair = pairOf(t, version);
    t.same(shakeHands(pair), [0, 0]);
    for (const side of [pair.server, pair.client]) {
      t.equal(side.version, version);
      t.equal(side.verifyResult, 0);
      t.match(side.cipher, /^TLS_/);
      t.equal(side.isResumed, false);
      t.match(side.peerCertificates()[0]?.toString('base64'), bodyOf(leaf.certificateChain));
    }
    t.equal(pair.server.serverName, 'example.test');
    t.equal(passText(pair.client, pair.server, 'there'), 'there');
    t.equal(passText(pair.server, pair.client, 'and back'), 'and back');
    t.end();
  });

  t.test(`${name}: a handshake that comes byte by byte, and the data behind it`, (t) => {
    const { server, client, pump, close: end } = splitPair(t, version, 1);
    let steps = 0;
    while (!(server.isEstablished && client.isEstablished) && steps++ < 20_000) {
      for (const side of [client, server]) {
        if (![0, -Errno.EAGAIN].includes(side.handshake())) t.fail(side.problem);
      }
      pump();
    }
    t.ok(server.isEstablished && client.isEstablished, server.problem + client.problem);
    client.write(wire, 0, wire.bytes.write('slowly'));
    let received = -Errno.EAGAIN;
    while (received === -Errno.EAGAIN && steps++ < 20_000) {
      pump();
      received = server.read(wire, 100, 100);
    }
    t.equal(wire.bytes.toString('latin1', 100, 100 + received), 'slowly');
    end();
    t.end();
  });

  t.test(`${name}: close_notify ends one direction, in either order`, (t) => {
    for (const first of ['server', 'client'] as const) {
      const pair = pairOf(t, version);
      shakeHands(pair);
      const [one, other] = first === 'server' ? [pair.server, pair.client] : [pair.client, pair.server];
      t.equal(passText(one, other, 'the last of it'), 'the last of it');
      t.equal(one.shutdown(), 0);
      t.equal(one.shutdown(), 0, 'once is enough');
      t.equal(other.look(), 0);
      t.equal(other.read(wire, 0, 100), 0);
      t.equal(other.read(wire, 0, 100), 0, 'it stays the end');
      t.equal(passText(other, one, 'half open'), 'half open');
      t.equal(other.shutdown(), 0);
      t.equal(one.read(wire, 0, 100), 0);
      t.same([one.problem, other.problem], ['', '']);
    }
    t.end();
  });

  t.test(`${name}: an end without close_notify is told from one with it`, (t) => {
    const pair = pairOf(t, version);
    shakeHands(pair);
    pair.client.write(wire, 0, 7);
    shutdownWrite(pair.clientFd);
    t.equal(pair.server.read(wire, 0, 100), 7, 'what came before is data');
    t.equal(pair.server.look(), -Errno.ECONNABORTED);
    t.equal(pair.server.read(wire, 0, 100), -Errno.ECONNABORTED);
    t.equal(pair.server.problem, 'the peer ended the connection without close_notify');
    t.equal(pair.server.write(wire, 0, 1), -Errno.ECONNABORTED, 'every later call tells it');
    t.equal(pair.server.shutdown(), 0, 'nothing is sent behind a failure');
    t.end();
  });

  t.test(`${name}: a reset is the errno of the socket`, (t) => {
    const pair = pairOf(t, version);
    shakeHands(pair);
    setLinger(pair.clientFd, 0);
    pair.client.free();
    close(pair.clientFd);
    t.equal(pair.server.read(wire, 0, 100), -Errno.ECONNRESET);
    t.equal(pair.server.problem, 'connection reset by peer');
    t.end();
  });

  t.test(`${name}: writing to a peer that is gone is an errno and no signal`, (t) => {
    const pair = pairOf(t, version);
    shakeHands(pair);
    setLinger(pair.clientFd, 0);
    close(pair.clientFd);
    receive(pair.serverFd, wire, 0, 1);
    t.equal(pair.server.write(wire, 0, 100), -Errno.EPIPE);
    t.equal(pair.server.problem, 'the peer reads no more');
    t.end();
  });

  t.test(`${name}: records of every size around the largest arrive whole`, (t) => {
    const pair = pairOf(t, version);
    shakeHands(pair);
    const received = new NativeBuffer(65536);
    for (const length of [1, 2, 16383, 16384, 16385, 32768, 65536]) {
      for (let at = 0; at < length; at++) wire.bytes[at] = (at * 31 + length) & 0xff;
      t.equal(pair.client.write(wire, 0, length), length);
      let total = 0;
      while (total < length) {
        const count = pair.server.read(received, total, received.length - total);
        if (count <= 0) break;
        total += count;
      }
      t.equal(total, length);
      t.ok(received.bytes.subarray(0, total).equals(wire.bytes.subarray(0, total)));
    }
    t.equal(pair.client.write(wire, 0, 0), 0, 'nothing is no record');
    t.equal(pair.server.look(), -Errno.EAGAIN);
    t.end();
  });

  t.test(`${name}: a slow reader gets every byte, however writes are cut when they are tried again`, (t) => {
    const pair = pairOf(t, version);
    shakeHands(pair);
    const total = 6_000_000;
    const source = new NativeBuffer(total);
    for (let at = 0; at < total; at++) source.bytes[at] = (at * 7 + (at >> 9)) & 0xff;
    const sink = new NativeBuffer(total);
    const cuts = [70_000, 1, 300, 16_384, 5_000, 40_000];
    let [sent, got, blocked, calls] = [0, 0, 0, 0];
    while (got < total && calls++ < 100_000) {
      const cut = Math.min(cuts[calls % cuts.length]!, total - sent);
      const taken = cut === 0 ? 0 : pair.server.write(source, sent, cut);
      if (taken === -Errno.EAGAIN) {
        blocked += 1;
        if (pair.server.want !== TlsWant.write) t.fail('a full socket is waited for');
      } else if (taken < 0) throw new Error(pair.server.problem);
      else sent += taken;
      // Read only when nothing more goes in, so that each round meets a full socket.
      const isStuck = taken === -Errno.EAGAIN || cut === 0;
      const count = isStuck ? pair.client.read(sink, got, Math.min(9_000, total - got)) : 0;
      if (count > 0) got += count;
    }
    t.ok(blocked > 20, `${blocked} writes found the socket full`);
    t.ok(sink.bytes.equals(source.bytes));
    t.end();
  });

  t.test(`${name}: what another user of OpenSSL has left behind on the thread breaks nothing`, (t) => {
    const pair = pairOf(t, version);
    leaveError();
    t.same(shakeHands(pair), [0, 0]);
    leaveError();
    t.equal(pair.server.read(wire, 0, 10), -Errno.EAGAIN);
    t.equal(pair.server.want, TlsWant.read);
    t.equal(passText(pair.client, pair.server, 'still here'), 'still here');
    leaveError();
    pair.client.shutdown();
    t.equal(pair.server.read(wire, 0, 10), 0);
    t.end();
  });

  t.test(`${name}: a damaged record ends the connection`, (t) => {
    const { server, client, relay, pump, close: end } = splitPair(t, version, 65536);
    for (let step = 0; step < 50; step++) {
      client.handshake();
      server.handshake();
      pump();
    }
    client.write(wire, 0, 100);
    const length = receive(relay[0], wire, 0, 65536);
    wire.bytes[length - 1]! ^= 1;
    send(relay[1], wire, 0, length);
    t.equal(server.read(wire, 0, 100), -Errno.EPROTO);
    t.match(server.problem, /bad record mac|decryption failed/);
    pump();
    t.equal(client.read(wire, 0, 100), -Errno.EPROTO, 'and the peer is told');
    t.match(client.problem, /alert bad record mac/);
    end();
    t.end();
  });
}

t.test('certificates that must not pass do not', (t) => {
  const past = mesh.issue({ notBefore: '20200101000000Z', notAfter: '20200201000000Z' });
  const future = mesh.issue({ notBefore: '20900101000000Z', notAfter: '20910101000000Z' });
  const forServers = mesh.issue({ extensions: 'extendedKeyUsage=serverAuth' });
  const cases = [
    [stranger.issue(), 'unable to get local issuer certificate'],
    [past, 'certificate has expired'],
    [future, 'certificate is not yet valid'],
    [forServers, 'unsuitable certificate purpose'],
  ] as const;
  for (const [identity, words] of cases) {
    for (const version of Object.values(VERSIONS)) {
      const pair = pairOf(t, version, { identity });
      t.equal(shakeHands(pair)[0], -Errno.EPROTO);
      t.equal(pair.server.problem, `certificate verify failed: ${words}`);
      t.equal(describeVerifyResult(pair.server.verifyResult), words);
      t.equal(pair.server.isEstablished, false);
      t.ok(pair.client.read(wire, 0, 1) === -Errno.EPROTO, 'the client learns it at the latest when it reads');
    }
  }
  t.end();
});

t.test('a server whose certificate is not good is refused by the client', (t) => {
  for (const version of Object.values(VERSIONS)) {
    const pair = sessionPair(
      t,
      { identity: stranger.issue(), verification: 'none', maxVersion: version },
      { trust, verification: 'required' },
    );
    t.same(shakeHands(pair), [-Errno.EPROTO, -Errno.EPROTO]);
    t.match(pair.client.problem, /^certificate verify failed: unable to get/);
    t.match(pair.server.problem, /alert unknown ca/);
  }
  t.end();
});

t.test('a client that does not verify goes on, and knows the result', (t) => {
  const pair = sessionPair(t, { identity: stranger.issue(), verification: 'none' }, { trust, verification: 'none' });
  t.same(shakeHands(pair), [0, 0]);
  t.match(describeVerifyResult(pair.client.verifyResult), /unable to/);
  t.end();
});

t.test('a certificate is required, or may be left out, or is not asked for', (t) => {
  const resultFor = (verification: 'none' | 'optional' | 'required', identity?: typeof leaf) => {
    const pair = sessionPair(t, { ...mutualServer, verification }, { trust, verification: 'required', identity });
    const [result] = shakeHands(pair);
    return [result, pair.server.peerCertificates().length, pair.server.problem] as const;
  };
  t.same(resultFor('required'), [-Errno.EPROTO, 0, 'peer did not return a certificate']);
  t.same(resultFor('optional'), [0, 0, '']);
  t.same(resultFor('optional', leaf), [0, 1, '']);
  t.equal(resultFor('optional', stranger.issue())[0], -Errno.EPROTO, 'one that is shown must be good');
  t.same(resultFor('none', leaf), [0, 0, '']);
  t.end();
});

t.test('after it was freed a session does nothing, again and again', (t) => {
  const pair = pairOf(t, TlsVersion.tls13);
  shakeHands(pair);
  pair.client.write(wire, 0, 10);
  pair.server.free();
  pair.server.free();
  t.same([pair.server.read(wire, 0, 1), pair.server.write(wire, 0, 1), pair.server.look()], [-9, -9, -9]);
  t.same([pair.server.handshake(), pair.server.shutdown()], [-9, 0]);
  t.same(
    [pair.server.version, pair.server.cipher, pair.server.alpn, pair.server.pendingBytes],
    [0, undefined, undefined, 0],
  );
  t.same(pair.server.peerCertificates(), []);
  t.equal(receive(pair.serverFd, wire, 0, 100) > 0, true, 'the descriptor is still open');
  t.end();
});

t.test('names that cannot be sent as SNI are refused', (t) => {
  const context = contextFor(t, { ...mutualClient, side: 'client' });
  for (const name of ['', 'a\0b', 'x'.repeat(256)])
    t.equal(TlsSession.create(context, 0, name), 'the server name is no DNS name');
  t.equal(context.openSessions, 0);
  t.end();
});

t.test('plain HTTP on a port of TLS is told as such', (t) => {
  const [plain, fd] = connectedPair();
  const server = sessionFor(t, contextFor(t, { ...mutualServer, side: 'server' }), fd);
  send(plain, wire, 0, wire.bytes.write('GET / HTTP/1.1\r\n\r\n'));
  t.equal(server.handshake(), -Errno.EPROTO);
  t.equal(server.problem, 'http request');
  for (const one of [plain, fd]) close(one);
  t.end();
});

t.test('a peer that leaves during the handshake is told from one that breaks it', (t) => {
  for (const [linger, outcome] of [
    [false, -Errno.ECONNABORTED],
    [true, -Errno.ECONNRESET],
  ] as const) {
    const [peer, fd] = connectedPair();
    const server = sessionFor(t, contextFor(t, { ...mutualServer, side: 'server' }), fd);
    t.equal(server.handshake(), -Errno.EAGAIN);
    if (linger) setLinger(peer, 0);
    close(peer);
    t.equal(server.handshake(), outcome);
    t.not(server.problem, '');
    close(fd);
  }
  t.end();
});

t.test('data that waits inside is told of, and is read without an event', (t) => {
  const pair = pairOf(t, TlsVersion.tls13);
  shakeHands(pair);
  pair.client.write(wire, 0, 5000);
  t.equal(pair.server.look(), 1);
  t.equal(pair.server.pendingBytes, 5000);
  t.equal(pair.server.read(wire, 0, 2000), 2000);
  t.equal(pair.server.hasPending, true);
  t.equal(pair.server.pendingBytes, 3000);
  t.equal(pair.server.read(wire, 0, 5000), 3000);
  t.equal(pair.server.hasPending, false);
  t.end();
});

t.test(`${HANDSHAKES} handshakes, good and refused, leave no memory behind`, { timeout: 300_000 }, (t) => {
  const server = contextFor(t, { ...mutualServer, side: 'server', groups: 'X25519' });
  const clients = [leaf, undefined].map((identity) => contextFor(t, { ...mutualClient, identity, side: 'client' }));
  const run = (count: number) => {
    for (let round = 0; round < count; round++) {
      const [one, other] = connectedPair();
      for (const fd of [one, other]) setNoDelay(fd, true);
      const pair = {
        client: TlsSession.create(clients[round % 10 === 0 ? 1 : 0]!, one) as TlsSession,
        server: TlsSession.create(server, other) as TlsSession,
      };
      const [result] = shakeHands(pair);
      if ((result === 0) !== (round % 10 !== 0)) t.fail(`round ${round}: ${result} ${pair.server.problem}`);
      for (const session of Object.values(pair)) session.free();
      for (const fd of [one, other]) {
        // Thousands of ports would wait for late segments otherwise.
        setLinger(fd, 0);
        close(fd);
      }
    }
  };
  run(HANDSHAKES / 5);
  const before = residentBytes();
  run(HANDSHAKES - HANDSHAKES / 5);
  const grown = residentBytes() - before;
  t.ok(grown < 12 * 1024 * 1024, `grown by ${grown} bytes`);
  t.equal(server.openSessions, 0);
  t.end();
});

function pairOf(...[t, version, client]: [Test, TlsVersion, { identity: typeof leaf }?]): SessionPair {
  return sessionPair(t, { ...mutualServer, maxVersion: version }, { ...mutualClient, ...client });
}

/** A pair with somebody between them, who passes on at most `limit` bytes of each direction a call. */
function splitPair(t: Test, version: TlsVersion, limit: number) {
  const [clientFd, clientRelay] = connectedPair();
  const [serverFd, serverRelay] = connectedPair();
  const relay = [clientRelay, serverRelay] as const;
  for (const fd of [clientFd, serverFd, ...relay]) setNoDelay(fd, true);
  const server = sessionFor(t, contextFor(t, { ...mutualServer, side: 'server', maxVersion: version }), serverFd);
  const client = sessionFor(t, contextFor(t, { ...mutualClient, side: 'client' }), clientFd);
  const bytes = new NativeBuffer(limit);
  const pump = () => {
    for (const [from, to] of [relay, [relay[1], relay[0]]] as const) {
      const count = receive(from, bytes, 0, limit);
      if (count > 0) send(to, bytes, 0, count);
    }
  };
  return { server, client, relay, pump, close: () => [clientFd, serverFd, ...relay].forEach((fd) => void close(fd)) };
}

function leaveError(): void {
  newSession()(0);
}

function bodyOf(pem: string): string {
  return pem.replace(/-----[^-]+-----|\s/g, '');
}

function residentBytes(): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))![1]) * 1024;
}

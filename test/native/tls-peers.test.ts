// Against the TLS of others: Node's own class in the same process, and the program openssl.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { accept, bind, close, connect as connectTo, createSocket, listen, localAddress } from '../../native/socket.ts';
import { AddressFamily } from '../../native/socket-address.ts';
import { TlsVersion } from '../../native/tls-context.ts';
import type { TlsSession } from '../../native/tls-session.ts';
import { Authority, contextFor, sessionFor } from '../support/tls-fixtures.ts';

const mesh = Authority.make(t.testdir(), 'mesh');
const leaf = mesh.issue();
const trust = { roots: mesh.certificate };
const nodeIdentity = { cert: leaf.certificateChain, key: leaf.privateKey, ca: mesh.certificate };
const buffer = new NativeBuffer(65536);
const BULK_BYTES = 3_000_000;

for (const [name, version] of [
  ['TLSv1.2', TlsVersion.tls12],
  ['TLSv1.3', TlsVersion.tls13],
] as const) {
  t.test(`${name}: a client of node:tls, with a certificate, ALPN, bulk and an orderly end`, async (t) => {
    const listening = listeningSocket(t);
    const options = { ...nodeIdentity, ALPNProtocols: ['h3', 'http/1.1'], servername: 'example.test' };
    const peer = connect({ port: listening.port, host: '127.0.0.1', maxVersion: name, ...options });
    const session = await accepted(t, listening.fd, version);
    t.equal(await progress(() => session.handshake()), 0);
    t.equal(session.alpn, 'http/1.1');
    t.equal(session.serverName, 'example.test');
    t.equal(session.peerCertificates().length, 2, 'its own, and the root that it sends with it');
    await exchangeBulk(t, peer, session);
    t.equal(peer.getProtocol(), name);
    peer.end();
    t.equal(await progress(() => session.read(buffer, 0, buffer.length)), 0, 'close_notify');
    t.equal(session.shutdown(), 0);
    session.free();
    close(listening.accepted());
    await once(peer, 'close');
  });

  t.test(`${name}: a server of node:tls, which sends tickets and asks for a certificate`, async (t) => {
    const tickets = { requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['h2'] };
    const server = createServer({ ...nodeIdentity, ...tickets, maxVersion: name }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const connection = once(server, 'secureConnection') as Promise<[TLSSocket]>;
    const fd = createSocket(AddressFamily.ipv4);
    connectTo(fd, { kind: 'ip', ip: '127.0.0.1', port: (server.address() as AddressInfo).port });
    t.teardown(() => close(fd));
    const options = { side: 'client', identity: leaf, trust, verification: 'required', alpn: ['h2'] } as const;
    const session = sessionFor(t, contextFor(t, options), fd, 'example.test');
    t.equal(await progress(() => session.handshake()), 0);
    const [peer] = await connection;
    t.equal(peer.authorized, true);
    t.equal(session.alpn, 'h2');
    t.equal(session.version, version);
    await exchangeBulk(t, peer, session);
    t.equal(session.look(), -Errno.EAGAIN, 'tickets are no data');
    const ended = once(peer, 'end');
    t.equal(session.shutdown(), 0);
    await ended;
    t.equal(await progress(() => session.read(buffer, 0, buffer.length)), 0);
  });
}

t.test('a client that wants to renegotiate is told no', async (t) => {
  const listening = listeningSocket(t);
  const program = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${listening.port}`, '-tls1_2']);
  t.teardown(() => program.kill());
  const session = await accepted(t, listening.fd, TlsVersion.tls12, 'none');
  t.equal(await progress(() => session.handshake()), 0);
  let output = '';
  for (const stream of [program.stdout, program.stderr]) {
    stream.setEncoding('latin1').on('data', (text) => {
      output += text;
    });
  }
  program.stdin.write('R\n');
  const left = once(program, 'exit');
  const result = await progress(() => session.read(buffer, 0, buffer.length));
  t.ok(result <= 0, `no data came, and no second handshake: ${result} ${session.problem}`);
  await left;
  t.match(output, /RENEGOTIATING.*no renegotiation/s);
  session.free();
  close(listening.accepted());
});

t.test('openssl s_client: data in both directions, and an end', async (t) => {
  const listening = listeningSocket(t);
  const program = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${listening.port}`, '-tls1_3', '-ign_eof'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  t.teardown(() => program.kill());
  const session = await accepted(t, listening.fd, TlsVersion.tls13, 'none');
  t.equal(await progress(() => session.handshake()), 0);
  let output = '';
  program.stdout.setEncoding('latin1').on('data', (text) => {
    output += text;
  });
  program.stdin.write('hello\n');
  const received = await progress(() => session.read(buffer, 0, buffer.length));
  t.equal(buffer.bytes.toString('latin1', 0, received), 'hello\n');
  session.write(buffer, 0, buffer.bytes.write('to you'));
  await progress(() => (output.includes('to you') ? 1 : -Errno.EAGAIN));
  const left = once(program, 'exit');
  t.equal(session.shutdown(), 0);
  session.free();
  close(listening.accepted());
  await left;
});

/** Bulk both ways at once: what is read must be what was written. */
async function exchangeBulk(t: Test, peer: TLSSocket, session: TlsSession): Promise<void> {
  const bulk = Buffer.alloc(BULK_BYTES, 'some bulk that does not repeat with a power of two. ');
  const ours = new NativeBuffer(BULK_BYTES);
  ours.bytes.set(bulk);
  const arrived: Buffer[] = [];
  let arrivedBytes = 0;
  peer.on('data', (chunk: Buffer) => {
    arrived.push(chunk);
    arrivedBytes += chunk.length;
  });
  peer.write(bulk);
  const got = new NativeBuffer(BULK_BYTES);
  let [sent, received] = [0, 0];
  await progress(() => {
    const written = sent < BULK_BYTES ? session.write(ours, sent, Math.min(65536, BULK_BYTES - sent)) : 0;
    if (written > 0) sent += written;
    const count = received < BULK_BYTES ? session.read(got, received, BULK_BYTES - received) : 0;
    if (count > 0) received += count;
    if (session.problem !== '') throw new Error(session.problem);
    return sent + received + arrivedBytes < 3 * BULK_BYTES ? -Errno.EAGAIN : 0;
  });
  t.ok(got.bytes.equals(bulk), 'what it sent');
  t.ok(Buffer.concat(arrived).equals(bulk), 'what we sent');
}

/** Makes the call once a turn of Node's loop until it returns something else than -EAGAIN. */
async function progress(call: () => number): Promise<number> {
  let result = call();
  while (result === -Errno.EAGAIN) {
    await new Promise((resolve) => setImmediate(resolve));
    result = call();
  }
  return result;
}

interface Listening {
  readonly fd: number;
  readonly port: number;
  accepted(): number;
}

let lastAccepted = -1;

function listeningSocket(t: Test): Listening {
  const fd = createSocket(AddressFamily.ipv4);
  bind(fd, { kind: 'ip', ip: '127.0.0.1', port: 0 });
  listen(fd, 8);
  t.teardown(() => close(fd));
  const address = localAddress(fd);
  if (address?.kind !== 'ip') throw new Error('not bound');
  return { fd, port: address.port, accepted: () => lastAccepted };
}

async function accepted(
  ...[t, listening, maxVersion, verification = 'required']: [Test, number, TlsVersion, ('none' | 'required')?]
): Promise<TlsSession> {
  lastAccepted = await progress(() => accept(listening));
  const alpn = { protocols: ['h2', 'http/1.1'], otherwise: 'refuse' } as const;
  const context = contextFor(t, { side: 'server', identity: leaf, trust, verification, maxVersion, alpn });
  return sessionFor(t, context, lastAccepted);
}

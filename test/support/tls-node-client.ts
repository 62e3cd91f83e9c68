// A client of node:tls against a context of ours, both in one thread: it resumes, and asks for OCSP responses.

import { once } from 'node:events';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { Test } from 'tap';
import { Errno } from '../../native/errno.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { accept, bind, close, createSocket, listen, localAddress } from '../../native/socket.ts';
import { AddressFamily } from '../../native/socket-address.ts';
import type { TlsContext } from '../../native/tls-context.ts';
import { TlsSession } from '../../native/tls-session.ts';

export interface MetNodeClient {
  /** What the server's handshake came to. */
  readonly result: number;
  readonly isResumed: boolean;
  /** Of the peer's certificate, as the server sees it. */
  readonly peerCertificates: readonly Buffer[];
  /** To resume by; undefined when the server has given none. */
  readonly ticket: Buffer | undefined;
  /** Null: asked for and not sent. */
  readonly ocspResponse: Buffer | null | undefined;
}

/** One connection from handshake to close. */
export async function meetNodeClient(t: Test, context: TlsContext, options: ConnectionOptions): Promise<MetNodeClient> {
  const listener = createSocket(AddressFamily.ipv4);
  t.equal(bind(listener, { kind: 'ip', ip: '127.0.0.1', port: 0 }), 0);
  listen(listener, 8);
  const address = localAddress(listener);
  const port = address !== undefined && address.kind === 'ip' ? address.port : 0;
  const peer = connect({ host: '127.0.0.1', port, servername: 'example.test', ...options });
  const seen = watch(peer);
  const fd = await until(() => accept(listener));
  const session = TlsSession.create(context, fd);
  if (typeof session === 'string') throw new Error(session);
  const result = await until(() => session.handshake());
  const { isResumed } = session;
  const peerCertificates = session.peerCertificates();
  if (result === 0) await exchange(session, peer, seen);
  session.free();
  close(fd);
  close(listener);
  peer.destroy();
  if (!seen.isClosed) await once(peer, 'close');
  return { result, isResumed, peerCertificates, ticket: seen.ticket, ocspResponse: seen.ocspResponse };
}

interface Seen {
  ticket: Buffer | undefined;
  ocspResponse: Buffer | null | undefined;
  text: string;
  isClosed: boolean;
}

function watch(peer: TLSSocket): Seen {
  const seen: Seen = { ticket: undefined, ocspResponse: undefined, text: '', isClosed: false };
  peer.on('session', (ticket: Buffer) => {
    seen.ticket = ticket;
  });
  peer.on('OCSPResponse', (response: Buffer | null) => {
    seen.ocspResponse = response;
  });
  peer.on('data', (data: Buffer) => {
    seen.text += data.toString('latin1');
  });
  peer.on('close', () => {
    seen.isClosed = true;
  });
  // A handshake that the server has refused is what some tests are about.
  peer.on('error', () => {});
  return seen;
}

/** Tickets of TLS 1.3 come in front of the server's first data. */
async function exchange(session: TlsSession, peer: TLSSocket, seen: Seen): Promise<void> {
  const length = buffer.bytes.write('hello', 'latin1');
  session.write(buffer, 0, length);
  await until(() => (seen.text === 'hello' || seen.isClosed || peer.destroyed ? 0 : -Errno.EAGAIN));
  // Node tells of no ticket that replaces another.
  if (peer.getProtocol() === 'TLSv1.2') seen.ticket = peer.getSession();
}

const buffer = new NativeBuffer(64);

/** Node's loop turns meanwhile. */
async function until(attempt: () => number): Promise<number> {
  for (;;) {
    const result = attempt();
    if (result !== -Errno.EAGAIN) return result;
    await new Promise(setImmediate);
  }
}

// Streams under TLS over loopback, ours at one end or at both.

import type { Test } from 'tap';
import type { Address } from '../../config/address.ts';
import { type TlsContext, type TlsContextOptions, TlsVersion } from '../../native/tls-context.ts';
import { TlsSession } from '../../native/tls-session.ts';
import { adoptTls } from '../../proxy/reactor/accepted-socket.ts';
import { ListeningSocket } from '../../proxy/reactor/listening-socket.ts';
import type { Reactor } from '../../proxy/reactor/reactor.ts';
import { type HandshakeJudge, TlsTransport } from '../../proxy/transport/tls-transport.ts';
import { connect, LOOPBACK, RecordingHandler } from './reactor-fixtures.ts';
import { Authority, contextFor, type IssuedIdentity } from './tls-fixtures.ts';

/** What both sides show, and whom they trust. */
export interface Certified {
  readonly identity: IssuedIdentity;
  readonly trust: { readonly roots: string };
}

const VERSIONS = { 'TLSv1.2': TlsVersion.tls12, 'TLSv1.3': TlsVersion.tls13 } as const;
export type VersionName = keyof typeof VERSIONS;
export const TLS_VERSIONS = Object.keys(VERSIONS) as VersionName[];

/** An authority of the test's own, and what it has issued. */
export function certified(t: Test): Certified {
  const authority = Authority.make(t.testdir(), 'mesh');
  return { identity: authority.issue(), trust: { roots: authority.certificate } };
}

export interface TlsEnd extends Certified {
  readonly side: 'server' | 'client';
  readonly version?: VersionName | undefined;
}

/** A context of one end, which shows its identity and asks for the other's. */
export function tlsContext(t: Test, { side, identity, trust, version = 'TLSv1.3' }: TlsEnd): TlsContext {
  const options = { identity, trust, verification: 'required', maxVersion: VERSIONS[version] } as const;
  return contextFor(t, { ...options, side } as TlsContextOptions);
}

/** A judge who lets everybody in. */
export const lenient: HandshakeJudge = { judge: () => undefined };

/** A new session on `fd`, as a transport. */
export function transportOn(context: TlsContext, fd: number, judge: HandshakeJudge = lenient): TlsTransport {
  const session = TlsSession.create(context, fd, context.side === 'client' ? 'example.test' : undefined);
  if (typeof session === 'string') throw new Error(session);
  return new TlsTransport(fd, session, judge);
}

export interface TlsAcceptor {
  readonly address: Address;
  /** The next connection, in its handshake. */
  next(): Promise<RecordingHandler>;
}

export interface TlsAcceptorOptions {
  readonly judge?: HandshakeJudge | undefined;
  /** None when left out. */
  readonly handshakeTimeoutMs?: number | undefined;
  readonly prepare?: ((fd: number) => void) | undefined;
}

/** A listening socket whose connections are under TLS of `context`. */
export function listenTls(
  t: Test,
  reactor: Reactor,
  context: TlsContext,
  { judge, handshakeTimeoutMs = 0, prepare }: TlsAcceptorOptions = {},
): TlsAcceptor {
  const accepted: RecordingHandler[] = [];
  const waiting: ((handler: RecordingHandler) => void)[] = [];
  const handler = {
    onAccept(fd: number): void {
      prepare?.(fd);
      const stream = new RecordingHandler();
      stream.stream = adoptTls(reactor, transportOn(context, fd, judge), stream, { handshakeTimeoutMs });
      t.teardown(() => stream.stream.close());
      const resolve = waiting.shift();
      if (resolve === undefined) accepted.push(stream);
      else resolve(stream);
    },
    onAccepted(): void {},
    onAcceptError: (errno: number) => void t.fail(`accepting failed with errno ${errno}`),
  };
  const socket = ListeningSocket.open(reactor, LOOPBACK, {}, handler);
  if (typeof socket === 'number') throw new Error(`listening failed with errno ${-socket}`);
  t.teardown(() => socket.close());
  return {
    address: socket.localAddress()!,
    next: () => {
      const first = accepted.shift();
      if (first !== undefined) return Promise.resolve(first);
      const { promise, resolve } = Promise.withResolvers<RecordingHandler>();
      waiting.push(resolve);
      return promise;
    },
  };
}

export interface TlsPairOptions extends TlsAcceptorOptions {
  readonly version?: VersionName | undefined;
  /** Who stands between, for one who is told where to connect to. */
  readonly via?: (address: Address) => Promise<Address>;
}

/** A pair whose handshakes are done: ours connecting, ours accepted. */
export async function tlsStreams(
  t: Test,
  reactor: Reactor,
  mesh: Certified,
  { version, via, ...options }: TlsPairOptions = {},
): Promise<[RecordingHandler, RecordingHandler]> {
  const acceptor = listenTls(t, reactor, tlsContext(t, { ...mesh, side: 'server', version }), options);
  const context = tlsContext(t, { ...mesh, side: 'client', version });
  const address = via === undefined ? acceptor.address : await via(acceptor.address);
  const tls = (fd: number) => {
    options.prepare?.(fd);
    return transportOn(context, fd);
  };
  const client = connect(reactor, address, { tls });
  const accepted = await acceptor.next();
  t.teardown(() => client.stream.close());
  await Promise.all([client.saw('connected'), accepted.saw('connected')]);
  return [client, accepted];
}

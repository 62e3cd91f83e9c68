// Streams under TLS over loopback: ours at both ends, or ours and a peer of node:tls.

import type { Test } from 'tap';
import { type TlsContext, type TlsContextOptions, TlsVersion } from '../../native/tls-context.ts';
import { TlsSession } from '../../native/tls-session.ts';
import { adoptTls } from '../../proxy/reactor/connection.ts';
import { ListeningSocket } from '../../proxy/reactor/listening-socket.ts';
import type { Reactor } from '../../proxy/reactor/reactor.ts';
import { type HandshakeJudge, TlsTransport } from '../../proxy/transport/tls-transport.ts';
import { connect, LOOPBACK, RecordingHandler } from './reactor-fixtures.ts';
import { Authority, contextFor, type IssuedIdentity } from './tls-fixtures.ts';

export interface Certified {
  readonly identity: IssuedIdentity;
  readonly trust: { readonly roots: string };
}

export const VERSIONS = { 'TLSv1.2': TlsVersion.tls12, 'TLSv1.3': TlsVersion.tls13 } as const;
export type VersionName = keyof typeof VERSIONS;

/** An authority of the test's own, and one identity that both sides show. */
export function certified(t: Test): Certified {
  const authority = Authority.make(t.testdir(), 'mesh');
  return { identity: authority.issue(), trust: { roots: authority.certificate } };
}

export const lenient: HandshakeJudge = { judge: () => undefined };

export interface TlsStreamOptions {
  readonly version?: VersionName;
  readonly judge?: HandshakeJudge;
  readonly handshakeTimeoutMs?: number;
}

/** A TLS transport of a new session on `fd`. */
export function transportOn(context: TlsContext, fd: number, judge: HandshakeJudge = lenient): TlsTransport {
  const session = TlsSession.create(context, fd, context.side === 'client' ? 'example.test' : undefined);
  if (typeof session === 'string') throw new Error(session);
  return new TlsTransport(fd, session, judge);
}

export function tlsContext(
  t: Test,
  side: 'server' | 'client',
  { identity, trust }: Certified,
  version: VersionName = 'TLSv1.3',
): TlsContext {
  const options: TlsContextOptions = { side, identity, trust, verification: 'required', maxVersion: VERSIONS[version] };
  return contextFor(t, options);
}

/** Both ends, once their handshakes are done. */
export async function tlsStreams(
  t: Test,
  reactor: Reactor,
  mesh: Certified,
  { version, judge, handshakeTimeoutMs = 5000 }: TlsStreamOptions = {},
): Promise<[RecordingHandler, RecordingHandler]> {
  const server = tlsContext(t, 'server', mesh, version);
  const clientSide = tlsContext(t, 'client', mesh, version);
  const accepted = new RecordingHandler();
  const socket = ListeningSocket.open(
    reactor,
    LOOPBACK,
    {},
    {
      onAccept: (fd) => {
        accepted.stream = adoptTls(reactor, transportOn(server, fd, judge), accepted, { handshakeTimeoutMs });
      },
      onAccepted() {},
      onAcceptError: (errno) => void t.fail(`accepting failed with errno ${errno}`),
    },
  );
  if (typeof socket === 'number') throw new Error(`listening failed with errno ${-socket}`);
  const client = connect(reactor, socket.localAddress()!, { tls: (fd) => transportOn(clientSide, fd) });
  await Promise.all([client.saw('connected'), accepted.saw('connected')]);
  socket.close();
  t.teardown(() => {
    client.stream.close();
    accepted.stream.close();
  });
  return [client, accepted];
}

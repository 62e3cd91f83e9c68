import t, { type Test } from 'tap';
import { Errno } from '../../../native/errno.ts';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import { receive, send, setLinger, setNoDelay, shutdownWrite } from '../../../native/socket.ts';
import type { TlsContext } from '../../../native/tls-context.ts';
import type { TlsSession } from '../../../native/tls-session.ts';
import type { HandshakeJudge, TlsTransport } from '../../../proxy/transport/tls-transport.ts';
import { TransportWant } from '../../../proxy/transport/transport.ts';
import { connectedPair } from '../../support/socket-pair.ts';
import { certified, TLS_VERSIONS, tlsContext, transportOn, type VersionName } from '../../support/tls-streams.ts';

const mesh = certified(t);
const buffer = new NativeBuffer(1 << 20);

class NotingJudge implements HandshakeJudge {
  verdict: string | undefined;
  readonly judged: TlsSession[] = [];
  readonly established: TlsSession[] = [];
  readonly failed: TlsSession[] = [];
  /** Whether each could still be asked. */
  readonly closing: boolean[] = [];

  judge(session: TlsSession): string | undefined {
    this.judged.push(session);
    return this.verdict;
  }

  onEstablished(session: TlsSession): void {
    this.established.push(session);
  }

  onHandshakeFailed(session: TlsSession): void {
    this.failed.push(session);
  }

  onClosing(session: TlsSession): void {
    this.closing.push(session.version !== 0);
  }
}

for (const version of TLS_VERSIONS) {
  t.test(`${version}: after the handshake and the judgement data flows, and ends in order`, (t) => {
    const { server, client, judge } = pairOf(t, version);
    t.same([server.isPlain, server.hasPending, server.problem], [false, false, '']);
    t.equal(server.establish(), -Errno.EAGAIN);
    t.equal(server.want, TransportWant.read);
    t.same(judge.judged, []);
    t.same(establish(server, client), [0, 0]);
    t.same([judge.judged, judge.established], [[server.session], [server.session]]);
    t.equal(client.write(buffer, 0, buffer.bytes.write('hello')), 5);
    t.equal(server.look(), 1);
    t.equal(server.hasPending, true);
    t.equal(server.read(buffer, 0, 100), 5);
    t.equal(server.hasPending, false);
    t.equal(client.shutdownWrite(), 0);
    t.equal(server.read(buffer, 0, 100), 0);
    t.equal(receive(server.fd, buffer, 0, 1), 0, 'FIN is behind close_notify');
    t.equal(server.problem, '');
    t.end();
  });

  t.test(
    `${version}: a peer that the judge refuses gets an alert and no data, and the sentence is the problem`,
    (t) => {
      const { server, client, judge } = pairOf(t, version);
      judge.verdict = 'no name of the certificate is allowed';
      const [result] = establish(server, client);
      t.equal(result, -Errno.EPROTO);
      t.equal(server.problem, 'no name of the certificate is allowed');
      server.close();
      // Under TLS 1.3 its own handshake is done by then.
      if (client.session.isEstablished) t.equal(client.read(buffer, 0, 100), -Errno.EPROTO);
      t.match(client.problem, /alert certificate unknown/);
      t.same([judge.judged.length, judge.established, judge.failed, judge.closing], [1, [], [], []]);
      t.end();
    },
  );

  t.test(`${version}: a handshake that fails is told to the judge once, with its words`, (t) => {
    const { server, client, judge } = pairOf(t, version);
    server.establish();
    send(client.fd, buffer, 0, buffer.bytes.write('GET / HTTP/1.1\r\n\r\n'));
    t.equal(server.establish(), -Errno.EPROTO);
    t.equal(server.problem, 'http request');
    t.same([judge.judged, judge.failed], [[], [server.session]]);
    t.end();
  });

  t.test(`${version}: what the errno says all of has no words, but an end within the handshake has`, (t) => {
    const cut = pairOf(t, version);
    shutdownWrite(cut.client.fd);
    t.equal(cut.server.establish(), -Errno.ECONNABORTED);
    t.equal(cut.server.problem, 'the peer ended the connection within the TLS handshake');
    const reset = pairOf(t, version);
    setLinger(reset.client.fd, 0);
    reset.client.close();
    t.equal(reset.server.establish(), -Errno.ECONNRESET);
    t.equal(reset.server.problem, '');
    const later = pairOf(t, version);
    establish(later.server, later.client);
    shutdownWrite(later.client.fd);
    t.equal(later.server.read(buffer, 0, 100), -Errno.ECONNABORTED);
    t.equal(later.server.problem, '');
    t.end();
  });

  t.test(`${version}: an end behind more than the socket takes is tried again until it is sent`, (t) => {
    const { server, client } = pairOf(t, version);
    establish(server, client);
    let [sent, received] = [0, 0];
    for (let count = 1; count > 0; sent += Math.max(count, 0)) count = client.write(buffer, 0, 100_000);
    t.equal(client.want, TransportWant.write);
    t.equal(client.shutdownWrite(), -Errno.EAGAIN);
    t.equal(client.want, TransportWant.write);
    let isSent = false;
    for (let round = 0; round < 10_000; round++) {
      const count = server.read(buffer, 0, 65_536);
      if (count > 0) received += count;
      else if (count === 0) break;
      if (!isSent) isSent = client.shutdownWrite() === 0;
    }
    t.ok(isSent);
    // What the last write could not finish was encrypted, and is sent before the end.
    t.ok(received >= sent && received <= sent + 16_384, `${received} of ${sent}`);
    t.equal(receive(server.fd, buffer, 0, 1), 0);
    t.end();
  });

  t.test(`${version}: what a read leaves is pending: data, an end, a failure behind data`, (t) => {
    const ended = pairOf(t, version);
    establish(ended.server, ended.client);
    ended.client.write(buffer, 0, 1000);
    ended.client.shutdownWrite();
    t.equal(ended.server.read(buffer, 0, 400), 400);
    t.equal(ended.server.hasPending, true);
    t.equal(ended.server.read(buffer, 0, 1000), 600);
    t.equal(ended.server.hasPending, true, 'the end was met, and no event tells of it');
    t.equal(ended.server.read(buffer, 0, 1000), 0);
    t.equal(ended.server.hasPending, false);
    const broken = pairOf(t, version);
    establish(broken.server, broken.client);
    broken.client.write(buffer, 0, 10);
    send(broken.client.fd, buffer, 0, buffer.bytes.write('no record at all'));
    t.equal(broken.server.read(buffer, 0, 1000), 10);
    t.equal(broken.server.hasPending, true);
    t.equal(broken.server.read(buffer, 0, 1000), -Errno.EPROTO);
    t.match(broken.server.problem, /wrong version number|packet length|bad record type/);
    t.end();
  });

  t.test(`${version}: a socket that takes no more is read to its last record all the same`, (t) => {
    const { server, client } = pairOf(t, version);
    establish(server, client);
    client.write(buffer, 0, buffer.bytes.write('early'));
    setLinger(client.fd, 0);
    client.close();
    t.equal(server.write(buffer, 100, 100), -Errno.ECONNRESET);
    t.equal(server.write(buffer, 100, 100), -Errno.ECONNRESET, 'and again');
    t.equal(server.look(), 1);
    t.equal(server.read(buffer, 0, 100), 5);
    t.equal(server.problem, '');
    t.end();
  });
}

t.test('closing tells the judge, frees the session once and gives its context back', (t) => {
  const { server, client, judge, contexts } = pairOf(t, 'TLSv1.3');
  establish(server, client);
  t.same(
    contexts.map((context) => context.openSessions),
    [1, 1],
  );
  t.same(judge.closing, []);
  server.close();
  client.close();
  t.same(judge.closing, [true]);
  t.same(
    contexts.map((context) => context.openSessions),
    [0, 0],
  );
  t.end();
});

interface Pair {
  readonly server: TlsTransport;
  readonly client: TlsTransport;
  readonly judge: NotingJudge;
  readonly contexts: readonly TlsContext[];
}

/** Two transports over TCP, of which the server has the judge. */
function pairOf(t: Test, version: VersionName): Pair {
  const [clientFd, serverFd] = connectedPair();
  for (const fd of [clientFd, serverFd]) setNoDelay(fd, true);
  const contexts = (['server', 'client'] as const).map((side) => tlsContext(t, { ...mesh, side, version }));
  const judge = new NotingJudge();
  const server = transportOn(contexts[0]!, serverFd, judge);
  const client = transportOn(contexts[1]!, clientFd);
  const open = new Set([server, client]);
  for (const transport of open) {
    const closeOnce = transport.close.bind(transport);
    transport.close = () => open.delete(transport) && closeOnce();
    t.teardown(() => transport.close());
  }
  return { server, client, judge, contexts };
}

function establish(server: TlsTransport, client: TlsTransport): [number, number] {
  let results: [number, number] = [-Errno.EAGAIN, -Errno.EAGAIN];
  for (let step = 0; step < 100 && results.includes(-Errno.EAGAIN); step++) {
    const [one, other] = results;
    results = [one === -Errno.EAGAIN ? server.establish() : one, other === -Errno.EAGAIN ? client.establish() : other];
    if (results[0] < 0 && results[0] !== -Errno.EAGAIN) break;
  }
  return results;
}

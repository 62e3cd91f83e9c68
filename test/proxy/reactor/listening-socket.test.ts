import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Errno } from '../../../native/errno.ts';
import { raiseFileLimit, setSoftFileLimit } from '../../../native/file-limit.ts';
import { close, duplicate, isNoDelay } from '../../../native/socket.ts';
import { ListeningSocket, type ListeningSocketHandler } from '../../../proxy/reactor/listening-socket.ts';
import { connect, LOOPBACK, listenOn, openDescriptors, startReactor, turns } from '../../support/reactor-fixtures.ts';

class CountingHandler implements ListeningSocketHandler {
  accepted = 0;
  readonly errors: number[] = [];
  onError: (() => void) | undefined;

  onAccept(fd: number): void {
    this.accepted++;
    close(fd);
  }

  onAccepted(): void {}

  onAcceptError(errno: number): void {
    this.errors.push(errno);
    this.onError?.();
  }
}

function unexpected(errno: number): void {
  throw new Error(`accepting failed with errno ${errno}`);
}

t.test('an address in use is a negated errno, and nothing is left open', async (t) => {
  const reactor = startReactor(t);
  const { address } = listenOn(t, reactor);
  const before = openDescriptors();
  t.equal(ListeningSocket.open(reactor, address, {}, new CountingHandler()), -Errno.EADDRINUSE);
  t.equal(openDescriptors(), before);
});

t.test('two sockets share an address when both ask for it', async (t) => {
  const reactor = startReactor(t);
  const options = { reusePort: true };
  const one = ListeningSocket.open(reactor, LOOPBACK, options, new CountingHandler()) as ListeningSocket;
  const other = ListeningSocket.open(reactor, one.localAddress()!, options, new CountingHandler());
  t.ok(other instanceof ListeningSocket);
  one.close();
  (other as ListeningSocket).close();
});

t.test('an IPv6 socket takes IPv4 peers only when told to', async (t) => {
  const reactor = startReactor(t);
  for (const ipv4Compatible of [true, false]) {
    const handler = new CountingHandler();
    const anywhere = { kind: 'ip', ip: '::', port: 0 } as const;
    const socket = ListeningSocket.open(reactor, anywhere, { ipv4Compatible }, handler) as ListeningSocket;
    const { port } = socket.localAddress() as { port: number };
    const client = connect(reactor, { kind: 'ip', ip: '127.0.0.1', port });
    await client.saw(ipv4Compatible ? 'connected' : 'closed error');
    await turns(reactor);
    t.equal(handler.accepted, ipv4Compatible ? 1 : 0);
    client.stream.close();
    socket.close();
  }
});

t.test('an accepted connection sends small writes at once', async (t) => {
  const reactor = startReactor(t);
  const { promise, resolve } = Promise.withResolvers<number>();
  const socket = ListeningSocket.open(
    reactor,
    LOOPBACK,
    {},
    { onAccept: resolve, onAccepted() {}, onAcceptError: unexpected },
  );
  const client = connect(reactor, (socket as ListeningSocket).localAddress()!);
  const fd = await promise;
  t.ok(isNoDelay(fd));
  close(fd);
  client.stream.close();
  (socket as ListeningSocket).close();
});

t.test('a paused socket leaves connections in the backlog', async (t) => {
  const reactor = startReactor(t);
  const handler = new CountingHandler();
  const socket = ListeningSocket.open(reactor, LOOPBACK, {}, handler) as ListeningSocket;
  socket.pause();
  const client = connect(reactor, socket.localAddress()!);
  await client.saw('connected');
  await turns(reactor);
  t.equal(handler.accepted, 0);
  socket.resume();
  await client.saw('end');
  t.equal(handler.accepted, 1);
  client.stream.close();
  socket.close();
  socket.resume();
  t.equal(socket.localAddress(), undefined);
});

t.test('accepts of a turn are bounded, and the rest comes in the next', async (t) => {
  const reactor = startReactor(t);
  const perTurn = new Map<number, number>();
  const reported: number[] = [];
  const handler = new CountingHandler();
  const onAccept = (fd: number) => {
    perTurn.set(reactor.nowMs, (perTurn.get(reactor.nowMs) ?? 0) + 1);
    handler.onAccept(fd);
  };
  const options = { maxAcceptsPerTurn: 3 };
  const socket = ListeningSocket.open(reactor, LOOPBACK, options, {
    onAccept,
    onAccepted: (count) => reported.push(count),
    onAcceptError: unexpected,
  }) as ListeningSocket;
  socket.pause();
  const clients = Array.from({ length: 10 }, () => connect(reactor, socket.localAddress()!));
  await Promise.all(clients.map((client) => client.saw('connected')));
  socket.resume();
  await Promise.all(clients.map((client) => client.saw('end')));
  t.equal(handler.accepted, 10);
  t.same([...perTurn.values()], [3, 3, 3, 1]);
  t.same(reported, [3, 3, 3, 1], 'and told when they are over');
  for (const client of clients) client.stream.close();
  socket.close();
});

t.test('without descriptors accepting stops, does not spin, and goes on later', async (t) => {
  let turnCount = 0;
  const clock = () => {
    turnCount++;
    return performance.now();
  };
  const reactor = startReactor(t, { clock, maxSleepMs: 5 });
  const handler = new CountingHandler();
  const socket = ListeningSocket.open(reactor, LOOPBACK, {}, handler) as ListeningSocket;
  socket.pause();
  const client = connect(reactor, socket.localAddress()!);
  await client.saw('connected');
  const { promise, resolve } = Promise.withResolvers<void>();
  handler.onError = resolve;
  setSoftFileLimit(3);
  socket.resume();
  await promise;
  raiseFileLimit();
  const before = turnCount;
  await client.saw('end');
  t.same(handler.errors, [Errno.EMFILE]);
  t.equal(handler.accepted, 1);
  t.ok(turnCount - before < 100, `${turnCount - before} turns while it could not accept`);
  client.stream.close();
  socket.close();
});

t.test('a Unix socket gets its mode, replaces what an earlier process left, and no other file', async (t) => {
  const reactor = startReactor(t);
  // Not tap's own directory, whose name is longer than the path of a socket may be.
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'a.sock');
  for (const mode of [0o600, 0o666]) {
    const socket = ListeningSocket.open(reactor, { kind: 'pipe', path, mode }, {}, new CountingHandler());
    t.equal(statSync(path).mode & 0o777, mode);
    const client = connect(reactor, { kind: 'pipe', path });
    await client.saw('end');
    client.stream.close();
    (socket as ListeningSocket).close();
    t.ok(existsSync(path), 'left behind');
  }
  const file = join(directory, 'file');
  writeFileSync(file, 'precious');
  t.equal(ListeningSocket.open(reactor, { kind: 'pipe', path: file }, {}, new CountingHandler()), -Errno.EADDRINUSE);
  t.ok(existsSync(file));
  const nowhere = { kind: 'pipe', path: '/nowhere/a.sock' } as const;
  t.equal(ListeningSocket.open(reactor, nowhere, {}, new CountingHandler()), -Errno.ENOENT);
});

t.test('a duplicate goes on accepting after the first is closed', async (t) => {
  const reactor = startReactor(t);
  const first = ListeningSocket.open(reactor, LOOPBACK, {}, new CountingHandler()) as ListeningSocket;
  const address = first.localAddress()!;
  const handler = new CountingHandler();
  const successor = ListeningSocket.adopt(reactor, duplicate(first.fd), {}, handler) as ListeningSocket;
  first.close();
  first.close();
  const client = connect(reactor, address);
  await client.saw('end');
  t.equal(handler.accepted, 1);
  client.stream.close();
  successor.close();
});

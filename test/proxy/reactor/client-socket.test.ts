import t from 'tap';
import { Errno } from '../../../native/errno.ts';
import { bind, close, connect as connectSocket, createSocket, listen, localAddress } from '../../../native/socket.ts';
import { AddressFamily } from '../../../native/socket-address.ts';
import { connect, LOOPBACK, listenOn, startReactor } from '../../support/reactor-fixtures.ts';

t.test('what was written before the connection stood is sent once it does', async (t) => {
  const reactor = startReactor(t);
  const acceptor = listenOn(t, reactor);
  const client = connect(reactor, acceptor.address);
  client.write('early');
  client.stream.endWriting();
  const accepted = await acceptor.next();
  await accepted.saw('end');
  t.equal(accepted.text, 'early');
  client.stream.close();
  accepted.stream.close();
});

t.test('a refused connection is told later, with the errno', async (t) => {
  const reactor = startReactor(t);
  const acceptor = listenOn(t, reactor);
  acceptor.socket.close();
  const client = connect(reactor, acceptor.address);
  t.same(client.events, []);
  await client.saw('closed');
  t.same(client.events, [`closed error ${Errno.ECONNREFUSED}`]);
  t.ok(client.stream.isClosed);
});

t.test('a failure before connecting is told later too', async (t) => {
  const reactor = startReactor(t);
  const missing = connect(reactor, { kind: 'pipe', path: '/nowhere/a.sock' });
  const malformed = connect(reactor, { kind: 'ip', ip: 'nonsense', port: 1 });
  const foreign = connect(reactor, LOOPBACK, { bindAddress: { kind: 'ip', ip: '192.0.2.1', port: 0 } });
  t.same([missing.events, malformed.events, foreign.events], [[], [], []]);
  await Promise.all([missing.saw('closed'), malformed.saw('closed'), foreign.saw('closed')]);
  t.same(missing.events, [`closed error ${Errno.ENOENT}`]);
  t.same(malformed.events, [`closed error ${Errno.EINVAL}`]);
  t.same(foreign.events, [`closed error ${Errno.EADDRNOTAVAIL}`]);
});

t.test('a connection that is not answered times out', async (t) => {
  // A backlog of 0 holds one connection; the kernel drops the SYN of the next.
  const listening = createSocket(AddressFamily.ipv4);
  bind(listening, LOOPBACK);
  listen(listening, 0);
  const address = localAddress(listening)!;
  const fillers = [0, 1].map(() => createSocket(AddressFamily.ipv4));
  for (const filler of fillers) connectSocket(filler, address);
  const client = connect(startReactor(t), address, { connectTimeoutMs: 20 });
  await client.saw('closed');
  t.same(client.events, ['closed connect-timeout']);
  for (const fd of [listening, ...fillers]) close(fd);
});

t.test('closing while connecting is told as our own doing', async (t) => {
  const reactor = startReactor(t);
  const acceptor = listenOn(t, reactor);
  const client = connect(reactor, acceptor.address);
  client.stream.closeGracefully(1000);
  t.ok(client.stream.isClosed);
  await client.saw('closed');
  t.same(client.events, ['closed local']);
  (await acceptor.next()).stream.close();
});

t.test('the source address is bound', async (t) => {
  const reactor = startReactor(t);
  const acceptor = listenOn(t, reactor);
  const client = connect(reactor, acceptor.address, { bindAddress: { kind: 'ip', ip: '127.0.0.7', port: 0 } });
  const accepted = await acceptor.next();
  t.match(accepted.stream.remoteAddress(), { ip: '127.0.0.7' });
  client.stream.close();
  accepted.stream.close();
});

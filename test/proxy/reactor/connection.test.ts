import t from 'tap';
import { Errno } from '../../../native/errno.ts';
import { bind, close, connect as connectSocket, createSocket, listen, localAddress } from '../../../native/socket.ts';
import { AddressFamily } from '../../../native/socket-address.ts';
import {
  connect,
  connectedStreams,
  LOOPBACK,
  listenOn,
  openDescriptors,
  startReactor,
  turns,
} from '../../support/reactor-fixtures.ts';

const PIPE = { kind: 'pipe', path: `@outrigger-connection-test-${process.pid}` } as const;
const IPV6 = { kind: 'ip', ip: '::1', port: 0 } as const;

for (const address of [LOOPBACK, IPV6, PIPE]) {
  t.test(`bytes are echoed over ${address.kind === 'ip' ? address.ip : 'an abstract socket'}`, async (t) => {
    const [client, accepted] = await connectedStreams(t, startReactor(t), address);
    client.write('ping');
    t.equal(await accepted.received(4), 'ping');
    accepted.write('pong');
    t.equal(await client.received(4), 'pong');
    t.same([client.stream.bytesSent, client.stream.bytesReceived], [4, 4]);
    t.same(client.stream.remoteAddress(), accepted.stream.localAddress());
    t.same(accepted.stream.remoteAddress(), client.stream.localAddress());
  });
}

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

t.test('half close works in both directions, and both together close', async (t) => {
  const [client, accepted] = await connectedStreams(t, startReactor(t));
  client.write('request');
  client.stream.endWriting();
  await accepted.saw('end');
  t.equal(accepted.text, 'request');
  t.notOk(accepted.stream.isClosed);
  accepted.write('response');
  accepted.stream.endWriting();
  await Promise.all([client.saw('closed'), accepted.saw('closed')]);
  t.equal(client.text, 'response');
  t.same(client.events, ['connected', 'data 8', 'end', 'closed remote']);
  t.same(accepted.events, ['data 7', 'end', 'closed remote']);
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

t.test('bytes that were not consumed are offered again in front of the next', async (t) => {
  const [client, accepted] = await connectedStreams(t, startReactor(t));
  const offered: string[] = [];
  accepted.consume = (text) => {
    offered.push(text);
    return text.endsWith('.') ? text.length : 0;
  };
  for (const part of ['one', ' two', ' three.']) {
    const next = accepted.next('data');
    client.write(part);
    await next;
  }
  t.same(offered, ['one', 'one two', 'one two three.']);
  t.equal(accepted.text, 'one two three.');
});

t.test('a handler that consumes byte by byte gets every byte once', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  const sent = Array.from({ length: 5000 }, (_, index) => String.fromCharCode(32 + (index % 90))).join('');
  accepted.consume = () => 1;
  accepted.onEvent = () => accepted.stream.resumeReading();
  client.write(sent);
  await accepted.received(sent.length);
  t.equal(accepted.text, sent);
});

t.test('a paused stream keeps what it has and offers it when resumed', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  accepted.consume = () => {
    accepted.stream.pauseReading();
    return 1;
  };
  client.write('abc');
  await accepted.saw('data');
  client.write('def');
  await turns(reactor);
  t.equal(accepted.text, 'a');
  accepted.consume = undefined;
  accepted.stream.resumeReading();
  t.equal(accepted.text, 'a', 'not from inside the call');
  t.equal(await accepted.received(6), 'abcdef');
});

t.test('the end of a paused stream comes after the bytes before it', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  accepted.stream.pauseReading();
  client.write('last words');
  client.stream.endWriting();
  await turns(reactor);
  t.same(accepted.events, []);
  accepted.stream.resumeReading();
  await accepted.saw('end');
  t.same(accepted.events, ['data 10', 'end']);
});

t.test('the end of a paused stream with nothing before it is noticed at once', async (t) => {
  const [client, accepted] = await connectedStreams(t, startReactor(t));
  accepted.stream.pauseReading();
  client.stream.endWriting();
  await accepted.saw('end');
  t.same(accepted.events, ['end']);
});

t.test('bytes kept by a pause inside of onData are offered before the end', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  accepted.consume = () => {
    accepted.stream.pauseReading();
    return 0;
  };
  client.write('kept');
  client.stream.endWriting();
  await accepted.saw('data');
  await turns(reactor);
  t.same(accepted.events, ['data 4'], 'no end yet');
  accepted.consume = undefined;
  accepted.stream.resumeReading();
  await accepted.saw('end');
  t.equal(accepted.text, 'kept');
});

t.test('a reset is told at once, paused or not', async (t) => {
  for (const isPaused of [false, true]) {
    const [client, accepted] = await connectedStreams(t, startReactor(t));
    if (isPaused) accepted.stream.pauseReading();
    client.stream.reset();
    await Promise.all([accepted.saw('closed'), client.saw('closed')]);
    t.same(accepted.events, [`closed error ${Errno.ECONNRESET}`]);
    t.same(client.events, ['connected', 'closed local']);
  }
});

t.test('a reset after the peer’s end is told', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  client.stream.endWriting();
  await accepted.saw('end');
  client.stream.reset();
  await accepted.saw('closed');
  // What Linux says of a reset that follows the peer's FIN (tcp_reset in CLOSE_WAIT).
  t.same(accepted.events, ['end', `closed error ${Errno.EPIPE}`]);
});

t.test('bytes that came before a reset are given out when a write meets it', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  client.stream.pauseReading();
  accepted.write('early response');
  await turns(reactor);
  accepted.stream.reset();
  client.stream.resumeReading();
  // Whether the write or the read meets the reset first, the response is given out and no orderly end is.
  client.write('request body');
  await client.saw('closed');
  t.equal(client.text, 'early response');
  t.notOk(client.events.includes('end'));
  t.match(client.events.at(-1), /^closed error/);
});

t.test('no callback is made from inside a call, and none after the last', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  client.write('x');
  client.stream.endWriting();
  client.stream.resumeReading();
  client.stream.close();
  client.stream.close();
  client.stream.reset();
  client.stream.endWriting();
  client.stream.resumeReading();
  client.write('y');
  client.stream.closeGracefully(1);
  t.same(client.events, ['connected']);
  await client.saw('closed');
  await accepted.saw('end');
  await turns(reactor);
  t.same(client.events, ['connected', 'closed local']);
});

t.test('a handler that closes inside of onData keeps its bytes until it returns', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  accepted.consume = () => 0;
  client.write('first,');
  await accepted.saw('data');
  let seen = '';
  accepted.consume = (text) => {
    accepted.stream.close();
    // Takes buffers from the pool that the kept bytes would go back to.
    client.write('z'.repeat(4_000_000));
    seen = text;
    return text.length;
  };
  client.write('second');
  await accepted.saw('closed');
  t.equal(seen, 'first,second');
});

t.test('a slow reader: what waits is counted, drained and reported once', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  accepted.stream.pauseReading();
  const big = 'b'.repeat(12_000_000);
  client.write(big);
  t.ok(client.stream.pendingWriteBytes > 0);
  t.equal(client.stream.pendingWriteBytes + client.stream.bytesSent, big.length);
  accepted.stream.resumeReading();
  await client.saw('drained');
  t.equal(client.stream.pendingWriteBytes, 0);
  await accepted.received(big.length);
  t.equal(accepted.text, big);
  t.equal(client.events.filter((event) => event === 'drained').length, 1);
});

t.test('a reader that consumes nothing is not read from beyond the bound', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  accepted.consume = () => 0;
  client.write('b'.repeat(12_000_000));
  await turns(reactor, 20);
  t.equal(accepted.stream.bytesReceived, 128 * 1024);
  const before = accepted.events.length;
  await turns(reactor, 5);
  t.equal(accepted.events.length, before, 'and is not offered the same again');
  accepted.consume = undefined;
  accepted.stream.resumeReading();
  t.equal((await accepted.received(12_000_000)).length, 12_000_000);
});

t.test('closing gracefully sends all, then FIN, and discards what still comes', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  const big = 'r'.repeat(8_000_000);
  client.stream.pauseReading();
  accepted.write(big);
  accepted.stream.closeGracefully(60_000);
  client.write('late body that nobody reads');
  client.stream.resumeReading();
  await client.saw('end');
  t.equal(client.text, big, 'no reset has cut it');
  client.stream.close();
  await accepted.saw('closed');
  t.same(accepted.events, ['closed local']);
});

t.test('closing gracefully does not wait longer than it is told to', async (t) => {
  const [client, accepted] = await connectedStreams(t, startReactor(t));
  accepted.stream.closeGracefully(10);
  await accepted.saw('closed');
  t.same(accepted.events, ['closed local']);
  await client.saw('end');
});

t.test('closing gracefully after the peer’s end closes when all is sent', async (t) => {
  const [client, accepted] = await connectedStreams(t, startReactor(t));
  client.stream.endWriting();
  await accepted.saw('end');
  accepted.write('bye');
  accepted.stream.closeGracefully(60_000);
  await Promise.all([accepted.saw('closed'), client.saw('closed')]);
  t.equal(client.text, 'bye');
  t.same(accepted.events, ['end', 'closed local']);
});

t.test('input is seen by a look that takes nothing', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  t.notOk(client.stream.hasInput());
  client.stream.pauseReading();
  accepted.write('unexpected');
  t.ok(client.stream.hasInput());
  client.stream.resumeReading();
  t.equal(await client.received(10), 'unexpected');
  accepted.stream.reset();
  t.ok(client.stream.hasInput());
  await client.saw('closed');
  t.same(client.events.at(-1), `closed error ${Errno.ECONNRESET}`);
});

t.test('a stream may change hands between two reads', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  const [, second] = await connectedStreams(t, reactor);
  client.write('one');
  await accepted.received(3);
  client.stream.handler.onDrained();
  accepted.stream.handler = second;
  client.write('two');
  t.equal(await second.received(3), 'two');
  t.equal(accepted.text, 'one');
});

t.test('a Unix peer that is gone while we are paused costs no turns', async (t) => {
  let reads = 0;
  const clock = () => {
    reads++;
    return performance.now();
  };
  const reactor = startReactor(t, { clock, maxSleepMs: 5 });
  const [client, accepted] = await connectedStreams(t, reactor, PIPE);
  accepted.stream.pauseReading();
  client.write('left behind');
  client.stream.close();
  await client.saw('closed');
  await turns(reactor, 2);
  const before = reads;
  await turns(reactor, 20);
  t.ok(reads - before < 100, `${reads - before} turns in 20 ms`);
  accepted.stream.resumeReading();
  await accepted.saw('end');
  t.equal(accepted.text, 'left behind');
});

t.test('a thousand connections leave no descriptor behind', async (t) => {
  const reactor = startReactor(t);
  const acceptor = listenOn(t, reactor);
  await turns(reactor);
  const before = openDescriptors();
  for (let round = 0; round < 20; round++) {
    await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const client = connect(reactor, acceptor.address);
        const accepted = await acceptor.next();
        await client.saw('connected');
        client.write('x');
        await accepted.received(1);
        if (index % 3 === 0) client.stream.reset();
        else if (index % 3 === 1) client.stream.close();
        else client.stream.closeGracefully(1000);
        accepted.onEvent = (event) => event === 'end' && accepted.stream.close();
        if (accepted.events.includes('end')) accepted.stream.close();
        await Promise.all([client.saw('closed'), accepted.saw('closed')]);
      }),
    );
  }
  t.equal(openDescriptors(), before);
});

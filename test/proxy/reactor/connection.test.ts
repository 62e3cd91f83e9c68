import t from 'tap';
import { Errno } from '../../../native/errno.ts';
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

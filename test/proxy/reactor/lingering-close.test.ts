import t from 'tap';
import { connectedStreams, startReactor, turns } from '../../support/reactor-fixtures.ts';
import { threadNowMs } from '../../support/thread-time.ts';

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

t.test('a slow peer is not cut when the time is over, and has it once all is sent', async (t) => {
  let skippedMs = 0;
  const reactor = startReactor(t, { clock: () => threadNowMs() + skippedMs });
  const [client, accepted] = await connectedStreams(t, reactor);
  const big = 'r'.repeat(12_000_000);
  client.stream.pauseReading();
  accepted.write(big);
  accepted.stream.closeGracefully(0);
  skippedMs += 20_000;
  await turns(reactor);
  t.ok(accepted.stream.pendingWriteBytes > 0);
  client.stream.resumeReading();
  await client.saw('end');
  t.equal(client.text.length, big.length);
  await accepted.saw('closed');
});

t.test('a peer that takes nothing is given up', async (t) => {
  let skippedMs = 0;
  const reactor = startReactor(t, { clock: () => threadNowMs() + skippedMs });
  const [client, accepted] = await connectedStreams(t, reactor);
  client.stream.pauseReading();
  accepted.write('r'.repeat(12_000_000));
  accepted.stream.closeGracefully(10);
  await turns(reactor);
  t.same(accepted.events, []);
  skippedMs += 30_001;
  await accepted.saw('closed');
  t.same(accepted.events, ['closed local']);
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

t.test('closing gracefully at the peer’s end costs no turns while bytes wait', async (t) => {
  let clockReads = 0;
  const clock = () => {
    clockReads++;
    return performance.now();
  };
  const reactor = startReactor(t, { clock, maxSleepMs: 5 });
  const [client, accepted] = await connectedStreams(t, reactor);
  client.stream.pauseReading();
  accepted.onEvent = (event) => {
    if (event !== 'end') return;
    accepted.write('r'.repeat(12_000_000));
    accepted.stream.closeGracefully(60_000);
  };
  client.stream.endWriting();
  await accepted.saw('end');
  await turns(reactor, 3);
  const before = clockReads;
  await turns(reactor, 20);
  t.ok(clockReads - before < 100, `${clockReads - before} turns in 20 ms`);
  client.stream.resumeReading();
  await client.received(12_000_000);
  await accepted.saw('closed');
  t.equal(accepted.events.at(-1), 'closed local');
});

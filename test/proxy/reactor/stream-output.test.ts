import t from 'tap';
import { connectedStreams, startReactor } from '../../support/reactor-fixtures.ts';

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

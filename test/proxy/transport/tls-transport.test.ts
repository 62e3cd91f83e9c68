import t from 'tap';
import { startReactor, turns } from '../../support/reactor-fixtures.ts';
import { certified, tlsStreams } from '../../support/tls-streams.ts';

const mesh = certified(t);

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  t.test(`${version}: bytes and ends go both ways`, async (t) => {
    const reactor = startReactor(t);
    const [client, accepted] = await tlsStreams(t, reactor, mesh, { version });
    client.write('ping');
    t.equal(await accepted.received(4), 'ping');
    accepted.write('pong');
    t.equal(await client.received(4), 'pong');
    client.stream.endWriting();
    await accepted.saw('end');
    accepted.write('!');
    t.equal(await client.received(5), 'pong!');
    accepted.stream.endWriting();
    await Promise.all([client.saw('closed'), accepted.saw('closed')]);
    await turns(reactor);
    t.same(client.events, ['connected', 'data 4', 'data 1', 'end', 'closed remote']);
    t.same(accepted.events, ['connected', 'data 4', 'end', 'closed remote']);
  });
}

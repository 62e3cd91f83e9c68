// When a resource is waited for, held, renewed and gone, where two things come together: a name beside the wildcard, a time to
// live and a removal, an alias and a time to wait.

import t from 'tap';
import { playedClient } from '../../support/discovery-fixtures.ts';
import { clusterType, type Protocol, routeType } from '../../support/discovery-messages.ts';

function started(protocol: Protocol, names: readonly string[], type = clusterType) {
  const played = playedClient(protocol, [clusterType, routeType]);
  for (const name of names) played.client.subscribe(type, name, 1000);
  played.client.start();
  played.time.endTurn();
  const stream = played.transport.last;
  stream.take();
  return { ...played, stream, consumer: played.consumers.get(type)! };
}

const mortal = { name: 'a', isWrapped: true, version: '1', ttlMs: 5000 };

t.test('a time to live ends, too, when only the wildcard still covers the name', async (t) => {
  const { stream, client, time, consumer } = started('delta', ['*', 'a']);
  stream.respond({ type: clusterType, nonce: 'n1', resources: [mortal] });
  client.unsubscribe(clusterType, 'a');
  time.endTurn();
  consumer.take();
  time.advance(5000);
  t.same(consumer.take(), ['-a']);
});

t.test('what was removed does not expire any more, also when it is there again', async (t) => {
  const { stream, time, consumer, logged } = started('delta', ['*']);
  stream.respond({ type: clusterType, nonce: 'n1', resources: [mortal] });
  stream.respond({ type: clusterType, nonce: 'n2', resources: [], removed: ['a'] });
  t.same(consumer.take(), ['+a@1', '-a']);
  const before = logged.length;
  time.advance(10_000);
  t.same(consumer.take(), []);
  t.equal(logged.length, before, 'nor is that told');
});

t.test('a name that comes and is removed in one response is refused, and what is held of it stays', async (t) => {
  const { stream, consumer } = started('delta', ['*']);
  stream.respond({ type: clusterType, nonce: 'n1', resources: [{ name: 'a', isWrapped: true, version: '1' }] });
  consumer.take();
  stream.respond({
    type: clusterType,
    nonce: 'n2',
    resources: [{ name: 'a', isWrapped: true, version: '2' }],
    removed: ['a', 'b'],
  });
  t.same(consumer.take(), ['-b']);
  t.same([...consumer.held], [['a', '1']]);
  t.match(stream.take(), [{ nonce: 'n1' }, { nonce: 'n2', error: 'a: is in the response more than once' }]);
});

t.test('who asked by an alias has its answer, and waits no longer', async (t) => {
  const { stream, time, consumer } = started('delta', ['r/alias'], routeType);
  stream.respond({ type: routeType, nonce: 'n1', resources: [{ name: 'r/real', aliases: ['r/alias'] }] });
  consumer.take();
  time.advance(10_000);
  t.same(consumer.take(), []);
});

for (const protocol of ['delta', 'state-of-the-world'] as const) {
  t.test(`${protocol}: a response that could not be answered is not shown as acknowledged`, async (t) => {
    const { stream, client } = started(protocol, ['*']);
    stream.respond({ type: clusterType, nonce: '', version: '7', resources: [{ name: 'a' }] });
    const [type] = client.status().types;
    t.equal(type?.responses, 1);
    t.equal(type?.lastAck, undefined);
    stream.respond({ type: clusterType, nonce: 'n1', version: '8', resources: [{ name: 'a' }] });
    t.equal(client.status().types[0]?.lastAck?.version, '8');
  });
}

t.test('a wildcard that is let go and wanted again within a turn is told as both, once each', async (t) => {
  const { stream, client, time } = started('delta', ['*']);
  client.unsubscribe(clusterType, '*');
  client.subscribe(clusterType, '*', 0);
  time.endTurn();
  t.same(stream.take(), [
    { type: clusterType, unsubscribe: ['*'] },
    { type: clusterType, subscribe: ['*'] },
  ]);
});

// When a resource is waited for, held, renewed and gone, where two things come together: a name beside the wildcard, a time to
// live and a removal, an alias and a time to wait.

import t from 'tap';
import { playedClient } from '../../support/discovery-fixtures.ts';
import { clusterType, type Protocol, routeType } from '../../support/discovery-messages.ts';
import { onlyItems } from '../../support/only-items.ts';

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
  t.match(stream.take(), onlyItems({ nonce: 'n1' }, { nonce: 'n2', error: 'a: is in the response more than once' }));
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

/** Clusters whose large responses are decoded while the test lets time pass, with such a response under way. */
function decoding(names: readonly string[]) {
  const played = started('delta', ['*', ...names]);
  const { client, time, stream, consumers } = played;
  client.subscribe(routeType, 'r', 0);
  time.endTurn();
  consumers.get(routeType)!.prepare = function* slowSteps() {
    for (let step = 0; step < 9; step++) {
      time.nowMs += 10;
      yield;
    }
  };
  const decode = (nonce: string) =>
    stream.respond({ type: routeType, nonce, resources: [{ name: 'r', text: 'x'.repeat(40_000) }] });
  const endSlices = () => {
    for (let turn = 0; turn < 20; turn++) time.endTurn();
  };
  return { ...played, decode, endSlices };
}

t.test('what was renewed in time does not expire while the renewal waits for its turn', async (t) => {
  const { stream, time, consumer, decode, endSlices } = decoding([]);
  stream.respond({ type: clusterType, nonce: 'n1', resources: [mortal] });
  consumer.take();
  time.advance(4900);
  decode('n2');
  stream.respond({ type: clusterType, nonce: 'n3', resources: [{ ...mortal, isHeartbeat: true }] });
  time.advance(110);
  t.same(consumer.take(), []);
  endSlices();
  t.same(consumer.take(), ['~a']);
  time.advance(4999);
  t.same(consumer.take(), []);
  time.advance(1);
  t.same(consumer.take(), ['-a']);
});

t.test('a name that came in time is not late while its response waits for its turn, and another is', async (t) => {
  const { stream, time, consumer, logged, decode, endSlices } = decoding(['a', 'b']);
  time.advance(990);
  decode('n1');
  stream.respond({ type: clusterType, nonce: 'n2', resources: [{ name: 'a', isWrapped: true, version: '1' }] });
  time.advance(20);
  decode('n3');
  stream.respond({ type: clusterType, nonce: 'n4', resources: [] });
  t.same(consumer.take(), []);
  endSlices();
  t.same(consumer.take(), ['+a@1', '?b']);
  t.equal(logged.filter((line) => line.includes('did not come')).length, 1);
});

// The rules of the state-of-the-world protocol, each through a client whose stream the test plays.

import t from 'tap';
import { playedClient } from '../../support/discovery-fixtures.ts';
import { clusterType, endpointType, listenerType, routeType } from '../../support/discovery-messages.ts';

const types = [clusterType, endpointType, listenerType, routeType];

function started(subscribed: readonly (readonly [type: string, name: string])[]) {
  const played = playedClient('state-of-the-world', types);
  for (const [type, name] of subscribed) played.client.subscribe(type, name, 0);
  played.client.start();
  played.time.endTurn();
  return { ...played, stream: played.transport.last };
}

t.test('clusters and listeners are subscribed to as a whole by an empty first request, others by name', async (t) => {
  const { stream } = started([
    [clusterType, '*'],
    [endpointType, 'a'],
    [endpointType, 'b'],
    [listenerType, '*'],
  ]);
  t.same(stream.take(), [
    { type: clusterType, node: 'me' },
    { type: endpointType, names: ['a', 'b'] },
    { type: listenerType },
  ]);
});

t.test('the wildcard is written out beside names, and where an empty request would not be one', async (t) => {
  const { stream, client, time } = started([
    [clusterType, '*'],
    [clusterType, 'a'],
    [endpointType, '*'],
    [listenerType, '*'],
  ]);
  t.same(stream.take(), [
    { type: clusterType, node: 'me', names: ['*', 'a'] },
    { type: endpointType, names: ['*'] },
    { type: listenerType },
  ]);
  client.subscribe(listenerType, 'l', 0);
  time.endTurn();
  for (const name of ['*', 'l']) client.unsubscribe(listenerType, name);
  time.endTurn();
  t.same(stream.take(), [{ type: listenerType, names: ['*', 'l'] }, { type: listenerType }]);
});

t.test('an acknowledgement echoes version and nonce, and has the names of before', async (t) => {
  const { stream, client, time, consumers } = started([[endpointType, 'a']]);
  stream.take();
  consumers.get(endpointType)!.onTold = () => client.subscribe(endpointType, 'b', 0);
  stream.respond({ type: endpointType, version: '1', nonce: 'n1', resources: [{ name: 'a' }] });
  t.same(stream.take(), [{ type: endpointType, version: '1', nonce: 'n1', names: ['a'] }]);
  time.endTurn();
  t.same(stream.take(), [{ type: endpointType, version: '1', nonce: 'n1', names: ['a', 'b'] }], 'then the change');
});

t.test('a refusal has the last accepted version', async (t) => {
  const { stream, consumers } = started([[clusterType, '*']]);
  const consumer = consumers.get(clusterType)!;
  stream.take();
  stream.respond({ type: clusterType, version: '1', nonce: 'n1', resources: [{ name: 'a' }] });
  consumer.refuses.set('a', [{ path: 'type', message: 'is odd' }]);
  stream.respond({ type: clusterType, version: '2', nonce: 'n2', resources: [{ name: 'a' }, { name: 'b' }] });
  consumer.refuses.clear();
  stream.respond({ type: clusterType, version: '3', nonce: 'n3', resources: [{ name: 'a' }, { name: 'b' }] });
  t.same(stream.take(), [
    { type: clusterType, version: '1', nonce: 'n1' },
    { type: clusterType, version: '1', nonce: 'n2', error: 'a: type: is odd' },
    { type: clusterType, version: '3', nonce: 'n3' },
  ]);
  t.same(consumer.take(), ['+a@1', '+b@2', '+a@3', '+b@3'], 'what is right of a refused response applies');
});

t.test('the first response may be refused, and then there is no version to name', async (t) => {
  const { stream, consumers } = started([[clusterType, '*']]);
  consumers.get(clusterType)!.refuses.set('a', [{ path: '', message: 'no' }]);
  stream.take();
  stream.respond({ type: clusterType, version: '1', nonce: 'n1', resources: [{ name: 'a' }] });
  t.same(stream.take(), [{ type: clusterType, nonce: 'n1', error: 'a: no' }]);
});

t.test('a response without a nonce is applied and not answered', async (t) => {
  const { stream, consumers } = started([[clusterType, '*']]);
  stream.take();
  stream.respond({ type: clusterType, version: '1', resources: [{ name: 'a' }] });
  t.same(stream.take(), []);
  t.same(consumers.get(clusterType)!.take(), ['+a@1'], 'with the version of the response');
});

t.test('clusters that a response lacks are gone, endpoints are not', async (t) => {
  const { stream, consumers } = started([
    [clusterType, '*'],
    [endpointType, 'a'],
    [endpointType, 'b'],
  ]);
  for (const type of [clusterType, endpointType]) {
    stream.respond({ type, version: '1', nonce: 'n1', resources: [{ name: 'a' }, { name: 'b' }] });
    stream.respond({ type, version: '2', nonce: 'n2', resources: [{ name: 'b' }] });
    stream.respond({ type, version: '3', nonce: 'n3' });
  }
  t.same(consumers.get(clusterType)!.take(), ['+a@1', '+b@1', '+b@2', '-a', '-b']);
  t.same(consumers.get(endpointType)!.take(), ['+a@1', '+b@1', '+b@2']);
});

t.test('a refused cluster is not gone, nor is any while a resource does not say its name', async (t) => {
  const { stream, consumers } = started([[clusterType, '*']]);
  const consumer = consumers.get(clusterType)!;
  const resources = [{ name: 'a' }, { name: 'b' }];
  stream.respond({ type: clusterType, version: '1', nonce: 'n1', resources });
  consumer.take();
  consumer.refuses.set('a', [{ path: '', message: 'no' }]);
  stream.respond({ type: clusterType, version: '2', nonce: 'n2', resources });
  t.same(consumer.take(), ['+b@2']);
  stream.take();
  stream.respond({ type: clusterType, version: '3', nonce: 'n3', resources: [{ name: '' }, { name: 'b' }] });
  t.same(consumer.take(), ['+b@3']);
  t.same(stream.take(), [{ type: clusterType, version: '1', nonce: 'n3', error: 'resources[0]: has no name' }]);
});

t.test('a cluster that never was accepted is gone when a response lacks it', async (t) => {
  const { stream, consumers } = started([[clusterType, '*']]);
  const consumer = consumers.get(clusterType)!;
  consumer.refuses.set('a', [{ path: '', message: 'no' }]);
  stream.respond({ type: clusterType, version: '1', nonce: 'n1', resources: [{ name: 'a' }] });
  stream.respond({ type: clusterType, version: '2', nonce: 'n2', resources: [{ name: 'b' }] });
  t.same(consumer.take(), ['+b@2', '-a']);
  stream.respond({ type: clusterType, version: '3', nonce: 'n3', resources: [{ name: 'b' }] });
  t.same(consumer.take(), ['+b@3']);
});

t.test('a refused cluster that only the wildcard asks for any more is gone when a response lacks it', async (t) => {
  const { stream, client, time, consumers } = started([
    [clusterType, '*'],
    [clusterType, 'a'],
    [clusterType, 'b'],
  ]);
  const consumer = consumers.get(clusterType)!;
  consumer.refuses.set('a', [{ path: '', message: 'no' }]).set('b', [{ path: '', message: 'no' }]);
  stream.respond({ type: clusterType, version: '1', nonce: 'n1', resources: [{ name: 'a' }, { name: 'b' }] });
  client.unsubscribe(clusterType, 'a');
  time.endTurn();
  stream.respond({ type: clusterType, version: '2', nonce: 'n2' });
  t.same(consumer.take(), ['-a', '-b', '?b']);
});

t.test('a refused cluster that nobody asks for any more is not told to be gone', async (t) => {
  const { stream, client, time, consumers } = started([
    [clusterType, 'a'],
    [clusterType, 'b'],
  ]);
  const consumer = consumers.get(clusterType)!;
  consumer.refuses.set('a', [{ path: '', message: 'no' }]);
  stream.respond({ type: clusterType, version: '1', nonce: 'n1', resources: [{ name: 'a' }, { name: 'b' }] });
  client.unsubscribe(clusterType, 'a');
  time.endTurn();
  client.subscribe(clusterType, '*', 0);
  time.endTurn();
  stream.respond({ type: clusterType, version: '2', nonce: 'n2', resources: [{ name: 'b' }] });
  t.same(consumer.take(), ['+b@1', '+b@2']);
});

t.test('a cluster that is asked for by name and missing does not exist', async (t) => {
  const { stream, consumers } = started([
    [clusterType, 'a'],
    [clusterType, 'b'],
  ]);
  stream.respond({ type: clusterType, version: '1', nonce: 'n1', resources: [{ name: 'b' }] });
  t.same(consumers.get(clusterType)!.take(), ['+b@1', '-a', '?a']);
});

t.test('a reconnect has the last accepted version, and no nonce', async (t) => {
  const { stream, transport, time } = started([
    [clusterType, '*'],
    [endpointType, 'a'],
  ]);
  stream.respond({ type: clusterType, version: '7', nonce: 'n1', resources: [{ name: 'a' }] });
  stream.respond({ type: endpointType, version: '8', nonce: 'n2', resources: [{ name: 'a' }] });
  stream.end();
  time.advance(30_000);
  t.same(transport.last.take(), [
    { type: clusterType, node: 'me', version: '7' },
    { type: endpointType, version: '8', names: ['a'] },
  ]);
});

t.test('a reconnect has no version while a name is missing that it could cover', async (t) => {
  const { stream, transport, time, client } = started([[endpointType, 'a']]);
  stream.respond({ type: endpointType, version: '8', nonce: 'n1', resources: [{ name: 'a' }] });
  stream.end();
  client.subscribe(endpointType, 'b', 0);
  time.advance(30_000);
  t.same(transport.last.take(), [{ type: endpointType, node: 'me', names: ['a', 'b'] }]);
});

t.test('a reconnect has no version for a name that was let go and did not come again since', async (t) => {
  const { stream, transport, time, client } = started([[endpointType, 'a']]);
  stream.respond({ type: endpointType, version: '8', nonce: 'n1', resources: [{ name: 'a' }] });
  for (const change of ['unsubscribe', 'subscribe'] as const) {
    client[change](endpointType, 'a', 0);
    time.endTurn();
  }
  stream.end();
  time.advance(30_000);
  t.same(transport.last.take(), [{ type: endpointType, node: 'me', names: ['a'] }]);
});

t.test('a cluster of which the last state was refused is gone once when a response lacks it', async (t) => {
  const { stream, consumers } = started([[clusterType, '*']]);
  const consumer = consumers.get(clusterType)!;
  stream.respond({ type: clusterType, version: '1', nonce: 'n1', resources: [{ name: 'a' }] });
  consumer.refuses.set('a', [{ path: '', message: 'no' }]);
  stream.respond({ type: clusterType, version: '2', nonce: 'n2', resources: [{ name: 'a' }] });
  stream.respond({ type: clusterType, version: '3', nonce: 'n3' });
  t.same(consumer.take(), ['+a@1', '-a']);
});

t.test('letting go of all names is an empty request, and not the first one', async (t) => {
  const { stream, client, time, transport } = started([[clusterType, 'a']]);
  stream.respond({ type: clusterType, version: '1', nonce: 'n1', resources: [{ name: 'a' }] });
  stream.take();
  client.unsubscribe(clusterType, 'a');
  time.endTurn();
  t.same(stream.take(), [{ type: clusterType, version: '1', nonce: 'n1' }]);
  stream.end();
  time.advance(30_000);
  t.same(transport.last.take(), [], 'which would ask for everything');
});

t.test('what an empty first request implied cannot be taken back, and is passed over', async (t) => {
  const { stream, client, time, consumers } = started([[clusterType, '*']]);
  stream.take();
  client.unsubscribe(clusterType, '*');
  time.endTurn();
  t.same(stream.take(), []);
  stream.respond({ type: clusterType, version: '1', nonce: 'n1', resources: [{ name: 'a' }] });
  t.same(consumers.get(clusterType)!.take(), []);
  t.same(stream.take(), [{ type: clusterType, version: '1', nonce: 'n1' }]);
  client.subscribe(clusterType, '*', 0);
  time.endTurn();
  t.same(stream.take(), [{ type: clusterType, version: '1', nonce: 'n1', names: ['*'] }], 'and is said to be wanted');
});

t.test('a name that is let go and wanted again within a turn is told as both', async (t) => {
  const { stream, client, time } = started([
    [endpointType, 'a'],
    [endpointType, 'b'],
  ]);
  stream.take();
  client.unsubscribe(endpointType, 'a');
  client.subscribe(endpointType, 'a', 0);
  time.endTurn();
  t.same(stream.take(), [
    { type: endpointType, names: ['b'] },
    { type: endpointType, names: ['b', 'a'] },
  ]);
});

t.test('a heartbeat renews, and says nothing of what it does not name', async (t) => {
  const { stream, consumers, time } = started([[clusterType, '*']]);
  const consumer = consumers.get(clusterType)!;
  const resources = [{ name: 'a', version: '1', isWrapped: true, ttlMs: 10_000 }, { name: 'b' }];
  stream.respond({ type: clusterType, version: '1', nonce: 'n1', resources });
  time.advance(8000);
  const beat = { name: 'a', version: '1', isWrapped: true, ttlMs: 10_000, isHeartbeat: true };
  stream.respond({ type: clusterType, version: '1', nonce: 'n2', resources: [beat] });
  t.same(consumer.take(), ['+a@1', '+b@1', '~a']);
  time.advance(9000);
  t.same(consumer.take(), []);
  time.advance(1000);
  t.same(consumer.take(), ['-a']);
});

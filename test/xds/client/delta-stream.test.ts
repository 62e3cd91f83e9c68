// The rules of the incremental protocol, each through a client whose stream the test plays.

import t from 'tap';
import { playedClient } from '../../support/discovery-fixtures.ts';
import { clusterType, endpointType, listenerType, routeType } from '../../support/discovery-messages.ts';

const types = [clusterType, endpointType, listenerType, routeType];

function started(subscribed: readonly (readonly [type: string, name: string])[]) {
  const played = playedClient('delta', types);
  for (const [type, name] of subscribed) played.client.subscribe(type, name, 0);
  played.client.start();
  played.time.endTurn();
  return { ...played, stream: played.transport.last };
}

t.test('clusters and listeners are subscribed to as a whole by an empty first request', async (t) => {
  const { stream } = started([
    [clusterType, '*'],
    [listenerType, '*'],
  ]);
  t.same(stream.take(), [{ type: clusterType, node: 'me' }, { type: listenerType }]);
});

t.test('the wildcard is written out beside names', async (t) => {
  const { stream } = started([
    [clusterType, '*'],
    [clusterType, 'a'],
  ]);
  t.same(stream.take(), [{ type: clusterType, node: 'me', subscribe: ['*', 'a'] }]);
});

t.test('the wildcard is written out when names come after an empty first request', async (t) => {
  const { stream, client, time } = started([[clusterType, '*']]);
  stream.take();
  client.subscribe(clusterType, 'a', 0);
  time.endTurn();
  t.same(stream.take(), [{ type: clusterType, subscribe: ['*', 'a'] }]);
  client.subscribe(clusterType, 'b', 0);
  time.endTurn();
  t.same(stream.take(), [{ type: clusterType, subscribe: ['b'] }], 'once');
});

t.test('the wildcard is let go by its name, and names beside it stay', async (t) => {
  const { stream, client, time } = started([
    [clusterType, '*'],
    [clusterType, 'a'],
  ]);
  stream.take();
  client.unsubscribe(clusterType, '*');
  time.endTurn();
  t.same(stream.take(), [{ type: clusterType, unsubscribe: ['*'] }]);
  t.same(client.status().types[0]?.subscribed, ['a']);
});

t.test('a wildcard that an empty first request implied is let go by its name, and not asked for again', async (t) => {
  const { stream, client, time } = started([[clusterType, '*']]);
  stream.take();
  client.unsubscribe(clusterType, '*');
  client.subscribe(clusterType, 'a', 0);
  time.endTurn();
  t.same(stream.take(), [{ type: clusterType, subscribe: ['a'], unsubscribe: ['*'] }]);
});

t.test('endpoints and routes are never asked for by an empty request', async (t) => {
  const { stream, client, time, transport } = started([[endpointType, '*']]);
  t.same(stream.take(), [{ type: endpointType, node: 'me', subscribe: ['*'] }], 'not even for all of them');
  client.unsubscribe(endpointType, '*');
  client.subscribe(routeType, 'r', 0);
  client.unsubscribe(routeType, 'r');
  time.endTurn();
  t.same(stream.take(), [{ type: endpointType, unsubscribe: ['*'] }], 'nor for what was wanted for less than a turn');
  stream.end();
  time.advance(30_000);
  t.same(transport.last.take(), [], 'nor on the next stream');
});

t.test('unsubscribing from everything is not the wildcard', async (t) => {
  const { stream, client, time } = started([[clusterType, 'a']]);
  stream.take();
  client.unsubscribe(clusterType, 'a');
  time.endTurn();
  t.same(stream.take(), [{ type: clusterType, unsubscribe: ['a'] }]);
});

t.test('every response is acknowledged by its nonce, in order', async (t) => {
  const { stream } = started([[clusterType, '*']]);
  stream.take();
  stream.respond({ type: clusterType, nonce: 'n1', resources: [{ name: 'a' }] });
  stream.respond({ type: clusterType, nonce: 'n2' });
  stream.respond({ type: clusterType, nonce: 'n3', removed: ['a'] });
  t.same(stream.take(), [
    { type: clusterType, nonce: 'n1' },
    { type: clusterType, nonce: 'n2' },
    { type: clusterType, nonce: 'n3' },
  ]);
});

t.test('a subscription change has no nonce and does not ride in an acknowledgement', async (t) => {
  const { stream, client, consumers, time } = started([[clusterType, '*']]);
  stream.take();
  consumers.get(clusterType)!.onTold = () => {
    client.subscribe(endpointType, 'a', 0);
    client.subscribe(clusterType, 'more', 0);
  };
  stream.respond({ type: clusterType, nonce: 'n1', resources: [{ name: 'a' }] });
  t.same(stream.take(), [{ type: clusterType, nonce: 'n1' }]);
  time.endTurn();
  t.same(stream.take(), [
    { type: endpointType, subscribe: ['a'] },
    { type: clusterType, subscribe: ['*', 'more'] },
  ]);
});

t.test('a subscription change is sent whatever nonces are under way', async (t) => {
  const { stream, client, time } = started([[endpointType, 'a']]);
  stream.respond({ type: endpointType, nonce: 'n1', resources: [{ name: 'a' }] });
  stream.take();
  client.subscribe(endpointType, 'b', 0);
  stream.respond({ type: endpointType, nonce: 'n2', resources: [{ name: 'a' }] });
  time.endTurn();
  t.same(stream.take(), [
    { type: endpointType, nonce: 'n2' },
    { type: endpointType, subscribe: ['b'] },
  ]);
});

t.test('a refusal has the nonce and names every problem, and the rest of the response applies', async (t) => {
  const { stream, consumers } = started([[clusterType, '*']]);
  const consumer = consumers.get(clusterType)!;
  consumer.refuses.set('bad', [
    { path: 'lb_policy', message: 'is odd' },
    { path: 'type', message: 'is odder' },
  ]);
  consumer.refuses.set('worse', [{ path: '', message: 'is unknown' }]);
  stream.take();
  const resources = [{ name: 'bad' }, { name: 'good', version: '1' }, { name: 'worse' }];
  stream.respond({ type: clusterType, nonce: 'n1', resources });
  t.same(stream.take(), [
    { type: clusterType, nonce: 'n1', error: 'bad: lb_policy: is odd\nbad: type: is odder\nworse: is unknown' },
  ]);
  t.same(consumer.take(), ['+good@1']);
});

t.test('a response without a nonce is applied and not answered', async (t) => {
  const { stream, consumers, logged, client } = started([[clusterType, '*']]);
  stream.take();
  consumers.get(clusterType)!.refuses.set('bad', [{ path: '', message: 'no' }]);
  stream.respond({ type: clusterType, resources: [{ name: 'bad' }, { name: 'good', version: '1' }] });
  t.same(stream.take(), [], 'a refusal would be the first request with an error');
  t.same(consumers.get(clusterType)!.take(), ['+good@1']);
  t.match(logged.join(), /without a nonce/);
  t.equal(client.status().types[0]?.lastNack, undefined);
});

t.test('a response of a type that was not asked for gets no answer and one warning', async (t) => {
  const { stream, consumers, logged } = started([[clusterType, '*']]);
  stream.take();
  stream.respond({ type: endpointType, nonce: 'n1', resources: [{ name: 'a' }] });
  stream.respond({ type: endpointType, nonce: 'n2', resources: [{ name: 'a' }] });
  stream.respond({ type: 'type.googleapis.com/unknown.Type', nonce: 'n3' });
  t.same(stream.take(), []);
  t.same(consumers.get(endpointType)!.take(), []);
  t.equal(logged.filter((line) => line.startsWith('warning passed over')).length, 2);
});

t.test('a reconnect tells everything anew, with the versions of exactly what is held', async (t) => {
  const { stream, client, transport, time, consumers } = started([
    [clusterType, '*'],
    [endpointType, 'a'],
    [endpointType, 'b'],
  ]);
  consumers.get(clusterType)!.refuses.set('bad', [{ path: '', message: 'no' }]);
  stream.respond({
    type: clusterType,
    nonce: 'n1',
    resources: [{ name: 'a', version: '1' }, { name: 'b' }, { name: 'bad', version: '9' }, { name: 'gone' }],
  });
  stream.respond({ type: clusterType, nonce: 'n2', removed: ['gone'] });
  stream.respond({ type: endpointType, nonce: 'n3', resources: [{ name: 'a', version: '5' }] });
  stream.end();
  client.subscribe(routeType, 'r', 0);
  time.advance(30_000);
  t.same(transport.last.take(), [
    { type: clusterType, node: 'me', initialVersions: { a: '1', b: '' } },
    { type: endpointType, subscribe: ['a', 'b'], initialVersions: { a: '5' } },
    { type: routeType, subscribe: ['r'] },
  ]);
});

t.test('what was kept from an earlier run is named in the first request', async (t) => {
  const { client, transport, consumers } = playedClient('delta', types);
  consumers.get(clusterType)!.held.set('a', '1');
  consumers.get(endpointType)!.held.set('a', '2').set('b', '3');
  client.subscribe(clusterType, '*', 0);
  client.subscribe(endpointType, 'a', 0);
  client.start();
  t.same(transport.last.take(), [
    { type: clusterType, node: 'me', initialVersions: { a: '1' } },
    { type: endpointType, subscribe: ['a'], initialVersions: { a: '2' } },
  ]);
});

t.test('nothing is told of what is held where resources have no names on the wire', async (t) => {
  const nameTableType = 'type.googleapis.com/istio.networking.nds.v1.NameTable';
  const { client, transport, consumers } = playedClient('delta', [nameTableType]);
  consumers.get(nameTableType)!.held.set('names', '');
  client.subscribe(nameTableType, '*', 0);
  client.start();
  t.same(transport.last.take(), [{ type: nameTableType, node: 'me', subscribe: ['*'] }]);
});

t.test('versions are told in the first request of a type only', async (t) => {
  const { stream, client, time, consumers } = started([[endpointType, 'a']]);
  stream.take();
  consumers.get(routeType)!.held.set('r', '1');
  client.subscribe(routeType, 'r', 0);
  time.endTurn();
  t.same(stream.take(), [{ type: routeType, subscribe: ['r'], initialVersions: { r: '1' } }], 'late on the stream');
  consumers.get(endpointType)!.held.set('b', '1');
  client.subscribe(endpointType, 'b', 0);
  time.endTurn();
  t.same(stream.take(), [{ type: endpointType, subscribe: ['b'] }]);
});

t.test('a name that was let go has no version, even if it is wanted again', async (t) => {
  const { stream, client, transport, time } = started([
    [endpointType, 'a'],
    [endpointType, 'b'],
    [endpointType, 'c'],
  ]);
  const resources = ['a', 'b', 'c'].map((name) => ({ name, version: '1' }));
  stream.respond({ type: endpointType, nonce: 'n1', resources });
  client.unsubscribe(endpointType, 'a');
  client.unsubscribe(endpointType, 'b');
  time.endTurn();
  client.subscribe(endpointType, 'b', 0);
  time.endTurn();
  stream.end();
  time.advance(30_000);
  t.same(transport.last.take(), [
    { type: endpointType, node: 'me', subscribe: ['c', 'b'], initialVersions: { c: '1' } },
  ]);
});

t.test('a name that is let go and wanted again within a turn is told as both', async (t) => {
  const { stream, client, time } = started([
    [endpointType, 'a'],
    [endpointType, 'b'],
  ]);
  stream.take();
  client.unsubscribe(endpointType, 'a');
  client.subscribe(endpointType, 'a', 0);
  client.unsubscribe(endpointType, 'b');
  client.subscribe(endpointType, 'c', 0);
  time.endTurn();
  t.same(stream.take(), [
    { type: endpointType, unsubscribe: ['b', 'a'] },
    { type: endpointType, subscribe: ['c', 'a'] },
  ]);
});

t.test('an unsubscription waits for no answer', async (t) => {
  const { stream, client, time } = started([
    [endpointType, 'a'],
    [endpointType, 'b'],
  ]);
  stream.take();
  client.unsubscribe(endpointType, 'a');
  time.endTurn();
  client.subscribe(endpointType, 'c', 0);
  time.endTurn();
  t.same(stream.take(), [
    { type: endpointType, unsubscribe: ['a'] },
    { type: endpointType, subscribe: ['c'] },
  ]);
});

t.test('no nonce survives its stream', async (t) => {
  const { stream, transport, time, client } = started([[endpointType, 'a']]);
  stream.respond({ type: endpointType, nonce: 'old', resources: [{ name: 'a' }] });
  stream.end();
  time.advance(30_000);
  client.subscribe(endpointType, 'b', 0);
  time.endTurn();
  t.same(
    transport.last.requests.map(({ nonce }) => nonce),
    ['', ''],
  );
  stream.respond({ type: endpointType, nonce: 'late', resources: [{ name: 'a' }] });
  t.same(
    transport.last.requests.map(({ nonce }) => nonce),
    ['', ''],
    'a message of the old stream is not answered on the new one',
  );
});

t.test('what is removed is told, but the subscription stays', async (t) => {
  const { stream, client, consumers } = started([[endpointType, 'a']]);
  stream.respond({ type: endpointType, nonce: 'n1', resources: [{ name: 'a', version: '1' }] });
  stream.respond({ type: endpointType, nonce: 'n2', removed: ['a'] });
  stream.respond({ type: endpointType, nonce: 'n3', resources: [{ name: 'a', version: '2' }] });
  t.same(consumers.get(endpointType)!.take(), ['+a@1', '-a', '+a@2']);
  t.same(client.status().types[1]?.subscribed, ['a']);
});

t.test('a name that is removed before it came does not exist', async (t) => {
  const { stream, consumers } = started([[endpointType, 'a']]);
  stream.respond({ type: endpointType, nonce: 'n1', removed: ['a'] });
  t.same(consumers.get(endpointType)!.take(), ['-a', '?a']);
});

t.test('after a name beside the wildcard is let go, what the server says of it is heard', async (t) => {
  const { stream, client, consumers, time } = started([
    [clusterType, '*'],
    [clusterType, 'a'],
  ]);
  client.unsubscribe(clusterType, 'a');
  time.endTurn();
  stream.respond({ type: clusterType, nonce: 'n1', resources: [{ name: 'a', version: '1' }] });
  stream.respond({ type: clusterType, nonce: 'n2', removed: ['a'] });
  t.same(consumers.get(clusterType)!.take(), ['+a@1', '-a']);
});

t.test('a resource that nobody wants any more is passed over and acknowledged', async (t) => {
  const { stream, client, consumers, time } = started([
    [endpointType, 'a'],
    [endpointType, 'b'],
  ]);
  client.unsubscribe(endpointType, 'b');
  time.endTurn();
  stream.take();
  stream.respond({ type: endpointType, nonce: 'n1', resources: [{ name: 'a' }, { name: 'b' }], removed: ['c'] });
  t.same(consumers.get(endpointType)!.take(), ['+a@']);
  t.same(stream.take(), [{ type: endpointType, nonce: 'n1' }]);
});

t.test('a resource that is subscribed to by an alias is taken', async (t) => {
  const { stream, consumers } = started([[routeType, 'r/alias']]);
  stream.respond({ type: routeType, nonce: 'n1', resources: [{ name: 'r/real', aliases: ['r/alias'] }] });
  t.same(consumers.get(routeType)!.take(), ['+r/real@']);
});

t.test('a resource that comes without a message, under a name that was asked for, does not exist', async (t) => {
  const { stream, client, consumers, time } = started([]);
  client.subscribe(routeType, 'r/alias', 1000);
  time.endTurn();
  stream.take();
  const resources = [{ name: 'r/real', aliases: ['r/alias'], isHeartbeat: true }];
  stream.respond({ type: routeType, nonce: 'n1', resources });
  t.same(consumers.get(routeType)!.take(), ['?r/alias']);
  t.same(stream.take(), [{ type: routeType, nonce: 'n1' }]);
  time.advance(1000);
  t.same(consumers.get(routeType)!.take(), [], 'and is not waited for');
});

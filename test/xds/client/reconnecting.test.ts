// When a stream is opened in the place of one that ended, and what becomes of what is said and asked for meanwhile.

import t from 'tap';
import { playedClient } from '../../support/discovery-fixtures.ts';
import { clusterType, endpointType } from '../../support/discovery-messages.ts';

function started() {
  const played = playedClient('delta', [clusterType, endpointType]);
  played.client.subscribe(clusterType, '*', 0);
  played.client.start();
  return { ...played, stream: played.transport.last, clusters: played.consumers.get(clusterType)! };
}

t.test('a control plane that is away is tried again with growing waits', async (t) => {
  const { transport, time, client } = started();
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    transport.last.end();
    waits.push(time.waits[0]!);
    time.advance(time.waits[0]!);
  }
  t.same(waits, [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000], 'half of each limit, by the random of the test');
  transport.last.end({ code: 14, reason: '14 UNAVAILABLE: refused' });
  t.same(client.status().connection, {
    kind: 'waiting',
    untilMs: time.nowMs + 15_000,
    lastError: '14 UNAVAILABLE: refused',
  });
});

for (const [code, name] of [
  [7, 'PERMISSION_DENIED'],
  [8, 'RESOURCE_EXHAUSTED'],
  [14, 'UNAVAILABLE'],
  [16, 'UNAUTHENTICATED'],
] as const) {
  t.test(`a control plane that ends streams with ${name} is asked again, with growing waits`, async (t) => {
    const { transport, time } = started();
    const waits = [0, 0, 0].map(() => {
      transport.last.end({ code, reason: `${code} ${name}: no` });
      const [wait] = time.waits;
      time.advance(wait!);
      return wait;
    });
    t.same(waits, [250, 500, 1_000]);
    t.equal(transport.streams.length, 4);
    t.same(transport.last.take(), [{ type: clusterType, node: 'me' }], 'and told all that is wanted');
  });
}

t.test('a response makes the next wait a short one, a connection alone does not', async (t) => {
  const { transport, time } = started();
  for (const _ of [1, 2, 3]) {
    transport.last.end();
    time.advance(time.waits[0]!);
  }
  transport.last.respond({ type: clusterType, nonce: 'n1' });
  transport.last.end();
  t.same(time.waits, [250]);
});

t.test('a stream that ends without an error is replaced at once, but not again and again', async (t) => {
  const { transport, time } = started();
  const cleanEnd = { code: 0, reason: '0 OK' };
  const endAnswered = (livedMs: number) => {
    transport.last.respond({ type: clusterType, nonce: 'n1' });
    time.advance(livedMs);
    transport.last.end(cleanEnd);
    const wait = time.waits[0];
    time.advance(wait!);
    return wait;
  };
  t.same([endAnswered(10), endAnswered(10), endAnswered(10)], [0, 250, 250]);
  t.equal(endAnswered(30 * 60_000), 0, 'after a stream that lived');
  transport.last.end(cleanEnd);
  t.same(time.waits, [250], 'one that said nothing is a failure');
});

t.test('a client that is stopped while it waits for its next stream opens none', async (t) => {
  const { client, transport, time } = started();
  transport.last.end();
  client.stop();
  t.same(time.waits, []);
  time.advance(100_000);
  t.equal(transport.streams.length, 1);
});

t.test('a client that is stopped by the last of what came before its stream ended opens no other', async (t) => {
  const { client, stream, clusters, time, transport } = started();
  clusters.prepare = function* slowStep() {
    time.nowMs += 10;
    yield;
  };
  stream.respond({ type: clusterType, nonce: 'n1', resources: [{ name: 'a', text: 'x'.repeat(40_000) }] });
  clusters.onTold = () => client.stop();
  stream.end();
  t.same([clusters.take(), time.waits], [['+a@'], []]);
  time.advance(100_000);
  t.equal(transport.streams.length, 1);
});

t.test('what is subscribed to without a stream waits for the next one, which is not opened sooner', async (t) => {
  const { client, transport, time } = started();
  transport.last.end();
  client.subscribe(endpointType, 'a', 0);
  time.endTurn();
  t.equal(transport.streams.length, 1);
  time.advance(250);
  t.same(transport.last.take(), [
    { type: clusterType, node: 'me' },
    { type: endpointType, subscribe: ['a'] },
  ]);
});

t.test('a first stream that ends without an error and without a word is a failure', async (t) => {
  const { transport, time, logged } = started();
  transport.last.end({ code: 0, reason: '0 OK' });
  t.same(time.waits, [250]);
  t.match(logged.at(-1), /^warning /);
});
